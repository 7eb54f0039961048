// How connections to a modelled server begin: SYNs that are lost or refused, and handshakes, which wait in a line.

import { createLine } from "./reconnect_capacity.ts";
import type { VirtualClock } from "./reconnect_clock.ts";
import type { Meter } from "./reconnect_meter.ts";

/** `refusing`: nobody listens; `dark`: packets vanish; `silent`: connections are accepted, and that is all. */
export type Condition = "up" | "refusing" | "dark" | "silent";

export interface Door {
	condition(): Condition;
	setCondition(condition: Condition): void;
	/** Settles when an agent is connected, or refused; rejects when the signal is aborted, too. */
	enter(agent: number, signal: AbortSignal): Promise<void>;
}

export interface DoorOptions {
	readonly clock: VirtualClock;
	readonly meter: Meter;
	readonly limits: () => DoorLimits;
}

export interface DoorLimits {
	/** TLS handshakes per second. */
	readonly handshakes: number;
	/** Connections that may wait for their handshake (net.core.somaxconn); the SYNs of others are dropped. */
	readonly backlog: number;
}

/** Milliseconds there and back. */
const ROUND_TRIP = 20;
/** Bytes of a TLS 1.3 handshake with certificates on both sides. */
const HANDSHAKE = 4500;

interface Visitor {
	readonly agent: number;
	readonly signal: AbortSignal;
	/** When its first SYN was sent. */
	readonly began: number;
	readonly resolve: () => void;
	readonly reject: (reason: unknown) => void;
}

export function createDoor({ clock, meter, limits }: DoorOptions): Door {
	const line = createLine(clock);
	/** Who sends SYNs into the dark. */
	const unheard = new Set<Visitor>();
	let condition: Condition = "up";

	function greet(visitor: Visitor): void {
		const { handshakes, backlog } = limits();
		meter.connected(visitor.agent, HANDSHAKE);
		if (condition === "silent") return;
		if ((line.wait() / 1000) * handshakes > backlog) {
			again(visitor);
			return;
		}
		const done = line.add(1000 / handshakes) + 2 * ROUND_TRIP;
		clock.after(done, () => {
			if (condition === "up") visitor.resolve();
			else refuse(visitor, "ECONNRESET");
		});
	}

	function again(visitor: Visitor): void {
		meter.lost();
		clock.after(untilNextSyn(clock.now() - visitor.began), () => knock(visitor));
	}

	function knock(visitor: Visitor): void {
		if (visitor.signal.aborted) return;
		if (condition === "dark") unheard.add(visitor);
		else if (condition !== "refusing") greet(visitor);
		else clock.after(ROUND_TRIP, () => refuse(visitor, "ConnectionRefused"));
		if (condition === "dark" || condition === "refusing") meter.lost();
	}

	return {
		condition: () => condition,
		setCondition(next) {
			condition = next;
			for (const visitor of unheard) clock.after(untilNextSyn(clock.now() - visitor.began), () => knock(visitor));
			unheard.clear();
		},
		enter(agent, signal) {
			const { promise, resolve, reject } = Promise.withResolvers<void>();
			const visitor: Visitor = { agent, signal, began: clock.now(), resolve, reject };
			signal.addEventListener("abort", () => {
				unheard.delete(visitor);
				reject(signal.reason);
			});
			knock(visitor);
			return promise;
		},
	};
}

function refuse({ reject }: Visitor, code: string): void {
	reject(Object.assign(new Error(`Cannot connect: ${code}`), { code }));
}

/** Milliseconds; a kernel repeats a SYN after 1 s, and then after twice as long each time. */
function untilNextSyn(since: number): number {
	return 1000 * (2 ** Math.floor(Math.log2(since / 1000 + 1) + 1) - 1) - since;
}
