// The structs of bpf/types.h as tables of C type names; layout.test.ts compares them with the built object's BTF.

/** Name, C type, and the length if it is an array. */
type Field = readonly [name: string, type: string, length?: number];

const ADDRESS = "struct address";

export const STRUCTS = {
	address: [["word", "__be32", 4]],
	frontend_key: [
		["address", ADDRESS],
		["port", "__be16"],
		["protocol", "__u8"],
		["rule", "__u8"],
	],
	frontend: [
		["key", "struct frontend_key"],
		["id", "__u32"],
		["affinity", "__u64"],
		["slot_base", "__u32"],
		["active", "__u32"],
		["members", "__u32"],
		["generation", "__u32"],
		["flags", "__u32"],
		["affinity_seconds", "__u32"],
		["guard", "__u64"],
		["limit", "__u32"],
		["pad", "__u32"],
	],
	guard_key: [
		["group", "__u64"],
		["identity", "__u64"],
		["kind", "__u32"],
		["pad", "__u32"],
	],
	guard: [["level", "__u32"]],
	known_address: [
		["address", ADDRESS],
		["node_ports", ADDRESS],
		["flags", "__u32"],
	],
	affinity_key: [
		["group", "__u64"],
		["client", "__u64"],
		["identity", "__u32"],
		["pad", "__u32"],
	],
	affinity: [
		["backend_address", ADDRESS],
		["backend_port", "__be16"],
		["pad", "__u8", 2],
		["backend_id", "__u32"],
		["used", "__u64"],
	],
	slot: [
		["backend_id", "__u32"],
		["owner", "__u32"],
	],
	backend: [
		["address", ADDRESS],
		["port", "__be16"],
		["protocol", "__u8"],
		["pad", "__u8"],
		["pad2", "__u32"],
	],
	frontend_stats: [
		["resolved", "__u64"],
		["refused", "__u64"],
	],
	backend_stats: [
		["connections", "__u64"],
		["opened", "__u64"],
		["closed", "__u64"],
	],
	frontend_name: [["text", "char", 160]],
	flow: [
		["frontend_address", ADDRESS],
		["backend_address", ADDRESS],
		["frontend_port", "__be16"],
		["backend_port", "__be16"],
		["frontend_id", "__u32"],
		["backend_id", "__u32"],
		["generation", "__u32"],
		["flags", "__u32"],
		["reported", "__u32"],
	],
	stale_socket: [
		["cookie", "__u64"],
		["flow", "struct flow"],
	],
	flows: [
		["flow", "struct flow", 8],
		["next", "__u32"],
		["last", "__u32"],
	],
	own_way: [
		["until", "__u64"],
		["tgid", "__u32"],
		["asking", "__be32"],
	],
	own_trace: [
		["met", "__u64"],
		["time", "__u64"],
		["tgid", "__u32"],
		["key", "struct frontend_key"],
	],
	event: [
		["time", "__u64"],
		["cgroup_id", "__u64"],
		["netns_cookie", "__u64"],
		["pid", "__u32"],
		["tid", "__u32"],
		["uid", "__u32"],
		["frontend_id", "__u32"],
		["backend_id", "__u32"],
		["frontend_port", "__be16"],
		["backend_port", "__be16"],
		["frontend_address", ADDRESS],
		["backend_address", ADDRESS],
		["protocol", "__u8"],
		["result", "__u8"],
		["mode", "__u8"],
		["redirect_hit_limit", "__u8"],
		["pad", "__u8", 4],
		["comm", "char", 16],
	],
} as const satisfies Record<string, readonly Field[]>;

export const ENUMS = {
	fault: {
		FAULT_NONE: 0,
		FAULT_SLOT: 1,
		FAULT_STORAGE: 2,
		FAULT_EVENT_FULL: 3,
		FAULT_EVENT_RATE: 4,
		FAULT_MAX: 5,
	},
	refusal: { REFUSAL_UNKNOWN_PORT: 0, REFUSAL_MAX: 1 },
	events_mode: { EVENTS_OFF: 0, EVENTS_FAILURES: 1, EVENTS_ALL: 2 },
	event_result: { EVENT_RESOLVED: 1, EVENT_REFUSED: 2, EVENT_UNKNOWN_PORT: 3 },
	guard_kind: { GUARD_CGROUP: 0, GUARD_NETNS: 1 },
	client_identity: { CLIENT_NETNS: 0, CLIENT_CGROUP: 1, CLIENT_UID: 2, CLIENT_PROCESS: 3 },
	frontend_mode: {
		MODE_CLUSTER_IP: 0,
		MODE_NODE_PORT: 1,
		MODE_LOAD_BALANCER: 2,
		MODE_EXTERNAL_IP: 3,
		MODE_CANARY: 4,
		MODE_REDIRECT_SERVICE: 5,
		MODE_REDIRECT_ADDRESS: 6,
		MODE_BALANCING_POD: 7,
		MODE_BALANCING_HOST_PORT: 8,
		MODE_BALANCING_NODE_PROXY: 9,
		MODE_BALANCING_ADDRESS: 10,
	},
} as const;

/** The bits of `flags` in struct frontend. */
export const FRONTEND_FLAGS = { KEEPS_PEER: 1, OWN_NODE_ONLY: 1 << 1, CLOSES_TCP: 1 << 4, KEEPS_UDP: 1 << 5 } as const;
/** The numbers in `flags` of struct frontend: enum client_identity, enum frontend_mode. */
export const FRONTEND_NUMBERS = { CLIENT_SHIFT: 2, CLIENT_MASK: 3, MODE_SHIFT: 8, MODE_MASK: 15 } as const;
/** Who has an address: by `rule` in struct frontend_key. */
export const RULE_NUMBERS = { FIRST: 0, NEXT: 1 } as const;
/** Levels of cgroups that programs look for guards at. */
export const GUARD_NUMBERS = { LEVELS: 32 } as const;
/** Bits of the hash of an address that address_filter is indexed by. */
export const ADDRESS_NUMBERS = { HASH_BITS: 18 } as const;
/** The bits of `flags` in struct known_address. */
export const ADDRESS_FLAGS = { CLUSTER_IP: 1, OWN_NODE: 1 << 1, REMOTE_NODE: 1 << 2, HOST_NETNS: 1 << 3 } as const;
/** The bits of `flags` in struct flow. */
export const FLOW_FLAGS = { CLOSES_TCP: 1, KEEPS_UDP: 1 << 1, TCP: 1 << 2 } as const;

export type StructName = keyof typeof STRUCTS;
export type FieldName<S extends StructName> = (typeof STRUCTS)[S][number][0];

/** Where a field lies; offset and size in bytes. */
export interface FieldLayout {
	readonly type: string;
	readonly offset: number;
	readonly size: number;
}

/** A struct as C lays it out on a little-endian machine; sizes in bytes. */
export interface StructLayout {
	readonly size: number;
	readonly alignment: number;
	readonly fields: ReadonlyMap<string, FieldLayout>;
}

const SCALARS: Readonly<Record<string, number>> = {
	char: 1,
	__u8: 1,
	__u16: 2,
	__be16: 2,
	__u32: 4,
	__be32: 4,
	__u64: 8,
};

/** The layout of a struct by C's rules: each field at the next multiple of its alignment, the end rounded up. */
export function layoutOf(struct: StructName): StructLayout {
	const fields = new Map<string, FieldLayout>();
	let end = 0;
	let alignment = 1;
	for (const [name, type, length] of fieldsOf(struct)) {
		const element = elementOf(type);
		const size = element.size * (length ?? 1);
		const offset = roundUp(end, element.alignment);
		fields.set(name, { type, offset, size });
		end = offset + size;
		alignment = Math.max(alignment, element.alignment);
	}
	return { size: roundUp(end, alignment), alignment, fields };
}

/** In bytes from the start of the struct. */
export function offsetOf<S extends StructName>(struct: S, field: FieldName<S>): number {
	const found = layoutOf(struct).fields.get(field);
	if (found === undefined) throw new Error(`Cannot find field ${field} in struct ${struct}`);
	return found.offset;
}

/** In bytes. */
export function sizeOf(struct: StructName): number {
	return layoutOf(struct).size;
}

function fieldsOf(struct: StructName): readonly Field[] {
	return STRUCTS[struct];
}

function elementOf(type: string): { readonly size: number; readonly alignment: number } {
	const scalar = SCALARS[type];
	if (scalar !== undefined) return { size: scalar, alignment: scalar };
	const name = type.replace(/^struct /, "");
	if (!isStructName(name)) throw new Error(`Cannot lay out type ${type}: not in the table`);
	return layoutOf(name);
}

function isStructName(name: string): name is StructName {
	return Object.hasOwn(STRUCTS, name);
}

function roundUp(offset: number, alignment: number): number {
	return Math.ceil(offset / alignment) * alignment;
}
