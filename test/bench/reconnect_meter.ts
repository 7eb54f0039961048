// Counts what reaches a modelled hub, and what each agent costs.

import { type Audience, needsOf } from "../../src/hub/kinds/needs.ts";
import type { Clock } from "../../src/lib/clock.ts";

export interface Meter {
	/** Counts from now on. */
	restart(): void;
	/** From now on the hub can be followed: times of recovery count from here. */
	back(): void;
	/** A connection is accepted. Bytes both ways. */
	connected(agent: number, bytes: number): void;
	/** A request arrives. */
	requested(agent: number, bytes: number): void;
	listed(agent: number): void;
	/** 429. */
	refused(): void;
	/** An attempt that reached nobody. */
	lost(): void;
	sent(agent: number, bytes: number): void;
	/** A watch begins (1) or ends (-1). */
	watching(agent: number, change: 1 | -1): void;
	/** A snapshot came out of the client. */
	shown(agent: number): void;
	figures(): Figures;
}

export interface Figures {
	/** In the second in which it was most. */
	readonly peakRequests: number;
	readonly peakConnections: number;
	/** Bytes. */
	readonly peakSent: number;
	readonly requests: Spread;
	/** Both ways. */
	readonly bytes: Spread;
	readonly lists: Spread;
	readonly snapshots: Spread;
	readonly refused: number;
	readonly lost: number;
	/** Milliseconds after the hub was back until so many agents of a hundred watch all kinds; infinite if they do not. */
	followed(percent: number): number;
}

export interface Spread {
	readonly mean: number;
	readonly max: number;
}

export const AUDIENCE: Audience = { kind: "node", nodeName: "agent" };

/** Watches of an agent that follows. */
const KINDS = needsOf(AUDIENCE).length;

export function createMeter(clock: Clock, agents: number): Meter {
	const column = () => new Float64Array(agents);
	const each = { requests: column(), bytes: column(), lists: column(), snapshots: column(), followed: column() };
	const watches = new Int32Array(agents);
	const seconds = {
		requests: new Map<number, number>(),
		connections: new Map<number, number>(),
		sent: new Map<number, number>(),
	};
	let refused = 0;
	let lost = 0;
	let since = 0;

	function tally(of: Map<number, number>, amount: number): void {
		const second = Math.floor(clock.now() / 1000);
		of.set(second, (of.get(second) ?? 0) + amount);
	}

	function add(to: Float64Array, agent: number, amount: number): void {
		to[agent] = (to[agent] ?? 0) + amount;
	}

	function followsAll(agent: number): boolean {
		return watches[agent] === KINDS;
	}

	return {
		restart() {
			refused = 0;
			lost = 0;
			for (const of of Object.values(each)) of.fill(0);
			for (const of of Object.values(seconds)) of.clear();
		},
		back() {
			since = clock.now();
			each.followed.fill(Number.POSITIVE_INFINITY);
			for (let agent = 0; agent < agents; agent++) if (followsAll(agent)) each.followed[agent] = 0;
		},
		connected(agent, bytes) {
			tally(seconds.connections, 1);
			add(each.bytes, agent, bytes);
		},
		requested(agent, bytes) {
			tally(seconds.requests, 1);
			add(each.requests, agent, 1);
			add(each.bytes, agent, bytes);
		},
		listed: (agent) => add(each.lists, agent, 1),
		refused: () => void refused++,
		lost: () => void lost++,
		sent(agent, bytes) {
			tally(seconds.sent, bytes);
			add(each.bytes, agent, bytes);
		},
		watching(agent, change) {
			watches[agent] = (watches[agent] ?? 0) + change;
			if (followsAll(agent) && each.followed[agent] === Number.POSITIVE_INFINITY) {
				each.followed[agent] = clock.now() - since;
			}
		},
		shown: (agent) => add(each.snapshots, agent, 1),
		figures() {
			const times = each.followed.slice().sort();
			return {
				peakRequests: Math.max(0, ...seconds.requests.values()),
				peakConnections: Math.max(0, ...seconds.connections.values()),
				peakSent: Math.max(0, ...seconds.sent.values()),
				requests: spreadOf(each.requests),
				bytes: spreadOf(each.bytes),
				lists: spreadOf(each.lists),
				snapshots: spreadOf(each.snapshots),
				refused,
				lost,
				followed: (percent) => times[Math.ceil((percent / 100) * agents) - 1] ?? Number.NaN,
			};
		},
	};
}

function spreadOf(values: Float64Array): Spread {
	let sum = 0;
	let max = 0;
	for (const value of values) {
		sum += value;
		max = Math.max(max, value);
	}
	return { mean: sum / values.length, max };
}
