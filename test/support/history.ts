// Lives through a random history of plans, faults, crashes and restarts, and looks at the maps after every element.

import type { Capacity } from "../../src/datapath/capacity.ts";
import type { ReadonlyElements } from "../../src/datapath/elements.ts";
import { Crash, createFaultyMaps } from "../../src/datapath/faulty_maps.ts";
import type { Maps, StatsName } from "../../src/datapath/maps.ts";
import { MAP_NAMES } from "../../src/datapath/maps.ts";
import { createMemoryMaps } from "../../src/datapath/memory_maps.ts";
import type { Writer, Written } from "../../src/datapath/writer.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import type { Ip } from "../../src/model/address.ts";
import { l4Parts, parseIp } from "../../src/model/address.ts";
import type { Frontend, Plan } from "../../src/plan/plan_types.ts";
import type { FrontendCopy, Memory } from "./program_view.ts";
import {
	backendIds,
	describeSet,
	describeTraits,
	follow,
	readBackend,
	readMemory,
	runsOf,
	u32Key,
} from "./program_view.ts";
import { wantedKnown, wantedTraits } from "./wanted.ts";

/** Rounds after which a program has certainly finished what it read at the beginning. */
const PATIENCE = 2;

export interface HistoryOptions {
	readonly capacity: Capacity;
	readonly random: () => number;
	/**
	 * Which plans a frontend's set may come from: those since the last complete round, or, where room is short, any.
	 * "unknown": nobody looks, because others have written in the maps.
	 */
	readonly allowed: "since-complete" | "any" | "unknown";
}

export interface WriteOptions {
	readonly synced: boolean;
	readonly probability: number;
	readonly crashAt?: number | undefined;
}

export interface History {
	readonly maps: Maps;
	/** Undefined: the process was killed, and a new one has started. */
	write(plan: Plan, options: WriteOptions): Written | undefined;
	/** Writes without faults until there is nothing more to do. */
	settle(plan: Plan): Written;
	restart(): void;
	resync(): void;
}

interface Reader {
	readonly frontend: FrontendCopy;
	/** Its backends when it was read. */
	readonly backends: ReadonlySet<string>;
	/** The last round in which it could be read. */
	readonly round: number;
}

interface World {
	readonly options: HistoryOptions;
	readonly maps: Maps;
	writer: Writer;
	/** What the writer writes through, made anew for each round. */
	current: Maps;
	starts: number;
	round: number;
	/** The sets that a program may find, by frontend address. */
	allowed: Map<string, Set<string>>;
	/** The sets, or NOBODY, that a program may find past a redirect, by address. */
	allowedPast: Map<string, Set<string>>;
	/** Frontends that a slow program may have in its hands, by their bytes. */
	readonly frontendReaders: Map<string, Reader>;
	/** Backend ids that a slow program may have in its hands. */
	readonly slotReaders: Map<string, Reader & { readonly backendId: number }>;
	/** The set of each address, id and generation that ever was: a UDP flow trusts it as long as its socket lives. */
	readonly generations: Map<string, string>;
	/** Whose each id was last, by map of counters and id. */
	readonly owners: Map<string, string>;
	/** Frontends that this process has only found in the maps, in none of its plans, with their backends: by address. */
	found: Map<string, string>;
	/** What was found must stay: not all hubs are synced. */
	keepsFound: boolean;
	/** The same of known addresses, with what is known of each. */
	foundAddresses: Map<string, string>;
	/** Found addresses that a plan had when there was no room for all their frontends: the writer still takes them for found. */
	lateAddresses: Set<string>;
	/** The plan that is being written. */
	plan: Plan | undefined;
	/** Slots before the last element was written. */
	slots: ReadonlyElements;
	/** Known addresses before the last element was written. */
	addresses: ReadonlyMap<string, string>;
}

export function createHistory(options: HistoryOptions): History {
	const maps = createMemoryMaps(options.capacity);
	const world: World = {
		options,
		maps,
		current: maps,
		writer: createWriter({ maps, capacity: options.capacity, firstGeneration: 1 }),
		starts: 0,
		round: 0,
		allowed: new Map(),
		allowedPast: new Map(),
		frontendReaders: new Map(),
		slotReaders: new Map(),
		generations: new Map(),
		owners: new Map(),
		found: new Map(),
		keepsFound: false,
		foundAddresses: new Map(),
		lateAddresses: new Set(),
		plan: undefined,
		slots: new Map(),
		addresses: new Map(),
	};
	restart(world);
	return {
		maps,
		write: (plan, how) => write(world, plan, how),
		settle: (plan) => settle(world, plan),
		restart: () => restart(world),
		resync: () => world.writer.resync(),
	};
}

/** No program is between two look-ups for as long as a restart takes: readers do not outlive it. Sockets do. */
function restart(world: World): void {
	world.starts += 1;
	world.frontendReaders.clear();
	world.slotReaders.clear();
	if (world.options.allowed !== "unknown") {
		const memory = readMemory(world.maps);
		world.found = setsIn(memory);
		world.foundAddresses = new Map(memory.addresses);
		world.lateAddresses = new Set();
	}
	const through: Maps = {
		dump: (map) => world.current.dump(map),
		put: (map, entries) => world.current.put(map, entries),
		delete: (map, keys) => world.current.delete(map, keys),
	};
	const { capacity } = world.options;
	world.writer = createWriter({ maps: through, capacity, firstGeneration: world.starts * 1000 });
}

/** What a plan has is no longer merely found. */
function forgetFound({ options, found, foundAddresses, lateAddresses }: World, plan: Plan): void {
	for (const [address] of setsOf(plan)) found.delete(address);
	for (const ip of plan.addresses.keys())
		if (foundAddresses.delete(ip) && options.allowed === "any") lateAddresses.add(ip);
}

function write(world: World, plan: Plan, { synced, probability, crashAt }: WriteOptions): Written | undefined {
	world.round += 1;
	world.current = createFaultyMaps(world.maps, {
		random: world.options.random,
		probability,
		...(crashAt === undefined ? {} : { crashAt }),
		afterEach: () => look(world),
	});
	allowSets(world, plan);
	forgetFound(world, plan);
	world.plan = plan;
	world.keepsFound = !synced;
	try {
		const written = world.writer.write(plan, { synced });
		demandTruth(world);
		if (written.failures.length === 0) demandNoRest(world, plan);
		if (written.pending === 0 && written.problems.length === 0) complete(world, plan);
		return written;
	} catch (error) {
		if (!(error instanceof Crash)) throw error;
		restart(world);
		return undefined;
	} finally {
		countConnections(world);
	}
}

/** From now on only the sets of this plan may be found. */
function complete(world: World, plan: Plan): void {
	if (world.options.allowed !== "since-complete") return;
	world.allowed = new Map();
	world.allowedPast = new Map();
	allowSets(world, plan);
}

function allowSets({ options, allowed, allowedPast }: World, plan: Plan): void {
	for (const [address, set] of setsOf(plan)) allow(allowed, address, set);
	for (const [address, set] of pastOf(plan)) {
		allow(allowedPast, address, set);
		// A redirect that there is no room for is left out.
		if (options.allowed === "any" && set !== NOBODY) allow(allowed, address, set);
	}
}

/** What the writer believes is what the maps hold, whatever failed. */
function demandTruth({ options, maps, writer }: World): void {
	if (options.allowed === "unknown") return;
	for (const map of MAP_NAMES) {
		const [believed, real] = [writer.actual()[map], maps.dump(map)];
		const isSame = believed.size === real.size && [...real].every(([key, value]) => believed.get(key) === value);
		if (!isSame) throw new Error(`The writer is wrong about ${map}`);
	}
}

/** Whatever is neither in the plan nor kept goes at once, even while other hubs are not synced. */
function demandNoRest(world: World, plan: Plan): void {
	const { options, maps, found, foundAddresses, lateAddresses, keepsFound } = world;
	if (options.allowed === "unknown") return;
	const memory = readMemory(maps);
	const wanted = new Set<string>(setsOf(plan).map(([address]) => address));
	const kept = (map: ReadonlyMap<string, string>, key: string) => keepsFound && map.has(key);
	// Found behind a redirect that a plan has had since, and that there was no room for: nobody is led there.
	const isForgotten = (address: string) => keepsFound && options.allowed === "any" && address.endsWith(NEXT);
	for (const { address } of memory.frontends)
		if (!wanted.has(address) && !kept(found, address) && !isForgotten(address))
			throw new Error(`${address} is still there, and nobody wants it`);
	for (const ip of memory.addresses.keys())
		if (!plan.addresses.has(parsedIp(ip)) && !kept(foundAddresses, ip) && !(keepsFound && lateAddresses.has(ip)))
			throw new Error(`${ip} is still known, and nobody wants it`);
	demandGroups(maps, memory);
	const slots = new Set(
		memory.frontends.flatMap(({ base, members }) =>
			Array.from({ length: members }, (_, index) => u32Key(base + index)),
		),
	);
	const backends = new Set([...memory.slots].map(([, slot]) => slot.slice(0, 4)));
	// What stands before a redirect that is only found, and is wanted without it, is there by both rules.
	const ids = new Set(memory.frontends.map(({ id }) => id));
	const counts = [memory.names.size - ids.size, memory.slots.size - slots.size];
	const rest = [...counts, memory.backends.size - backends.size];
	if (rest.some((count) => count !== 0)) throw new Error(`Names, slots and backends too many: ${rest.join(", ")}`);
}

function demandGroups(maps: Maps, { frontends }: Memory): void {
	const groups = new Set(frontends.map(({ bytes }) => bytes.slice(24, 32)));
	for (const key of maps.dump("affinities").keys())
		if (!groups.has(key.slice(0, 8))) throw new Error("A client is remembered of a group that is no more");
	const limited = new Set(frontends.flatMap(({ id, limit }) => (limit > 0 ? u32Key(id) : [])));
	for (const key of maps.dump("redirect_windows").keys())
		if (!limited.has(key)) throw new Error("What a redirect took is remembered, and it has no limit any more");
}

function setsIn(memory: Memory): Map<string, string> {
	return new Map(memory.frontends.map((frontend) => [frontend.address, setIn(memory, frontend)]));
}

/** As setOf() has it. */
function setIn(memory: Memory, frontend: FrontendCopy): string {
	return (frontend.guard === 0n ? "" : REDIRECT) + describeSet(memory, frontend);
}

function settle(world: World, plan: Plan): Written {
	for (let rounds = 0; rounds < 10; rounds++) {
		const written = write(world, plan, { synced: true, probability: 0 });
		if (written !== undefined && !written.again && written.pending === 0) return written;
	}
	throw new Error("The maps did not settle in 10 rounds without faults");
}

/** Everything a program may come upon right now, be it quick or slow. */
function look(world: World): void {
	if (world.options.allowed === "unknown") return;
	const memory = readMemory(world.maps);
	for (const frontend of memory.frontends) lookAtFrontend(world, memory, frontend);
	lookPastRedirects(world, memory);
	for (const [key, reader] of world.frontendReaders) lookWithFrontend(world, memory, key, reader);
	for (const [key, reader] of world.slotReaders) {
		if (world.round - reader.round > PATIENCE) world.slotReaders.delete(key);
		else demandOwn(reader, readBackend(memory, reader.backendId), "a slot read before");
	}
	lookAtReferences(world, memory);
	lookAtCounters(world, memory);
	lookAtFound(world, memory);
	lookAtAddresses(world, memory);
}

/** A hub that is not read yet may want what was found: it stays, whole. */
function lookAtFound(world: World, memory: Memory): void {
	const now = setsIn(memory);
	for (const [address, set] of world.found) {
		if (now.get(address) === set) continue;
		if (world.keepsFound) throw new Error(`${address} led to ${set} when it was found, now to ${now.get(address)}`);
		if (!now.has(address)) world.found.delete(address);
	}
}

/** What was found stays; and nothing is refused for want of a frontend that is only not written yet. */
function lookAtAddresses(world: World, memory: Memory): void {
	const { foundAddresses, keepsFound, plan } = world;
	for (const [ip, known] of foundAddresses) {
		const now = memory.addresses.get(ip);
		if (now === known) continue;
		if (keepsFound) throw new Error(`${ip} was ${known} when it was found, and is ${now}`);
		foundAddresses.delete(ip);
	}
	if (plan !== undefined) demandFrontendsFirst(world, memory, plan);
	world.addresses = memory.addresses;
}

function demandFrontendsFirst({ addresses }: World, memory: Memory, plan: Plan): void {
	const there = new Set<string>(memory.frontends.map(({ address }) => address));
	for (const { address } of [...plan.chunks.values()].flatMap((chunk) => chunk.frontends)) {
		const { ip } = l4Parts(address);
		const isNew = memory.addresses.get(ip) === "cluster-ip" && addresses.get(ip) !== "cluster-ip";
		if (isNew && !there.has(address)) throw new Error(`${ip} refuses unknown ports before it has ${address}`);
	}
}

/** A quick program finds one whole set of an old or the new plan. */
function lookAtFrontend(world: World, memory: Memory, frontend: FrontendCopy): void {
	const set = setIn(memory, frontend);
	const allowed = world.allowed.get(frontend.address) ?? new Set();
	// Who is next is looked at below: without a redirect nobody is led there.
	if (!frontend.address.endsWith(NEXT) && !allowed.has(set))
		throw new Error(`${frontend.address} leads to ${set}, allowed: ${[...allowed].join(" or ")}`);
	for (const run of runsOf(memory, frontend))
		if (run.some((id, index) => index > 0 && id < (run[index - 1] ?? 0)))
			throw new Error(`${frontend.address} has a run that is not sorted by id: ${run.join(" ")}`);
	const generation = `${frontend.layer} id ${frontend.id} generation ${frontend.generation}`;
	const known = world.generations.get(generation) ?? set;
	if (known !== set) throw new Error(`${generation} meant ${known} and now means ${set}`);
	world.generations.set(generation, set);
	const backends = new Set(follow(memory, frontend).map((found) => found?.address ?? ""));
	world.frontendReaders.set(frontend.bytes, { frontend, backends, round: world.round });
}

/** A quick program that goes past a redirect finds who had or has the address without it. */
function lookPastRedirects(world: World, memory: Memory): void {
	const sets = setsIn(memory);
	for (const { address, guard } of memory.frontends) {
		if (guard === 0n || address.endsWith(NEXT)) continue;
		const allowed = world.allowedPast.get(address) ?? new Set();
		const set = sets.get(`${address}${NEXT}`) ?? NOBODY;
		// Where room is short anybody may be missing.
		if (allowed.has(set) || (set === NOBODY && world.options.allowed === "any")) continue;
		throw new Error(`Past the redirect of ${address} is ${set}, allowed: ${[...allowed].join(" or ")}`);
	}
}

/** A program that has read the frontend before finds its own backends or notices that they are gone. */
function lookWithFrontend(world: World, memory: Memory, key: string, reader: Reader): void {
	if (world.round - reader.round > PATIENCE) {
		world.frontendReaders.delete(key);
		return;
	}
	for (const found of follow(memory, reader.frontend)) {
		if (found === undefined) continue;
		demandOwn(reader, found.address, "a frontend read before");
		world.slotReaders.set(`${key} ${found.backendId}`, { ...reader, backendId: found.backendId, round: world.round });
	}
}

function demandOwn({ frontend, backends }: Reader, address: string | undefined, what: string): void {
	if (address !== undefined && !backends.has(address))
		throw new Error(`${what} of ${frontend.address} leads to ${address}, which it never had`);
}

/** Nothing dangles, and a slot is never edited: it is empty before it says something else. */
function lookAtReferences(world: World, memory: Memory): void {
	for (const { address, id } of memory.frontends)
		if (!memory.names.has(id)) throw new Error(`${address} has id ${id}, which has no name`);
	for (const [key, slot] of memory.slots) {
		if (!memory.backends.has(slot.slice(0, 4))) throw new Error("A slot refers to a backend that is not there");
		const before = world.slots.get(key) ?? slot;
		if (before !== slot) throw new Error("A slot was edited in place");
	}
	world.slots = memory.slots;
}

/** Counters begin at zero when an id is used for another address. */
function lookAtCounters(world: World, memory: Memory): void {
	for (const [address, id] of backendIds(memory)) lookAtOwner(world, "backend_stats", id, address);
	for (const { layer, id } of memory.frontends) lookAtOwner(world, "frontend_stats", id, layer);
}

function lookAtOwner(world: World, map: StatsName, id: number, address: string): void {
	const key = `${map} ${id}`;
	if (world.owners.get(key) === address) return;
	if (world.maps.dump(map).has(u32Key(id))) throw new Error(`${key} is not zero, and ${address} is new there`);
	world.owners.set(key, address);
}

/** Programs count something for every id there is, and remember a client of every group. */
function countConnections(world: World): void {
	for (const key of world.maps.dump("backends").keys())
		world.maps.put("backend_stats", new Map([[key, "\x01".padEnd(24, "\0")]]));
	if (world.options.allowed === "unknown") return;
	for (const { id, bytes, affinity, limit } of readMemory(world.maps).frontends) {
		world.maps.put("frontend_stats", new Map([[u32Key(id), "\x01".padEnd(16, "\0")]]));
		// struct affinity_key: the group, then a client.
		const client = `${bytes.slice(24, 32)}\x07`.padEnd(24, "\0");
		if (affinity !== 0n) world.maps.put("affinities", new Map([[client, "\x01".padEnd(32, "\0")]]));
		if (limit > 0) world.maps.put("redirect_windows", new Map([[u32Key(id), "\x01".padEnd(16, "\0")]]));
	}
}

/** Throws unless the maps hold the plan, the whole plan and nothing but the plan. */
export function demandExactly(maps: Maps, plan: Plan): void {
	const memory = readMemory(maps);
	const is = memory.frontends.map((frontend) => {
		const { address, id } = frontend;
		return `${address} ${memory.names.get(id)} ${describeTraits(frontend)} ${describeSet(memory, frontend)}`;
	});
	const frontends = elementsOf(plan);
	const should = frontends.map(
		([address, frontend]) => `${address} ${frontend.name} ${wantedTraits(frontend)} ${bareSetOf(frontend)}`,
	);
	const members = frontends.map(([, { active, terminating }]) => [...active, ...terminating]);
	const sizes = { frontends: frontends.length, slots: members.flat().length, backends: new Set(members.flat()).size };
	const found = { frontends: memory.names.size, slots: memory.slots.size, backends: memory.backends.size };
	const known = [...plan.addresses].map(([ip, what]) => `${ip} ${wantedKnown(what)}`);
	const [a, b] = [
		{ lines: is.sort(), known: [...memory.addresses].map((pair) => pair.join(" ")).sort(), sizes: found },
		{ lines: should.sort(), known: known.sort(), sizes },
	].map((side) => JSON.stringify(side, null, 1));
	if (a !== b) throw new Error(`The maps hold\n${a}\nbut the plan says\n${b}`);
}

function parsedIp(text: string): Ip {
	const ip = parseIp(text);
	if (ip === undefined) throw new Error(`Not an address: ${text}`);
	return ip;
}

/** A program finds it only past a redirect. */
const NEXT = " next";
const REDIRECT = "redirect ";
const NOBODY = "nobody";

/** What there is to be in the map of frontends, by address, with NEXT for who is next. */
function elementsOf(plan: Plan): readonly (readonly [address: string, frontend: Frontend])[] {
	return [...plan.chunks.values()].flatMap(({ frontends }) =>
		frontends.flatMap((frontend) => {
			const { address, redirect } = frontend;
			const own = [address, frontend] as const;
			return redirect?.next === undefined ? [own] : [own, [`${address}${NEXT}`, redirect.next] as const];
		}),
	);
}

function setsOf(plan: Plan): readonly (readonly [string, string])[] {
	return elementsOf(plan).map(([address, frontend]) => [address, setOf(frontend)] as const);
}

/** What there is without redirects. */
function pastOf(plan: Plan): readonly (readonly [string, string])[] {
	const frontends = [...plan.chunks.values()].flatMap((chunk) => chunk.frontends);
	return frontends.map((frontend) => {
		const { address, redirect } = frontend;
		const base = redirect === undefined ? frontend : redirect.next;
		return [address, base === undefined ? NOBODY : setOf(base)] as const;
	});
}

function setOf(frontend: Frontend): string {
	return (frontend.redirect === undefined ? "" : REDIRECT) + bareSetOf(frontend);
}

function bareSetOf({ active, terminating }: Frontend): string {
	return `${[...active].sort().join(" ")}|${[...terminating].sort().join(" ")}`;
}

function allow(allowed: Map<string, Set<string>>, address: string, set: string): void {
	const sets = allowed.get(address) ?? new Set();
	allowed.set(address, sets.add(set));
}
