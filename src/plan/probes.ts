// Which backends are probed, and which of them new connections go to after what probes have found.

import { createLayeredMap } from "../lib/layered_map.ts";
import type { L4Address } from "../model/address.ts";
import type { HealthCheck } from "../model/health_check.ts";
import type { Probe, ProbeKey, Quarantine } from "./plan_types.ts";

export type Probes = ReadonlyMap<ProbeKey, Probe>;

export const NO_QUARANTINE: Quarantine = new Set();
const NO_PROBES: Probes = new Map();

/** The same for the same address and an equal check. */
export function probeKey(address: L4Address, check: HealthCheck): ProbeKey {
	return `${address} ${checkText(check)}` as ProbeKey;
}

/** As the annotation may say it, with nothing left to defaults. */
export function checkText({ probe, interval, timeout, fails, passes, panic, port }: HealthCheck): string {
	return [
		probe.kind === "tcp" ? "tcp" : `${probe.kind}:${probe.kind === "dns" ? probe.name : probe.path}`,
		`interval=${durationText(interval)}`,
		`timeout=${durationText(timeout)}`,
		`fails=${fails}`,
		`passes=${passes}`,
		`panic=${panic}%`,
		...(port === undefined ? [] : [`port=${port}`]),
	].join(" ");
}

function durationText(milliseconds: number): string {
	return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}

export interface Examined {
	/** Those that are well; all of them where no more than `panic` percent are. In the order in which they were given. */
	readonly active: readonly L4Address[];
	readonly probes: Probes;
}

/** `active` is distinct. Without a check all are believed. */
export function examine(
	active: readonly L4Address[],
	check: HealthCheck | undefined,
	quarantine: Quarantine,
): Examined {
	if (check === undefined) return { active, probes: NO_PROBES };
	const asked = active.map((address) => ({ address, key: probeKey(address, check) }));
	const probes = new Map(asked.map(({ address, key }) => [key, { address, check }]));
	const well = asked.filter(({ key }) => !quarantine.has(key)).map(({ address }) => address);
	const isPanic = well.length * 100 <= check.panic * active.length;
	return { active: isPanic ? active : well, probes };
}

/** What was found of these is another thing now. */
export function changedKeys(before: Quarantine, after: Quarantine): ReadonlySet<ProbeKey> {
	if (before === after) return NO_QUARANTINE;
	return new Set([...[...before].filter((key) => !after.has(key)), ...[...after].filter((key) => !before.has(key))]);
}

/** All probes that somebody asks for. */
export interface ProbeCounts {
	/** What this one asks for from now on. */
	ask(who: string, probes: readonly Probes[]): void;
	/** The identical map if nothing has changed. */
	snapshot(): Probes;
}

export function createProbeCounts(): ProbeCounts {
	const counts = new Map<ProbeKey, number>();
	const asked = new Map<string, readonly Probes[]>();
	const all = createLayeredMap<Probe, ProbeKey>();
	let last: Probes | undefined;

	function count(probes: readonly Probes[], step: 1 | -1): void {
		for (const some of probes) for (const [key, probe] of some) countOne(key, probe, step);
	}

	function countOne(key: ProbeKey, probe: Probe, step: 1 | -1): void {
		const before = counts.get(key) ?? 0;
		const now = before + step;
		if (now > 0) counts.set(key, now);
		else counts.delete(key);
		if (before > 0 && now > 0) return;
		last = undefined;
		if (now > 0) all.set(key, probe);
		else all.delete(key);
	}

	return {
		ask(who, probes) {
			const before = asked.get(who);
			if (before === undefined && probes.length === 0) return;
			// The new ones first: what both ask for never goes.
			count(probes, 1);
			count(before ?? [], -1);
			if (probes.length > 0) asked.set(who, probes);
			else asked.delete(who);
		},
		snapshot() {
			last ??= all.snapshot();
			return last;
		},
	};
}
