// Who goes past redirects, because it is their own backend: kept in a pinned map, group by group.

import { Buffer } from "node:buffer";
import type { Failure } from "./apply.ts";
import { GROUP_SIZE, guardBytesOf } from "./codec.ts";
import type { ReadonlyElements } from "./elements.ts";
import { ENUMS, GUARD_NUMBERS, offsetOf, sizeOf } from "./layout.ts";
import type { Maps } from "./maps.ts";
import { groupOf } from "./traits.ts";

/**
 * By what programs know a caller: a cgroup v2 with all that is below it, by its id (the inode of its folder) and its level (the root's is
 * 0), or its network namespace, by its cookie (SO_NETNS_COOKIE).
 */
export type Identity =
	| { readonly kind: "cgroup"; readonly id: bigint; readonly level: number }
	| { readonly kind: "netns"; readonly cookie: bigint };

/** By the name of the group, as Redirect.guard has it. */
export type WantedGuards = ReadonlyMap<string, readonly Identity[]>;

export interface Guards {
	/** To be called before frontends are written: whoever is wanted is there then, nobody goes. Returns who could not be added. */
	add(wanted: WantedGuards): readonly Failure[];
	/**
	 * To be called after frontends were written: who is not wanted goes, with groups that are not. A group of which nothing is wanted stays as long as
	 * one of these frontends, the kernel's, has it: its hub may not be read yet. Returns who could not be taken away.
	 */
	prune(wanted: WantedGuards, frontends: ReadonlyElements): readonly Failure[];
	/** Reads the map back: others may have written there. */
	resync(): void;
}

export interface GuardsOptions {
	readonly maps: Maps;
	/** Tells the programs at which levels there are cgroups: a bit for each. */
	readonly setLevels: (levels: number) => void;
}

const ERANGE = -34;

const KEY_SIZE = sizeOf("guard_key");
const IDENTITY = offsetOf("guard_key", "identity");
const KIND = offsetOf("guard_key", "kind");
const { GUARD_CGROUP, GUARD_NETNS } = ENUMS.guard_kind;

/** Goes on from what the map holds, and tells the programs its levels at once. */
export function createGuards({ maps, setLevels }: GuardsOptions): Guards {
	let actual = new Map(maps.dump("guards"));
	setLevels(levelsOf(actual));

	function add(wanted: WantedGuards): readonly Failure[] {
		const { entries, failures } = encodeAll(wanted);
		const puts = new Map([...entries].filter(([key, value]) => actual.get(key) !== value));
		if (puts.size === 0) return failures;
		// Before there is anything to find: a level too many costs time, no guard.
		setLevels((levelsOf(actual) | levelsOf(puts)) >>> 0);
		const failed = maps.put("guards", puts);
		for (const { key } of failed) puts.delete(key);
		for (const [key, value] of puts) actual.set(key, value);
		return [...failures, ...failed.map(({ key, errno }) => failureOf("put", key, errno))];
	}

	function prune(wanted: WantedGuards, frontends: ReadonlyElements): readonly Failure[] {
		const { entries } = encodeAll(wanted);
		const groups = new Set([...wanted.keys()].map(groupBytes));
		const unwanted = [...actual.keys()].filter((key) => !entries.has(key));
		const isOrphan = (key: string) => !groups.has(groupIn(key));
		const kept = unwanted.some(isOrphan) ? groupsOf(frontends) : groups;
		const gone = new Set(unwanted.filter((key) => !(isOrphan(key) && kept.has(groupIn(key)))));
		if (gone.size === 0) return [];
		const failed = maps.delete("guards", gone);
		for (const { key } of failed) gone.delete(key);
		for (const key of gone) actual.delete(key);
		setLevels(levelsOf(actual));
		return failed.map(({ key, errno }) => failureOf("delete", key, errno));
	}

	return {
		add,
		prune,
		resync() {
			actual = new Map(maps.dump("guards"));
			setLevels(levelsOf(actual));
		},
	};
}

/** One element of the map, readable. */
export function describeGuard(key: string, value: string): Readonly<Record<string, string | number>> {
	const bytes = Buffer.from(key, "latin1");
	const isNetns = bytes.readUInt32LE(KIND) === GUARD_NETNS;
	return {
		guard: Buffer.from(groupIn(key), "latin1").toString("hex"),
		kind: isNetns ? "netns" : "cgroup",
		identity: String(bytes.readBigUInt64LE(IDENTITY)),
		...(isNetns ? {} : { level: levelOf(value) }),
	};
}

function encodeAll(wanted: WantedGuards): {
	readonly entries: ReadonlyMap<string, string>;
	readonly failures: readonly Failure[];
} {
	const entries = new Map<string, string>();
	const failures: Failure[] = [];
	for (const [name, identities] of wanted) {
		const group = groupBytes(name);
		for (const identity of identities) {
			const key = encodeKey(group, identity);
			const level = identity.kind === "cgroup" ? identity.level : 0;
			if (level < GUARD_NUMBERS.LEVELS) entries.set(key, encodeLevel(level));
			else failures.push(failureOf("put", key, ERANGE));
		}
	}
	return { entries, failures };
}

function encodeKey(group: string, identity: Identity): string {
	const bytes = Buffer.alloc(KEY_SIZE);
	bytes.write(group, 0, "latin1");
	bytes.writeBigUInt64LE(identity.kind === "cgroup" ? identity.id : identity.cookie, IDENTITY);
	bytes.writeUInt32LE(identity.kind === "cgroup" ? GUARD_CGROUP : GUARD_NETNS, KIND);
	return bytes.toString("latin1");
}

function encodeLevel(level: number): string {
	const bytes = Buffer.alloc(sizeOf("guard"));
	bytes.writeUInt32LE(level, offsetOf("guard", "level"));
	return bytes.toString("latin1");
}

function levelOf(value: string): number {
	return Buffer.from(value, "latin1").readUInt32LE(offsetOf("guard", "level"));
}

function levelsOf(entries: ReadonlyMap<string, string>): number {
	let levels = 0;
	for (const [key, value] of entries) if (isCgroup(key)) levels |= 1 << levelOf(value);
	return levels >>> 0;
}

function isCgroup(key: string): boolean {
	return key.charCodeAt(KIND) === GUARD_CGROUP;
}

function groupBytes(name: string): string {
	return Buffer.from(groupOf(name), "hex").toString("latin1");
}

/** struct guard_key begins with the group. */
function groupIn(key: string): string {
	return key.slice(0, GROUP_SIZE);
}

function groupsOf(frontends: ReadonlyElements): ReadonlySet<string> {
	const groups = new Set<string>();
	for (const [, value] of frontends) groups.add(guardBytesOf(value));
	return groups;
}

function failureOf(verb: Failure["verb"], key: string, errno: number): Failure {
	return { map: "guards", verb, key, errno };
}
