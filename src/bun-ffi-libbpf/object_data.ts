// The initial contents of an object's data: whole sections, and the variables in them.

import { BpfError, errnoNumber } from "./errors.ts";
import { check, cString, native, textOf } from "./native.ts";
import type { Stage } from "./object_stage.ts";

/** A global variable: `const volatile` ones are in .rodata. Known by the object's BTF (clang -g). */
export interface ObjectVariable {
	readonly name: string;
	readonly section: string;
	/** Bytes from the section's start. */
	readonly offset: number;
	/** Bytes. */
	readonly size: number;
	/** Before the load. A number is written in the machine's order; its range is that of the size, signed or not. */
	set(value: number | bigint | Uint8Array): void;
}

function initial(handle: bigint): Uint8Array<ArrayBuffer> {
	const size = native().bffi_map_initial(handle, new Uint8Array(1), 0);
	const bytes = new Uint8Array(size);
	if (size > 0) native().bffi_map_initial(handle, bytes, size);
	return bytes;
}

/** Replaces the bytes of a section, or lets `fields` change them in place. */
export function setSection(handle: bigint, section: string, fields: Uint8Array | ((view: DataView) => void)): void {
	const bytes = initial(handle);
	const action = `set ${section}`;
	if (fields instanceof Uint8Array) {
		if (fields.length !== bytes.length) {
			throw new BpfError({
				action,
				call: "bpf_map__set_initial_value",
				errno: errnoNumber("EINVAL"),
				hint: `it is ${bytes.length} bytes, not ${fields.length}`,
			});
		}
		bytes.set(fields);
	} else {
		fields(new DataView(bytes.buffer));
	}
	check(native().bffi_map_set_initial(handle, bytes, bytes.length), { action, call: "bpf_map__set_initial_value" });
}

/** The bytes of an integer; a RangeError if it does not fit. */
function integerBytes(name: string, value: number | bigint, size: number): Uint8Array {
	if (![1, 2, 4, 8].includes(size)) throw new RangeError(`${name} is ${size} bytes: give it bytes, not a number`);
	const wide = BigInt(value);
	const bits = BigInt(size * 8);
	if (wide >= 1n << bits || wide < -(1n << (bits - 1n)))
		throw new RangeError(`${value} does not fit ${name}, which is ${size} bytes`);
	const bytes = new Uint8Array(8);
	new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, wide), true);
	return bytes.subarray(0, size);
}

/** struct variable of native/object.c */
const VARIABLE_SIZE = 128;

export function sectionVariables(
	object: bigint,
	section: { readonly name: string; readonly map: bigint },
	stage: Stage,
): readonly ObjectVariable[] {
	const name = cString(section.name);
	const count = native().bffi_object_variables(object, name, new Uint8Array(1), 0);
	if (count === 0) return [];
	const table = new Uint8Array(count * VARIABLE_SIZE);
	native().bffi_object_variables(object, name, table, count);
	const view = new DataView(table.buffer);
	return Array.from({ length: count }, (_, index): ObjectVariable => {
		const at = index * VARIABLE_SIZE;
		const offset = view.getUint32(at, true);
		const size = view.getUint32(at + 4, true);
		const variable = textOf(table.subarray(at + 8, at + VARIABLE_SIZE));
		return {
			name: variable,
			section: section.name,
			offset,
			size,
			set(value) {
				stage.requireUnloaded(`variable ${variable}`);
				const bytes = value instanceof Uint8Array ? value : integerBytes(variable, value, size);
				if (bytes.length !== size) throw new RangeError(`${variable} is ${size} bytes, not ${bytes.length}`);
				setSection(section.map, section.name, (all) => new Uint8Array(all.buffer).set(bytes, offset));
			},
		};
	});
}
