// Probes the backends that a plan asks for, and knows who has failed too often.

import type { Log } from "../../lib/log.ts";
import type { L4Address } from "../../model/address.ts";
import type { Probe, ProbeKey, Quarantine } from "../../plan/plan_types.ts";
import { createHealthLog } from "./health_log.ts";
import type { Outcome } from "./outcome.ts";
import { questionText } from "./probe.ts";
import { createRota, type Turns } from "./rota.ts";
import type { Timers } from "./timers.ts";
import { firstVerdict, type HealthState, judge, type Verdict } from "./verdict.ts";

/** What is known of one backend, for people. */
export interface BackendHealth {
	readonly backend: L4Address;
	/** `http:/healthz`. */
	readonly check: string;
	readonly state: HealthState;
	/** RFC 3339: it has had this state from then on. */
	readonly since: string;
	/** Why the last probe failed, in words; null of a backend that is well. */
	readonly lastError: string | null;
}

export type ProbeCounts = Readonly<Record<Outcome["kind"], number>>;

export interface Prober extends Disposable {
	/** From now on these are probed. Of what is new, suspects are in quarantine until a probe has passed. */
	follow(probes: ReadonlyMap<ProbeKey, Probe>, isSuspect: (probe: Probe) => boolean): void;
	/** Those that are not to be used; the identical set if nothing changed. */
	quarantine(): Quarantine;
	/** Sorted by backend, then check. */
	backends(): readonly BackendHealth[];
	/** Probes since the start, by what they found. */
	counts(): ProbeCounts;
}

export interface ProberOptions {
	/** Must not reject. */
	readonly probe: (probe: Probe, signal: AbortSignal) => Promise<Outcome>;
	/** A probe has put a backend into quarantine, or out of it. */
	readonly onChange: () => void;
	readonly log: Log;
	readonly timers: Timers;
	/** Evenly from 0 to 1. */
	readonly random: () => number;
	/** Probes at a time, each with a socket. */
	readonly limit?: number;
}

/** 5,000 backends that all keep silent for 2 s are asked every 20 s at least. */
const LIMIT = 512;
/** Milliseconds between two first probes in the mean, if many backends are new at once. */
const SPREAD = 1;

interface Entry {
	readonly key: ProbeKey;
	readonly probe: Probe;
	verdict: Verdict;
}

/** What we know, apart from when it is asked. */
interface Ward {
	readonly entries: Map<ProbeKey, Entry>;
	put(entry: Entry): void;
	drop(key: ProbeKey): void;
	/** Whether it is in quarantine where it was not, or the other way round. */
	conclude(entry: Entry, verdict: Verdict): boolean;
	quarantine(): Quarantine;
}

const NOBODY: Quarantine = new Set();

function createWard(): Ward {
	const entries = new Map<ProbeKey, Entry>();
	let quarantine: Quarantine | undefined = NOBODY;
	return {
		entries,
		put(entry) {
			entries.set(entry.key, entry);
			if (isQuarantined(entry)) quarantine = undefined;
		},
		drop(key) {
			const entry = entries.get(key);
			entries.delete(key);
			if (entry !== undefined && isQuarantined(entry)) quarantine = undefined;
		},
		conclude(entry, verdict) {
			const before = isQuarantined(entry);
			entry.verdict = verdict;
			if (isQuarantined(entry) === before) return false;
			quarantine = undefined;
			return true;
		},
		quarantine() {
			if (quarantine !== undefined) return quarantine;
			const keys = [...entries.values()].filter(isQuarantined).map(({ key }) => key);
			quarantine = keys.length === 0 ? NOBODY : new Set(keys);
			return quarantine;
		},
	};
}

/** Nothing is probed, and no timer set, before it is told what to follow. */
export function createProber({ probe: ask, onChange, log, timers, random, limit = LIMIT }: ProberOptions): Prober {
	const ward = createWard();
	const turns = new Map<ProbeKey, Turns>();
	const rota = createRota({ timers, random, limit });
	const healthLog = createHealthLog(log);
	const counts: Record<Outcome["kind"], number> = { passed: 0, failed: 0, broken: 0 };
	let followed: ReadonlyMap<ProbeKey, Probe> = new Map();

	async function run(entry: Entry, signal: AbortSignal): Promise<void> {
		const outcome = await ask(entry.probe, signal);
		if (signal.aborted) return;
		counts[outcome.kind] += 1;
		healthLog.tellFault(outcome);
		const before = entry.verdict;
		const isChange = ward.conclude(entry, judge(before, outcome, entry.probe.check, timers.wall()));
		healthLog.tell(entry.probe, before, entry.verdict);
		if (isChange) onChange();
	}

	function stop(key: ProbeKey): void {
		turns.get(key)?.stop();
		turns.delete(key);
		ward.drop(key);
	}

	function start(entry: Entry, first: number): void {
		const { interval } = entry.probe.check;
		turns.set(entry.key, rota.add({ interval, run: (signal) => run(entry, signal) }, first));
	}

	return {
		follow(probes, isSuspect) {
			if (probes === followed) return;
			followed = probes;
			const added = addedTo(ward.entries, probes).map(({ key, probe, known }) => {
				return { key, probe, verdict: known ?? firstVerdict(isSuspect(probe), timers.wall()) };
			});
			for (const key of [...ward.entries.keys()]) if (!probes.has(key)) stop(key);
			for (const entry of added) {
				const { verdict, probe } = entry;
				ward.put(entry);
				// A suspect may be well, and is missed until it has been asked.
				const latest = verdict.isSuspect ? 0 : Math.min(probe.check.interval, (added.length - 1) * SPREAD);
				start(entry, latest * random());
			}
		},
		quarantine: ward.quarantine,
		backends: () => [...ward.entries.values()].map(describe).sort(byBackend),
		counts: () => ({ ...counts }),
		[Symbol.dispose]() {
			for (const key of [...ward.entries.keys()]) stop(key);
		},
	};
}

/** What of a probe makes it another question: thresholds and intervals do not. */
function questionOf({ address, check }: Probe): string {
	return `${address} ${questionText(check)}`;
}

/** What is new, and what is known of it if the same question has been asked with other thresholds. */
function addedTo(entries: ReadonlyMap<ProbeKey, Entry>, probes: ReadonlyMap<ProbeKey, Probe>) {
	const added = [...probes].filter(([key]) => !entries.has(key));
	if (added.length === 0) return [];
	const known = new Map(Array.from(entries.values(), ({ probe, verdict }) => [questionOf(probe), verdict] as const));
	return added.map(([key, probe]) => ({ key, probe, known: known.get(questionOf(probe)) }));
}

function isQuarantined({ verdict }: Entry): boolean {
	return verdict.state === "quarantined";
}

function describe({ probe, verdict }: Entry): BackendHealth {
	return {
		backend: probe.address,
		check: questionText(probe.check),
		state: verdict.state,
		since: new Date(verdict.since).toISOString(),
		lastError: verdict.reason,
	};
}

function byBackend(a: BackendHealth, b: BackendHealth): number {
	return compareText(a.backend, b.backend) || compareText(a.check, b.check);
}

function compareText(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}
