// Reads the types of an eBPF object from its .BTF section (Linux Documentation/bpf/btf.rst, include/uapi/linux/btf.h).

/** One member of a struct; offset in bytes. */
export interface BtfMember {
	readonly name: string;
	/** As C writes it, typedefs kept: `__be16`, `struct address`. */
	readonly type: string;
	/** The length of an array; undefined if it is none. */
	readonly length: number | undefined;
	readonly offset: number;
}

export interface BtfStruct {
	readonly size: number;
	readonly members: readonly BtfMember[];
}

export interface Btf {
	readonly structs: ReadonlyMap<string, BtfStruct>;
	readonly enums: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

interface Type {
	readonly name: string;
	readonly kind: number;
	readonly count: number;
	/** Size in bytes, or the id of the type that is referred to. */
	readonly sizeOrType: number;
	/** Where the data that follows the common part begins. */
	readonly data: number;
}

const KIND = { array: 3, struct: 4, union: 5, enum: 6, typedef: 8, funcProto: 13, datasec: 15 } as const;
/** Bytes that follow the common part, once and for each element: by kind; 0 where a kind is not here. */
const EXTRA: Readonly<Record<number, readonly [once: number, each: number]>> = {
	1: [4, 0],
	[KIND.array]: [12, 0],
	[KIND.struct]: [0, 12],
	[KIND.union]: [0, 12],
	[KIND.enum]: [0, 8],
	[KIND.funcProto]: [0, 8],
	14: [4, 0],
	[KIND.datasec]: [0, 12],
	17: [4, 0],
	19: [0, 12],
};

/** The BTF of a 64-bit little-endian ELF object. */
export function readBtf(object: Uint8Array): Btf {
	const section = findSection(view(object), ".BTF");
	if (section.getUint16(0, true) !== 0xeb9f) throw new Error("Cannot read .BTF: its magic number is not 0xeb9f");
	const types = readTypes(section);
	const structs = new Map<string, BtfStruct>();
	const enums = new Map<string, ReadonlyMap<string, number>>();
	for (const type of types) {
		if (type.kind === KIND.struct) structs.set(type.name, readStruct(section, types, type));
		if (type.kind === KIND.enum) enums.set(type.name, readEnum(section, type));
	}
	return { structs, enums };
}

function readTypes(section: DataView): readonly Type[] {
	const start = section.getUint32(4, true) + section.getUint32(8, true);
	const end = start + section.getUint32(12, true);
	// Type 0 is void.
	const types: Type[] = [{ name: "void", kind: 0, count: 0, sizeOrType: 0, data: 0 }];
	for (let at = start; at < end; ) {
		const info = section.getUint32(at + 4, true);
		const [kind, count] = [(info >>> 24) & 0x1f, info & 0xffff];
		const [once, each] = EXTRA[kind] ?? [0, 0];
		const name = nameAt(section, section.getUint32(at, true));
		types.push({ name, kind, count, sizeOrType: section.getUint32(at + 8, true), data: at + 12 });
		at += 12 + once + each * count;
	}
	return types;
}

function readStruct(section: DataView, types: readonly Type[], struct: Type): BtfStruct {
	const members: BtfMember[] = [];
	for (let index = 0; index < struct.count; index++) {
		const at = struct.data + index * 12;
		const member = typeAt(types, section.getUint32(at + 4, true));
		const isArray = member.kind === KIND.array;
		const element = isArray ? typeAt(types, section.getUint32(member.data, true)) : member;
		members.push({
			name: nameAt(section, section.getUint32(at, true)),
			type: element.kind === KIND.struct ? `struct ${element.name}` : element.name,
			length: isArray ? section.getUint32(member.data + 8, true) : undefined,
			// No bit fields here: the offset has the lower 24 bits in any case.
			offset: (section.getUint32(at + 8, true) & 0xffffff) / 8,
		});
	}
	return { size: struct.sizeOrType, members };
}

function readEnum(section: DataView, type: Type): ReadonlyMap<string, number> {
	const values = new Map<string, number>();
	for (let at = type.data; at < type.data + type.count * 8; at += 8)
		values.set(nameAt(section, section.getUint32(at, true)), section.getInt32(at + 4, true));
	return values;
}

function typeAt(types: readonly Type[], id: number): Type {
	const type = types[id];
	if (type === undefined) throw new Error(`Cannot find type ${id} in .BTF`);
	return type;
}

function nameAt(section: DataView, offset: number): string {
	return textAt(section, section.getUint32(4, true) + section.getUint32(16, true) + offset);
}

function findSection(elf: DataView, wanted: string): DataView {
	const [headers, size] = [Number(elf.getBigUint64(0x28, true)), elf.getUint16(0x3a, true)];
	const start = (index: number) => Number(elf.getBigUint64(headers + index * size + 0x18, true));
	const names = start(elf.getUint16(0x3e, true));
	for (let index = 0; index < elf.getUint16(0x3c, true); index++) {
		const header = headers + index * size;
		if (textAt(elf, names + elf.getUint32(header, true)) !== wanted) continue;
		return new DataView(elf.buffer, elf.byteOffset + start(index), Number(elf.getBigUint64(header + 0x20, true)));
	}
	throw new Error(`Cannot find section ${wanted} in the object: was it compiled with -g?`);
}

function textAt(bytes: DataView, offset: number): string {
	let text = "";
	for (let at = offset; bytes.getUint8(at) !== 0; at++) text += String.fromCharCode(bytes.getUint8(at));
	return text;
}

function view(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
