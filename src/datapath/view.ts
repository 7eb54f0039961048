// The maps as people and scripts read them: frontends with their backends, backends with their frontends.

import { Buffer } from "node:buffer";
import type { Ip, L4Address } from "../model/address.ts";
import { l4Parts } from "../model/address.ts";
import { CANARY } from "../plan/canary.ts";
import type { FrontendMode } from "../plan/plan_types.ts";
import {
	decodeBackend,
	decodeFrontend,
	decodeFrontendKey,
	decodeId,
	decodeName,
	decodeSlot,
	encodeFrontendKey,
	encodeId,
	type FrontendValue,
	ruleOf,
} from "./codec.ts";
import type { ReadonlyElements } from "./elements.ts";
import { offsetOf, RULE_NUMBERS } from "./layout.ts";
import type { Maps } from "./maps.ts";
import { isRedirect } from "./references.ts";
import { traitsOf } from "./traits.ts";

export interface BackendRef {
	readonly id: number;
	/** Null if the map has no such backend: a fault. */
	readonly address: L4Address | null;
	/** `terminating`: keeps the UDP flows it has. */
	readonly state: "active" | "terminating";
	/** How many new connections it gets, against the others; 0 if it is terminating. */
	readonly weight: number;
}

export interface FrontendView {
	readonly address: L4Address;
	/** `namespace/name:port`. */
	readonly name: string;
	/** What kind of address it is. */
	readonly mode: FrontendMode;
	readonly id: number;
	/** Another, greater number with each new set of backends. */
	readonly generation: number;
	/** TCP sockets remember the frontend. */
	readonly keepsPeer: boolean;
	/** Of a redirect: connections in a second, 0 for any number; null if it is none. */
	readonly limit: number | null;
	/** It has the address only for those who go past the redirect there. */
	readonly isNext: boolean;
	readonly backends: readonly BackendRef[];
	/** Connections and UDP flows that were given a backend, since the frontend got its id. */
	readonly resolved: number;
	/** Those that were refused for want of one. */
	readonly refused: number;
}

export interface BackendView {
	readonly address: L4Address;
	readonly id: number;
	readonly state: "active" | "terminating" | "unused";
	/** Names of the frontends that lead here. */
	readonly frontends: readonly string[];
	/** Connections and UDP flows given to it, since it got its id. */
	readonly connections: number;
	/** Those of them that are open, as far as per-socket state is kept. */
	readonly open: number;
}

function numberAt(bytes: string | undefined, offset: number): number {
	if (bytes === undefined) return 0;
	return Number(Buffer.from(bytes, "latin1").readBigUInt64LE(offset));
}

function compare(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

const RESOLVED = offsetOf("frontend_stats", "resolved");
const REFUSED = offsetOf("frontend_stats", "refused");
const CONNECTIONS = offsetOf("backend_stats", "connections");
const OPENED = offsetOf("backend_stats", "opened");
const CLOSED = offsetOf("backend_stats", "closed");

/** What one slot says. */
type SlotRef = Omit<BackendRef, "weight">;

/** The slots of a frontend, as far as they are there. */
function* slotsOf(frontend: FrontendValue, slots: ReadonlyElements, backends: ReadonlyElements): Iterable<SlotRef> {
	const { slotBase, active, members } = frontend;
	// No more than there are, whatever a damaged element says.
	for (let index = 0; index < Math.min(members, slots.size); index++) {
		const slot = slots.get(encodeId(slotBase + index));
		if (slot === undefined) continue;
		const id = decodeSlot(slot).backendId;
		const backend = backends.get(encodeId(id));
		const address = backend === undefined ? undefined : decodeBackend(backend);
		yield { id, address: address ?? null, state: index < active ? "active" : "terminating" };
	}
}

/** Each backend once: what repeats stands side by side, since both runs are sorted. */
function backendsOf(refs: Iterable<SlotRef>): readonly BackendRef[] {
	const found: BackendRef[] = [];
	for (const ref of refs) {
		const last = found.at(-1);
		const isSame = last?.id === ref.id && last.state === ref.state;
		if (isSame) found.pop();
		const weight = ref.state === "active" ? 1 : 0;
		found.push({ ...ref, weight: isSame ? last.weight + weight : weight });
	}
	return found;
}

/** Sorted by name, then address; a redirect before who is next. */
export function viewFrontends(maps: Maps): readonly FrontendView[] {
	const [names, slots, backends] = [frontendNames(maps), maps.dump("slots"), maps.dump("backends")];
	const stats = maps.dump("frontend_stats");
	const views: FrontendView[] = [];
	for (const [key, bytes] of maps.dump("frontends")) {
		const address = decodeFrontendKey(key);
		if (address === undefined) continue;
		const frontend = decodeFrontend(bytes);
		const { id, generation } = frontend;
		const { mode, keepsPeer } = traitsOf(frontend.flags);
		const isNext = ruleOf(key) === RULE_NUMBERS.NEXT;
		const counts = stats.get(encodeId(id));
		views.push({
			address,
			name: names.get(id) ?? "",
			mode,
			id,
			generation,
			keepsPeer,
			limit: isRedirect(bytes) ? frontend.limit : null,
			isNext,
			backends: backendsOf(slotsOf(frontend, slots, backends)),
			resolved: numberAt(counts, RESOLVED),
			refused: numberAt(counts, REFUSED),
		});
	}
	const order = (a: FrontendView, b: FrontendView) => Number(a.isNext) - Number(b.isNext);
	return views.sort((a, b) => compare(a.name, b.name) || compare(a.address, b.address) || order(a, b));
}

interface User {
	readonly names: Set<string>;
	active: boolean;
}

/** Which frontends lead to a backend, by its id. */
function usersOf(frontends: readonly FrontendView[]): ReadonlyMap<number, User> {
	const users = new Map<number, User>();
	for (const { name, backends } of frontends) {
		for (const { id, state } of backends) {
			const user = users.get(id) ?? { names: new Set(), active: false };
			user.names.add(name);
			user.active ||= state === "active";
			users.set(id, user);
		}
	}
	return users;
}

function stateOf(user: User | undefined): BackendView["state"] {
	if (!user) return "unused";
	return user.active ? "active" : "terminating";
}

/** Sorted by address. */
export function viewBackends(maps: Maps): readonly BackendView[] {
	const users = usersOf(viewFrontends(maps));
	const stats = maps.dump("backend_stats");
	const views: BackendView[] = [];
	for (const [key, bytes] of maps.dump("backends")) {
		const address = decodeBackend(bytes);
		if (address === undefined) continue;
		const id = decodeId(key);
		const user = users.get(id);
		const counts = stats.get(key);
		views.push({
			address,
			id,
			state: stateOf(user),
			frontends: [...(user?.names ?? [])].sort(compare),
			connections: numberAt(counts, CONNECTIONS),
			// Connections of an earlier owner of this id may end now: their ends are counted, their beginnings are not.
			open: Math.max(0, numberAt(counts, OPENED) - numberAt(counts, CLOSED)),
		});
	}
	return views.sort((a, b) => compare(a.address, b.address));
}

const CANARIES: readonly string[] = CANARY.frontends.map(({ address }) => encodeFrontendKey(address));

/** How many of the map's elements are frontends of users, not our own canaries. */
export function countFrontends(frontends: ReadonlyElements): number {
	return frontends.size - CANARIES.filter((key) => frontends.has(key)).length;
}

/** `namespace/name:port` of one of the frontends that each address has. */
export function addressNames(maps: Maps): ReadonlyMap<Ip, string> {
	const names = frontendNames(maps);
	const found = new Map<Ip, string>();
	for (const [key, value] of maps.dump("frontends")) {
		const address = decodeFrontendKey(key);
		const name = names.get(decodeFrontend(value).id);
		if (address !== undefined && name !== undefined) found.set(l4Parts(address).ip, name);
	}
	return found;
}

/** `namespace/name:port` by frontend id. */
export function frontendNames(maps: Maps): ReadonlyMap<number, string> {
	return new Map(Array.from(maps.dump("names"), ([key, value]) => [decodeId(key), decodeName(value)] as const));
}
