// Lets this process past the frontends that it programs, as long as somebody here needs it.

import { CLOSED, type Passage } from "../datapath/passage.ts";
import type { Log } from "../lib/log.ts";

/** How often the kernel is asked who we are: another client's refusal may come in between. */
const TRIES = 5;
const NANOSECONDS = 1_000_000n;
/** Nanoseconds for which we pass to see whether we do. */
const TRIAL = 1_000n * NANOSECONDS;

export interface Bypass {
	/**
	 * From now on this process's new connections pass all frontends: for so many milliseconds, until `closeAll` or until all
	 * grants are disposed. Undefined if it cannot be, or if no program of ours sees this process.
	 */
	grant(milliseconds: number): Disposable | undefined;
	/** Somebody is to be translated as any client: what was granted ends. */
	closeAll(): void;
	/** Does this as any client would, whatever is granted. */
	suspended<T>(work: () => T): T;
	/** How often this process has passed a frontend. */
	count(): bigint;
	/** The key, in `frontends`, of the one that was passed last. */
	last(): string;
}

export interface BypassOptions {
	readonly passage: Passage;
	/** Whether our programs refuse a connect of this process to a canary: to a frontend without a backend. */
	readonly isRefused: () => boolean;
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

/**
 * This process may be in a PID namespace, where it is called otherwise, and in a time namespace. So a program writes down
 * whom it refuses; and as that may have been somebody else, it counts only if we pass with it, and are refused without.
 */
function identify({ passage, isRefused }: BypassOptions, now: () => bigint): Identity | undefined {
	try {
		for (let attempt = 0; attempt < TRIES; attempt++) {
			passage.set({ ...CLOSED, asking: true });
			const asked = now();
			// No program of ours sees us: we are in another cgroup, or they are not in place yet.
			if (!isRefused()) return undefined;
			const { tgid, time } = passage.trace();
			passage.set({ tgid, until: time + TRIAL, asking: false });
			const passes = !isRefused();
			passage.set(CLOSED);
			if (passes && isRefused()) return { tgid, ahead: time - asked };
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
	let grants = 0;

	function write(next: typeof CLOSED): void {
		setting = next;
		passage.set(next);
	}

	function canPass(): boolean {
		if (passage.supported) return true;
		if (!told) log.warn({}, "Cannot pass the frontends that the hub may be cut off by: needs Linux 5.7");
		told = true;
		return false;
	}

	return {
		grant(milliseconds) {
			if (!canPass()) return undefined;
			identity ??= identify(options, now);
			if (identity === undefined) return undefined;
			const until = now() + identity.ahead + BigInt(milliseconds) * NANOSECONDS;
			// Whoever was granted more keeps it.
			write({ tgid: identity.tgid, until: until > setting.until ? until : setting.until, asking: false });
			grants += 1;
			let open = true;
			return {
				[Symbol.dispose]() {
					if (!open) return;
					open = false;
					grants -= 1;
					if (grants === 0) write(CLOSED);
				},
			};
		},
		closeAll() {
			if (setting.tgid !== 0) write(CLOSED);
		},
		suspended(work) {
			const before = setting;
			if (before.tgid === 0) return work();
			write(CLOSED);
			try {
				return work();
			} finally {
				write(before);
			}
		},
		count: () => passage.trace().passed,
		last: () => passage.trace().key,
	};
}
