// Who goes past redirects: what is written when, and what stays for hubs that are not read yet.

import { describe, expect, test } from "bun:test";
import { l4 } from "../../test/support/plans.ts";
import { encodeFrontend, encodeFrontendKey } from "./codec.ts";
import { describeMap } from "./describe.ts";
import { createFaultyMaps } from "./faulty_maps.ts";
import { createGuards, type Guards, type Identity } from "./guards.ts";
import type { Maps } from "./maps.ts";
import { createMemoryMaps } from "./memory_maps.ts";
import { groupOf } from "./traits.ts";

const POD: Identity = { kind: "cgroup", id: 4242n, level: 3 };
const DEEP: Identity = { kind: "cgroup", id: 4243n, level: 31 };
const NETNS: Identity = { kind: "netns", cookie: 0xffff_ffff_ffff_fffen };
const DNS = "LocalRedirectPolicy dns";
const WEB = "LocalRedirectPolicy web";
const NOTHING = new Map<string, string>();

/** A frontend of the kernel's, a redirect with this guard. */
function redirect(name: string): ReadonlyMap<string, string> {
	const key = encodeFrontendKey(l4("10.96.0.10:53/UDP"));
	const numbers = { id: 1, slotBase: 0, active: 0, members: 0, generation: 1, flags: 0, limit: 0 };
	return new Map([[key, encodeFrontend(key, { ...numbers, affinity: "", affinitySeconds: 0, guard: groupOf(name) })]]);
}

interface Host {
	readonly maps: Maps;
	readonly guards: Guards;
	/** What the programs were told, in order. */
	readonly levels: readonly number[];
}

function host(maps: Maps = createMemoryMaps()): Host {
	const levels: number[] = [];
	return { maps, guards: createGuards({ maps, setLevels: (mask) => void levels.push(mask) }), levels };
}

function written(maps: Maps): readonly string[] {
	return describeMap(maps, "guards")
		.map(({ guard, kind, identity, level }) => `${guard} ${kind} ${identity} ${level ?? "-"}`)
		.sort();
}

describe("createGuards()", () => {
	test("add() writes groups and identities, and tells the programs their levels before", () => {
		const { maps, guards, levels } = host();
		expect(
			guards.add(
				new Map([
					[DNS, [POD, NETNS]],
					[WEB, [DEEP]],
				]),
			),
		).toEqual([]);
		const [dns, web] = [groupOf(DNS), groupOf(WEB)];
		expect(written(maps)).toEqual(
			[`${dns} cgroup 4242 3`, `${dns} netns 18446744073709551614 -`, `${web} cgroup 4243 31`].sort(),
		);
		expect(levels).toEqual([0, (1 << 3) + 2 ** 31]);
	});

	test("add() takes nobody away, prune() does", () => {
		const { maps, guards, levels } = host();
		guards.add(new Map([[DNS, [POD, NETNS]]]));
		const wanted = new Map([[DNS, [NETNS]]]);
		guards.add(wanted);
		expect(written(maps)).toHaveLength(2);
		expect(guards.prune(wanted, redirect(DNS))).toEqual([]);
		expect(written(maps)).toEqual([`${groupOf(DNS)} netns 18446744073709551614 -`]);
		expect(levels.at(-1)).toBe(0);
	});

	test("prune() keeps a group of which nothing is wanted as long as the kernel has a redirect of it", () => {
		const { maps, guards } = host();
		guards.add(new Map([[DNS, [POD]]]));
		guards.prune(new Map(), redirect(DNS));
		expect(written(maps)).toHaveLength(1);
		guards.prune(new Map(), redirect(WEB));
		expect(written(maps)).toEqual([]);
	});

	test("goes on from what the map holds, and writes only what differs", () => {
		const first = host();
		first.guards.add(new Map([[DNS, [POD, NETNS]]]));
		const verbs: string[] = [];
		const watched: Maps = {
			dump: first.maps.dump,
			put(map, entries) {
				verbs.push(`put ${entries.size}`);
				return first.maps.put(map, entries);
			},
			delete: first.maps.delete,
		};
		const second = host(watched);
		expect(second.levels).toEqual([1 << 3]);
		second.guards.add(new Map([[DNS, [NETNS, POD]]]));
		expect(verbs).toEqual([]);
		second.guards.add(new Map([[DNS, [NETNS, POD, DEEP]]]));
		expect(verbs).toEqual(["put 1"]);
	});

	test("says what failed, and tries it again", () => {
		const maps = createMemoryMaps();
		let probability = 1;
		const flaky: Maps = {
			dump: maps.dump,
			put: (map, entries) => createFaultyMaps(maps, { random: Math.random, probability }).put(map, entries),
			delete: (map, keys) => createFaultyMaps(maps, { random: Math.random, probability }).delete(map, keys),
		};
		const { guards, levels } = host(flaky);
		const wanted = new Map([[DNS, [POD]]]);
		expect(guards.add(wanted)).toMatchObject([{ map: "guards", verb: "put" }]);
		probability = 0;
		expect(guards.add(wanted)).toEqual([]);
		expect(written(maps)).toHaveLength(1);
		probability = 1;
		expect(guards.prune(new Map(), NOTHING)).toMatchObject([{ map: "guards", verb: "delete" }]);
		expect(levels.at(-1)).toBe(1 << 3);
		probability = 0;
		expect(guards.prune(new Map(), NOTHING)).toEqual([]);
		expect(written(maps)).toEqual([]);
		expect(levels.at(-1)).toBe(0);
	});

	test("says which cgroup is too deep for the programs", () => {
		const { maps, guards } = host();
		expect(guards.add(new Map([[DNS, [{ kind: "cgroup", id: 1n, level: 32 }, NETNS]]]))).toMatchObject([
			{ errno: -34 },
		]);
		expect(written(maps)).toHaveLength(1);
	});

	test("resync() sees what others have written", () => {
		const { maps, guards } = host();
		const wanted = new Map([[DNS, [POD]]]);
		guards.add(wanted);
		maps.delete("guards", [...maps.dump("guards").keys()]);
		guards.add(wanted);
		expect(written(maps)).toEqual([]);
		guards.resync();
		guards.add(wanted);
		expect(written(maps)).toHaveLength(1);
	});
});
