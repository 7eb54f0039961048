// Whatever happens on the way, the maps come to hold the plan, and no program is ever led to another's backend.

import { test } from "bun:test";
import * as fc from "fast-check";
import { createHistory, demandExactly, type History } from "../../test/support/history.ts";
import { selfOf, withAddresses, withAffinity, withRedirects, withSlotsOf } from "../../test/support/plans.ts";
import { backendIds, readMemory } from "../../test/support/program_view.ts";
import { checkProperty } from "../../test/support/property.ts";
import { applyEdits, type Edit, edit, emptyHubs, NODE } from "../../test/support/random_cluster.ts";
import type { Ip, L4Address } from "../model/address.ts";
import { l4Parts, parseIp, parseL4Address } from "../model/address.ts";
import { createPlanner, planFresh } from "../plan/plan.ts";
import type { Plan } from "../plan/plan_types.ts";
import { planToJson } from "../plan/render.ts";
import {
	encodeBackend,
	encodeFrontend,
	encodeFrontendKey,
	encodeId,
	encodeName,
	encodeSlot,
	withRule,
} from "./codec.ts";
import { seededRandom } from "./faulty_maps.ts";
import type { MapName } from "./maps.ts";
import type { Written } from "./writer.ts";

interface Step {
	readonly edits: readonly Edit[];
	/** What becomes known of addresses, "" for nothing any more; the planner's word goes before it. */
	readonly known: readonly (readonly [ip: string, what: string])[];
	/** Which objects have session affinity. */
	readonly sticky: "none" | "some" | "all";
	/** Which frontends have a redirect before them, besides those of policies; "alone": some, in their place. */
	readonly redirected: "none" | "some" | "all" | "alone";
	/** Of these redirects. */
	readonly limit: number;
	/** Before the write. */
	readonly first: "go on" | "restart" | "resync";
	readonly synced: boolean;
	/** Killed at this element. */
	readonly crashAt: number | undefined;
	/** The share of elements that fail. */
	readonly probability: number;
}

const known = fc.tuple(
	fc.constantFrom("10.96.0.1", "10.96.0.2", "192.168.9.1", "fd00:9::1", "127.0.0.1"),
	fc.constantFrom("", "cluster-ip", "own 0.0.0.1", "remote 0.0.0.2", "remote 100::1", "host 0.0.0.1"),
);
const step: fc.Arbitrary<Step> = fc.record({
	edits: fc.array(edit, { maxLength: 3 }),
	known: fc.array(known, { maxLength: 2 }),
	sticky: fc.constantFrom("none", "none", "some", "all"),
	redirected: fc.constantFrom("none", "none", "none", "some", "all", "alone"),
	limit: fc.constantFrom(0, 0, 10, 500),
	first: fc.constantFrom("go on", "go on", "go on", "restart", "resync"),
	synced: fc.constantFrom(true, true, true, false),
	crashAt: fc.option(fc.integer({ min: 1, max: 40 }), { freq: 4, nil: undefined }),
	probability: fc.constantFrom(0, 0, 0.1, 0.1, 0.6),
});
/** With so many hubs. */
interface Story {
	readonly hubs: number;
	readonly steps: readonly Step[];
}
const story: fc.Arbitrary<Story> = fc.record({
	hubs: fc.constantFrom(1, 2, 2, 3),
	steps: fc.array(step, { minLength: 1, maxLength: 14 }),
});
const seed = fc.integer({ min: 1, max: 0x7fff_ffff });
/** Ids and slots that are likely to be in use, and some that cannot be. */
const number = fc.oneof(
	{ weight: 9, arbitrary: fc.integer({ min: 0, max: 20 }) },
	{ weight: 1, arbitrary: fc.constant(0xffff_ffff) },
);
const id = number.map(encodeId);
const address = fc.constantFrom("10.96.0.1:80/TCP", "10.244.0.1:8080/TCP", "10.96.9.9:1/UDP").map(mustParse);
const bytes = (length: number) =>
	fc
		.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
		.map((codes) => String.fromCharCode(...codes));
const frontendKey = fc.oneof(
	{ weight: 4, arbitrary: address.map(encodeFrontendKey) },
	{ weight: 2, arbitrary: address.map((each) => withRule(encodeFrontendKey(each), 1)) },
	{ weight: 1, arbitrary: bytes(20) },
);
const frontend = fc
	.record({
		id: number,
		slotBase: number,
		active: number,
		members: number,
		generation: number,
		flags: fc.integer({ min: 0, max: 0xffff }),
		affinity: fc.constantFrom("", "0123456789abcdef"),
		affinitySeconds: fc.constantFrom(0, 10_800),
		guard: fc.constantFrom("", "fedcba9876543210"),
		limit: fc.constantFrom(0, 100),
	})
	.chain((value) => frontendKey.map((key) => ({ map: "frontends" as const, key, value: encodeFrontend(key, value) })));
const garbage: fc.Arbitrary<readonly { map: MapName; key: string; value: string }[]> = fc.array(
	fc.oneof(
		frontend,
		fc.record({
			map: fc.constant("slots" as const),
			key: id,
			value: fc.tuple(number, number).map(([a, b]) => encodeSlot(a, b)),
		}),
		fc.record({
			map: fc.constant("backends" as const),
			key: id,
			value: fc.oneof(address.map(encodeBackend), bytes(24)),
		}),
		fc.record({ map: fc.constant("names" as const), key: id, value: fc.constant(encodeName("demo/garbage:http")) }),
	),
	{ maxLength: 12 },
);
const SELF = selfOf(NODE);
/** A frontend with weights may have a thousand slots. */
const AMPLE = { frontends: 200, backends: 200, slots: 20_000, addresses: 100 };
const SCARCE = { frontends: 6, backends: 7, slots: 14, addresses: 100 };

test("write() converges to the last plan, and no intermediate state misleads anyone", () => {
	const property = fc.property(story, seed, (history, number) => {
		const world = createHistory({ capacity: AMPLE, random: seededRandom(number), allowed: "since-complete" });
		const last = live(world, history);
		world.settle(last);
		demandExactly(world.maps, last);
	});
	checkProperty("histories", property, 400);
}, 120_000);

test("write() keeps ids over a restart", () => {
	const property = fc.property(story, fc.array(edit, { maxLength: 3 }), seed, (history, more, number) => {
		const world = createHistory({ capacity: AMPLE, random: seededRandom(number), allowed: "since-complete" });
		const plan = live(world, history);
		world.settle(plan);
		world.restart();
		demandNoChange(world.settle(plan));
		const before = idsOf(world);
		world.restart();
		world.settle(planFresh(applyEdits(hubsOf(history), more), SELF));
		for (const [address, id] of idsOf(world))
			if ((before.get(address) ?? id) !== id) throw new Error(`${address} had id ${before.get(address)}, now ${id}`);
	});
	checkProperty("ids over a restart", property, 150);
}, 120_000);

test("write() misleads nobody where room is short, and uses room as soon as there is some", () => {
	const property = fc.property(story, seed, (history, number) => {
		const world = createHistory({ capacity: SCARCE, random: seededRandom(number), allowed: "any" });
		live(world, history);
		const small = planFresh(emptyHubs(history.hubs), SELF);
		world.settle(small);
		demandExactly(world.maps, small);
		// All room is free again after its rest: the next plan fits if it fits into empty maps.
		for (let round = 0; round < 3; round++) world.write(small, { synced: true, probability: 0 });
		const plan = planFresh(hubsOf(history), SELF);
		const other = createHistory({ capacity: SCARCE, random: seededRandom(number), allowed: "any" });
		const [here, there] = [world, other].map((place) => place.write(plan, { synced: true, probability: 0 }));
		if (JSON.stringify(here?.problems) !== JSON.stringify(there?.problems))
			throw new Error(`Room was lost: ${JSON.stringify([here?.problems, there?.problems])}`);
		if (here?.problems.length === 0) demandExactly(world.maps, plan);
	});
	checkProperty("scarce room", property, 300);
}, 120_000);

test("write() makes order of whatever stands in the maps", () => {
	const property = fc.property(
		garbage,
		story,
		fc.boolean(),
		fc.boolean(),
		(elements, history, unsyncedFirst, killed) => {
			const world = createHistory({ capacity: AMPLE, random: seededRandom(1), allowed: "unknown" });
			live(world, history);
			for (const { map, key, value } of elements) world.maps.put(map, new Map([[key, value]]));
			if (killed) world.restart();
			else world.resync();
			const plan = planFresh(hubsOf(history), SELF);
			if (unsyncedFirst) world.write(plan, { synced: false, probability: 0 });
			world.settle(plan);
			demandExactly(world.maps, plan);
		},
	);
	checkProperty("garbage", property, 300);
}, 120_000);

/** The plan of the last step. */
function live(world: History, history: Story): Plan {
	const planner = createPlanner();
	let hubs = emptyHubs(history.hubs);
	let plan = planner(hubs, SELF);
	let written = plan;
	const addresses = new Map<string, string>();
	for (const { edits, known, sticky, redirected, limit, first, synced, crashAt, probability } of history.steps) {
		if (first === "restart") world.restart();
		if (first === "resync") world.resync();
		hubs = applyEdits(hubs, edits);
		const next = planner(hubs, SELF);
		demandSamePlan(next, planFresh(hubs, SELF));
		if (edits.length === 0 && next !== plan) throw new Error("Nothing changed, and the plan is not the identical one");
		plan = next;
		learn(addresses, known, plan);
		written = disguise(plan, addresses, { sticky, redirected, limit });
		world.write(written, { synced, probability, crashAt });
	}
	return written;
}

/** The plan with what no object there is asks for. */
function disguise(
	plan: Plan,
	addresses: ReadonlyMap<string, string>,
	{ sticky, redirected, limit }: Pick<Step, "sticky" | "redirected" | "limit">,
): Plan {
	let next = withSlotsOf(plan, MOST_SLOTS);
	if (addresses.size > 0) next = withAddresses(next, Object.fromEntries(addresses));
	if (sticky !== "none") next = withAffinity(next, (object) => sticky === "all" || object.length % 2 === 0);
	if (redirected === "none") return next;
	return withRedirects(next, (address) => localOf(address, redirected), { limit, isAlone: redirected === "alone" });
}

/** On the way, where everything is looked at after each element. */
const MOST_SLOTS = 24;

const LOCAL = { TCP: mustParse("10.244.9.1:8080/TCP"), UDP: mustParse("10.244.9.1:5353/UDP") };

function localOf(address: L4Address, redirected: Step["redirected"]): L4Address | undefined {
	const { port, protocol } = l4Parts(address);
	return redirected === "all" || port < 100 ? LOCAL[protocol] : undefined;
}

function learn(addresses: Map<string, string>, known: Step["known"], plan: Plan): void {
	for (const [ip, what] of known) {
		if (what === "" || plan.addresses.has(mustParseIp(ip))) addresses.delete(ip);
		else addresses.set(ip, what);
	}
}

function mustParseIp(text: string): Ip {
	const ip = parseIp(text);
	if (ip === undefined) throw new Error(`Not an address: ${text}`);
	return ip;
}

function mustParse(text: string): L4Address {
	const parsed = parseL4Address(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

function hubsOf({ hubs, steps }: Story) {
	return steps.reduce((all, { edits }) => applyEdits(all, edits), emptyHubs(hubs));
}

function demandSamePlan(remembered: Plan, fresh: Plan): void {
	const [a, b] = [remembered, fresh].map((plan) => JSON.stringify([planToJson(plan), [...plan.chunks.keys()].sort()]));
	if (a !== b) throw new Error(`The planner remembers\n${a}\nbut a fresh plan is\n${b}`);
}

function demandNoChange({ changes, failures }: Written): void {
	const sum = Object.values(changes).reduce((total, { puts, deletes }) => total + puts + deletes, 0);
	if (sum + failures.length > 0) throw new Error(`The same plan after a restart changed ${JSON.stringify(changes)}`);
}

/** By address, of frontends and of backends. */
function idsOf(world: History): ReadonlyMap<string, number> {
	const memory = readMemory(world.maps);
	return new Map([
		...memory.frontends.map(({ layer, id }) => [`frontend ${layer}`, id] as const),
		...backendIds(memory),
	]);
}
