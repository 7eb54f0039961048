// A compiled object: open it from bytes, set what is to be set, load it into the kernel.

import { errnoNumber } from "./errors.ts";
import { check, cString, failure, native, takeLog } from "./native.ts";
import { type ObjectVariable, sectionVariables, setSection } from "./object_data.ts";
import { type ObjectMap, objectMap, pinMismatch } from "./object_map.ts";
import { type ObjectProgram, objectProgram } from "./object_program.ts";
import { stageOf } from "./object_stage.ts";

export interface OpenOptions {
	/** Names the object in errors, and its data sections in the kernel. */
	readonly name?: string;
}

export interface BpfObject extends Disposable {
	readonly name: string;
	/** By name in the source; data sections by `.rodata` and the like. */
	readonly maps: ReadonlyMap<string, ObjectMap>;
	/** By the function's name. */
	readonly programs: ReadonlyMap<string, ObjectProgram>;
	/** Global variables by name; empty if the object was compiled without -g. */
	readonly variables: ReadonlyMap<string, ObjectVariable>;
	/** Before the load: the bytes of a data section, or a function that changes them in place. */
	setRodata(fields: Uint8Array | ((view: DataView) => void), section?: string): void;
	/**
	 * Creates or reuses the maps, then loads the programs. Throws a BpfError whose `log` has the verifier's words; then
	 * nothing of it is left in the kernel, and the object can only be closed.
	 */
	load(): void;
	/** Closes every file descriptor of the object; what is pinned, attached or opened apart lives on. */
	close(): void;
}

/** Reads the handles that a function gives for an object. */
function handles(read: (out: BigUint64Array, capacity: number) => number): readonly bigint[] {
	const count = read(new BigUint64Array(1), 0);
	const out = new BigUint64Array(Math.max(count, 1));
	read(out, count);
	return [...out.subarray(0, count)];
}

function openHandle(bytes: Uint8Array, name: string): bigint {
	const out = new BigUint64Array(1);
	takeLog();
	const result = native().bffi_object_open(bytes, bytes.length, cString(name), out);
	const log = takeLog();
	check(result, { action: `open ${name}`, call: "bpf_object__open_mem", log });
	return out[0] ?? 0n;
}

/** Reads an ELF object as clang makes it (`-target bpf`). Nothing is in the kernel until load(). */
export function openObject(bytes: Uint8Array, options: OpenOptions = {}): BpfObject {
	const name = options.name ?? "object";
	const handle = openHandle(bytes, name);
	const stage = stageOf(name);
	const calls = native();
	const mapHandles = handles((out, capacity) => calls.bffi_object_maps(handle, out, capacity));
	const all = mapHandles.map((map) => ({ handle: map, map: objectMap(map, stage) }));
	const maps = new Map(all.map(({ map }) => [map.name, map]));
	const sections = new Map(
		all.filter(({ map }) => map.name.startsWith(".")).map((each) => [each.map.name, each.handle]),
	);
	const programHandles = handles((out, capacity) => calls.bffi_object_programs(handle, out, capacity));
	const programs = new Map(
		programHandles.map((each) => objectProgram(each, stage)).map((program) => [program.name, program]),
	);
	const variables = [...sections].flatMap(([section, map]) => sectionVariables(handle, { name: section, map }, stage));

	function close(): void {
		if (stage.isClosed) return;
		stage.to("closed");
		calls.bffi_object_close(handle);
	}

	return {
		name,
		maps,
		programs,
		variables: new Map(variables.map((variable) => [variable.name, variable])),
		setRodata(fields, section = ".rodata") {
			stage.requireUnloaded(section);
			const map = sections.get(section);
			if (map === undefined)
				throw failure(-errnoNumber("ENOENT"), {
					action: `set ${section} of ${name}`,
					call: "bpf_map__set_initial_value",
					hint: "the object has no such section",
				});
			setSection(map, section, fields);
		},
		load() {
			stage.requireUnloaded("load()");
			takeLog();
			const result = calls.bffi_object_load(handle);
			const log = takeLog();
			stage.to(result < 0 ? "failed" : "loaded");
			if (result >= 0) return;
			const hint = result === -errnoNumber("EINVAL") ? pinMismatch(maps.values()) : undefined;
			throw failure(result, { action: `load ${name}`, call: "bpf_object__load", hint, log });
		},
		close,
		[Symbol.dispose]: close,
	};
}
