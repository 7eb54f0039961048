// The health of backends in the agent: probes as a plan asks for them, past our own programs, and whom a start distrusts.

import { setImmediate } from "node:timers";
import { encodeBackend, encodeFrontendKey } from "../datapath/codec.ts";
import type { Contents } from "../datapath/contents.ts";
import type { Log } from "../lib/log.ts";
import type { L4Address } from "../model/address.ts";
import type { HealthStatus } from "../observe/health/health_status.ts";
import type { Outcome } from "../observe/health/outcome.ts";
import { runProbe, targetOf } from "../observe/health/probe.ts";
import { createProber } from "../observe/health/prober.ts";
import { systemTimers } from "../observe/health/timers.ts";
import type { Plan, Probe, Quarantine } from "../plan/plan_types.ts";
import type { Bypass } from "./bypass.ts";
import { obstacleAt } from "./own_way.ts";

/** Milliseconds for which a probe may pass our own frontends; it connects in the same turn of the event loop. */
const PASSING = 1000;

/** What a round needs of it. */
export interface PlanHealth {
	/** Backends that new connections do not go to; the identical set if nothing changed. */
	quarantine(): Quarantine;
	/** What this plan asks for is probed from now on. True: the quarantine is another one, so plan again. */
	follow(plan: Plan): boolean;
}

export interface Health extends PlanHealth, Disposable {
	status(): HealthStatus;
}

export interface HealthOptions {
	/** What the kernel holds. */
	readonly actual: () => Pick<Contents, "backends" | "frontends" | "addresses">;
	/** Whether all hubs have been read. */
	readonly synced: () => boolean;
	readonly bypass: Pick<Bypass, "begin">;
	/** A probe has changed the quarantine. */
	readonly onChange: () => void;
	readonly log: Log;
}

interface Passing extends Disposable {
	probe(probe: Probe, signal: AbortSignal): Promise<Outcome>;
}

/**
 * A backend's address may be a frontend as well, or a node's. Clients of the frontend that leads to it arrive there without
 * another translation, so the probe does the same; where the kernel cannot tell who connects, it is translated.
 */
function createPassing({ actual, bypass }: HealthOptions): Passing {
	const stretches = new Set<Disposable>();

	function end(stretch: Disposable): void {
		if (stretches.delete(stretch)) stretch[Symbol.dispose]();
	}

	return {
		probe(probe, signal) {
			const isInOurWay = obstacleAt(encodeFrontendKey(targetOf(probe)), actual()) !== undefined;
			const stretch = isInOurWay ? bypass.begin(PASSING) : undefined;
			const outcome = runProbe(probe, signal);
			if (stretch === undefined) return outcome;
			stretches.add(stretch);
			// Sockets are connected by what runs before that.
			setImmediate(() => end(stretch));
			return outcome;
		},
		[Symbol.dispose]() {
			for (const stretch of [...stretches]) end(stretch);
		},
	};
}

/** Those of the probes' addresses that the kernel sends connections to. */
function heldOf(probes: Plan["probes"], { backends }: Pick<Contents, "backends">): ReadonlySet<L4Address> {
	const wanted = new Map(Array.from(probes.values(), ({ address }) => [encodeBackend(address), address]));
	const held = new Set<L4Address>();
	for (const [, bytes] of backends) {
		const address = wanted.get(bytes);
		if (address !== undefined) held.add(address);
	}
	return held;
}

function isNobody(): boolean {
	return false;
}

/**
 * As long as the hubs are read for the first time, a backend that the kernel does not hold, though it holds others, may have
 * been in quarantine when the last agent ended. A kernel that holds none of them knows nothing.
 */
function createSuspicion({ actual, synced }: HealthOptions): (probes: Plan["probes"]) => (probe: Probe) => boolean {
	let isStart = true;
	return (probes) => {
		if (!isStart) return isNobody;
		isStart = !synced();
		let held: ReadonlySet<L4Address> | undefined;
		return ({ address }) => {
			held ??= heldOf(probes, actual());
			return held.size > 0 && !held.has(address);
		};
	};
}

/** Nothing is probed before a plan asks for it. */
export function createHealth(options: HealthOptions): Health {
	const { onChange, log } = options;
	const suspicionOf = createSuspicion(options);
	const passing = createPassing(options);
	const prober = createProber({
		probe: passing.probe,
		onChange,
		log,
		timers: systemTimers,
		random: Math.random,
	});
	return {
		quarantine: prober.quarantine,
		follow({ probes }) {
			const before = prober.quarantine();
			prober.follow(probes, suspicionOf(probes));
			return prober.quarantine() !== before;
		},
		status: () => ({ backends: prober.backends(), probes: prober.counts() }),
		[Symbol.dispose]() {
			prober[Symbol.dispose]();
			passing[Symbol.dispose]();
		},
	};
}
