// Counts the frontends that this process comes to, and lets it past them, as long as somebody here needs it.

import { errnoNumber, udpConnect } from "bun-ffi-libbpf";
import { CLOSED, type Passage, type PassageSetting } from "../datapath/passage.ts";
import type { Log } from "../lib/log.ts";

const ECONNREFUSED = errnoNumber("ECONNREFUSED");

/** How often the kernel is asked who we are: somebody else may connect to the canary in between. */
const TRIES = 5;
const NANOSECONDS = 1_000_000n;
/** Nanoseconds for which we pass to see whether we do. */
const TRIAL = 1_000n * NANOSECONDS;

/** Something that connects; over when it is disposed. */
export interface Stretch extends Disposable {
	/** Whether this process has come to a frontend since it began. */
	met(): boolean;
}

export interface Bypass {
	/**
	 * New connections of this process pass all frontends for so many milliseconds; with 0 they are translated. The setting is
	 * one for all that connect at a time: who begins last has its way. Undefined if programs of ours do not see this process,
	 * or cannot tell it.
	 */
	begin(milliseconds: number): Stretch | undefined;
	/**
	 * As udpConnect, and as any other process would, whatever has begun. ECONNREFUSED where our programs refuse it, on every
	 * kernel.
	 */
	readonly connect: typeof udpConnect;
	/** The key, in `frontends`, of the one that this process came to last. */
	last(): string;
}

export interface BypassOptions {
	readonly passage: Passage;
	/** A frontend without a backend: 4 bytes of IPv4, and a UDP port. */
	readonly canary: { readonly ip: Uint8Array; readonly port: number };
	readonly log: Log;
	/** Nanoseconds that pass as those of CLOCK_MONOTONIC, from any start. */
	readonly now?: () => bigint;
}

/** This process as the kernel knows it. */
interface Identity {
	readonly tgid: number;
	/** What CLOCK_MONOTONIC is ahead of `now`. */
	readonly ahead: bigint;
}

/** The errno of a connect to an address that is asked for: where the kernel says nothing, the program's trace does. */
function errnoOf(passage: Passage, connect: () => number): number {
	if (!passage.quiet) return connect();
	const { time } = passage.trace();
	const errno = connect();
	return passage.trace().time === time ? errno : ECONNREFUSED;
}

/**
 * This process may be in a PID namespace, where it is called otherwise, and in a time namespace. So a program writes down
 * whom it refuses; and as that may have been somebody else, it counts only if we pass with it, and are refused without.
 */
function identify({ passage, canary }: BypassOptions, now: () => bigint): Identity | undefined {
	const nobody: PassageSetting = { ...CLOSED, asking: canary.ip };

	function isRefusedWith(setting: PassageSetting): boolean {
		passage.set(setting);
		return errnoOf(passage, () => udpConnect(canary.ip, canary.port)) === ECONNREFUSED;
	}

	try {
		for (let attempt = 0; attempt < TRIES; attempt++) {
			const asked = now();
			// No program of ours sees us: we are in another cgroup, or they are not in place yet.
			if (!isRefusedWith(nobody)) return undefined;
			const { tgid, time } = passage.trace();
			const passes = !isRefusedWith({ ...nobody, tgid, until: time + TRIAL });
			if (passes && isRefusedWith(nobody)) return { tgid, ahead: time - asked };
		}
		return undefined;
	} finally {
		passage.set(CLOSED);
	}
}

/** Asks the kernel who we are when that is needed first. */
export function createBypass(options: BypassOptions): Bypass {
	const { passage, log, now = process.hrtime.bigint } = options;
	let identity: Identity | undefined;
	let told = false;
	let setting = CLOSED;
	/** Stretches that have begun, and those of them that pass. */
	const open = { all: 0, passing: 0 };

	function write(next: PassageSetting): void {
		setting = next;
		passage.set(next);
	}

	function whoWeAre(): Identity | undefined {
		if (passage.supported) {
			identity ??= identify(options, now);
			return identity;
		}
		if (!told) log.info({}, "The agent's own connections are always translated: needs Linux 5.7 to be otherwise");
		told = true;
		return undefined;
	}

	function begin({ tgid, ahead }: Identity, milliseconds: number): void {
		const until = milliseconds === 0 ? 0n : now() + ahead + BigInt(milliseconds) * NANOSECONDS;
		// Whoever passes already goes on as long as it was to.
		write({ tgid, until: until > 0n && until < setting.until ? setting.until : until, asking: undefined });
	}

	function end(passing: boolean): void {
		open.all -= 1;
		if (passing) open.passing -= 1;
		if (open.all === 0) write(CLOSED);
		else if (open.passing === 0 && setting.until > 0n) write({ ...setting, until: 0n });
	}

	return {
		begin(milliseconds) {
			const self = whoWeAre();
			if (self === undefined) return undefined;
			const passing = milliseconds > 0;
			begin(self, milliseconds);
			open.all += 1;
			if (passing) open.passing += 1;
			const before = passage.trace().met;
			let ended = false;
			return {
				met: () => passage.trace().met !== before,
				[Symbol.dispose]() {
					if (ended) return;
					ended = true;
					end(passing);
				},
			};
		},
		connect(ip, port, where) {
			const before = setting;
			write({ ...CLOSED, asking: ip.slice(-4) });
			try {
				return errnoOf(passage, () => udpConnect(ip, port, where));
			} finally {
				write(before);
			}
		},
		last: () => passage.trace().key,
	};
}
