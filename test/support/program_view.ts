// What an eBPF program reads in the maps, decoded on its own: nothing of src/datapath/layout.ts or codec.ts is used.

import type { ReadonlyElements } from "../../src/datapath/elements.ts";
import type { Maps } from "../../src/datapath/maps.ts";

/** A frontend as a program has copied it. */
export interface FrontendCopy {
	/** `10.96.0.1:80/TCP`; with ` next` behind it if it is found only past the redirect there. */
	readonly address: string;
	/** What its id stands for, whichever rule it is found by: the address, with ` redirect` behind it if it is one. */
	readonly layer: string;
	/** The value's bytes. */
	readonly bytes: string;
	readonly id: number;
	readonly base: number;
	readonly active: number;
	readonly members: number;
	readonly generation: number;
	readonly flags: number;
	/** Eight bytes. */
	readonly affinity: bigint;
	readonly affinitySeconds: number;
	/** Eight bytes; not zero: a redirect. */
	readonly guard: bigint;
	readonly limit: number;
}

/** What a program finds in one slot; undefined: a miss that it notices. */
export interface Found {
	readonly backendId: number;
	/** Undefined: a miss that it notices. */
	readonly address: string | undefined;
}

export interface Memory {
	readonly frontends: readonly FrontendCopy[];
	/** By frontend id. */
	readonly names: ReadonlyMap<number, string>;
	readonly slots: ReadonlyElements;
	readonly backends: ReadonlyElements;
	/** What is known of each address: `cluster-ip`, or `node at ADDRESS` and who it is for. */
	readonly addresses: ReadonlyMap<string, string>;
	/** `guard GROUP cgroup ID level LEVEL`, `guard GROUP netns COOKIE`. */
	readonly guards: readonly string[];
}

export function readMemory(maps: Maps): Memory {
	const names = new Map<number, string>();
	for (const [key, value] of maps.dump("names")) names.set(view(key).getUint32(0, true), value.replace(/\0+$/, ""));
	const frontends = [...maps.dump("frontends")].map(([key, value]) => readFrontend(key, value));
	const addresses = new Map([...maps.dump("addresses")].map(([key, value]) => [bareIp(key), readKnown(key, value)]));
	const guards = [...maps.dump("guards")].map(([key, value]) => readGuard(key, value));
	return { frontends, names, slots: maps.dump("slots"), backends: maps.dump("backends"), addresses, guards };
}

function readGuard(key: string, value: string): string {
	if (key.length !== 24 || value.length !== 4) throw new Error("A guard of another shape");
	const bytes = view(key);
	const [identity, kind] = [bytes.getBigUint64(8, true), bytes.getUint32(16, true)];
	if (kind > 1) throw new Error(`A guard of kind ${kind}`);
	const who = kind === 1 ? `netns ${identity}` : `cgroup ${identity} level ${view(value).getUint32(0, true)}`;
	return `guard ${bytes.getBigUint64(0).toString(16)} ${who}`;
}

/** The flags of a known address that programs may meet. */
const KNOWN = new Map([
	[1, "cluster-ip"],
	[2, "own"],
	[4, "remote"],
	[2 | 8, "host"],
]);

function readKnown(key: string, value: string): string {
	if (key.length !== 16 || value.length !== 36 || !value.startsWith(key))
		throw new Error("An address of another shape");
	const flags = view(value).getUint32(32, true);
	const known = KNOWN.get(flags) ?? `flags ${flags}`;
	const nodePorts = value.slice(16, 32);
	return nodePorts === "\0".repeat(16) ? known : `${known} node at ${bareIp(nodePorts)}`;
}

function bareIp(bytes: string): string {
	return readIp(view(bytes)).replace(/^\[|\]$/g, "");
}

/** One entry for each member, undefined where the slot is not the frontend's. */
export function follow(memory: Memory, frontend: FrontendCopy): readonly (Found | undefined)[] {
	return Array.from({ length: frontend.members }, (_, index) => {
		const slot = memory.slots.get(u32Key(frontend.base + index));
		if (slot === undefined || view(slot).getUint32(4, true) !== frontend.id) return undefined;
		const backendId = view(slot).getUint32(0, true);
		return { backendId, address: readBackend(memory, backendId) };
	});
}

/** Undefined if the element is zero. */
export function readBackend(memory: Memory, id: number): string | undefined {
	const bytes = memory.backends.get(u32Key(id));
	return bytes === undefined ? undefined : readAddress(bytes);
}

/** Id by address. */
export function backendIds({ backends }: Memory): readonly (readonly [address: string, id: number])[] {
	return [...backends].map(([key, value]) => [readAddress(value), view(key).getUint32(0, true)] as const);
}

/** `active|terminating`, each sorted and joined by spaces; `?` for each miss. */
export function describeSet(memory: Memory, frontend: FrontendCopy): string {
	const found = follow(memory, frontend).map((entry) => entry?.address ?? "?");
	const sorted = (part: string[]) => part.sort().join(" ");
	return `${sorted(found.slice(0, frontend.active))}|${sorted(found.slice(frontend.active))}`;
}

/** Flags in binary, the group of clients in hexadecimal digits and its seconds, the guard and the limit. */
export function describeTraits({ flags, affinity, affinitySeconds, guard, limit }: FrontendCopy): string {
	return `${flags.toString(2)} ${affinity.toString(16)} ${affinitySeconds} ${guard.toString(16)} ${limit}`;
}

/** Backend ids of the two runs, in the order of slots. */
export function runsOf(memory: Memory, frontend: FrontendCopy): readonly [readonly number[], readonly number[]] {
	const ids = follow(memory, frontend).map((entry) => entry?.backendId ?? 0);
	return [ids.slice(0, frontend.active), ids.slice(frontend.active)];
}

export function u32Key(value: number): string {
	const bytes = new DataView(new ArrayBuffer(4));
	bytes.setUint32(0, value, true);
	return String.fromCharCode(...new Uint8Array(bytes.buffer));
}

function readFrontend(key: string, value: string): FrontendCopy {
	if (key.length !== 20 || value.length !== 72 || !value.startsWith(key))
		throw new Error("A frontend of another shape");
	const bytes = view(value);
	const field = (index: number) => bytes.getUint32(32 + 4 * index, true);
	const address = readAddress(key);
	const guard = bytes.getBigUint64(56);
	return {
		address: address + readRule(key),
		layer: guard === 0n ? address : `${address} redirect`,
		bytes: value,
		id: bytes.getUint32(20, true),
		affinity: bytes.getBigUint64(24),
		base: field(0),
		active: field(1),
		members: field(2),
		generation: field(3),
		flags: field(4),
		affinitySeconds: field(5),
		guard,
		limit: bytes.getUint32(64, true),
	};
}

function readRule(key: string): string {
	const rule = view(key).getUint8(19);
	if (rule > 1) throw new Error(`Rule ${rule}`);
	return rule === 0 ? "" : " next";
}

/** Sixteen bytes of address, two of port, one of protocol. */
function readAddress(text: string): string {
	const bytes = view(text);
	const protocol = bytes.getUint8(18) === 6 ? "TCP" : "UDP";
	if (protocol === "UDP" && bytes.getUint8(18) !== 17) throw new Error(`Protocol ${bytes.getUint8(18)}`);
	return `${readIp(bytes)}:${bytes.getUint16(16, false)}/${protocol}`;
}

function readIp(bytes: DataView): string {
	const groups = Array.from({ length: 8 }, (_, index) => bytes.getUint16(index * 2, false));
	if (groups.slice(0, 6).join() === "0,0,0,0,0,65535")
		return [12, 13, 14, 15].map((at) => bytes.getUint8(at)).join(".");
	// The URL parser shortens IPv6 by its own code.
	return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]/`).hostname;
}

function view(text: string): DataView {
	return new DataView(Uint8Array.from(text, (char) => char.charCodeAt(0)).buffer);
}
