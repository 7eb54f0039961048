// The programs of an object.

import { check, native, readText } from "./native.ts";
import type { Stage } from "./object_stage.ts";
import { ATTACH_TYPES, type AttachType, PROGRAM_TYPES, type ProgramType, typeName, type Unknown } from "./uapi.ts";

export interface ObjectProgram {
	/** The function's name in the source. */
	readonly name: string;
	/** What stands in its SEC(). */
	readonly section: string;
	readonly type: ProgramType | Unknown;
	/** The first type, `cgroup_inet_ingress`, is also that of programs which have none. */
	readonly attachType: AttachType | Unknown;
	/** Whether load() loads it; so it is unless the section begins with `?`. */
	readonly autoload: boolean;
	/** Of this object, valid until the object is closed. Throws before the load, and if it was not to be loaded (ENOENT). */
	readonly fd: number;
	/** Before the load: false leaves it out, as for a kernel that cannot take it. */
	setAutoload(autoload: boolean): void;
}

export function objectProgram(handle: bigint, stage: Stage): ObjectProgram {
	const name = readText((out, capacity) => native().bffi_program_name(handle, out, capacity));
	const section = readText((out, capacity) => native().bffi_program_section(handle, out, capacity));
	const what = `program ${name}`;

	/** type, attach type, autoload, fd */
	function facts(): readonly [type: number, attachType: number, autoload: number, fd: number] {
		stage.requireOpen(what);
		const words = new Int32Array(4);
		native().bffi_program_facts(handle, words);
		const [type = 0, attachType = 0, autoload = 0, fd = -1] = words;
		return [type, attachType, autoload, fd];
	}

	return {
		name,
		section,
		get type() {
			return typeName(PROGRAM_TYPES, facts()[0]);
		},
		get attachType() {
			return typeName(ATTACH_TYPES, facts()[1]);
		},
		get autoload() {
			return facts()[2] !== 0;
		},
		get fd() {
			stage.requireLoaded(what);
			return check(facts()[3], {
				action: `use ${what}`,
				call: "bpf_program__fd",
				hint: "it was not loaded: setAutoload(false)",
			});
		},
		setAutoload(autoload) {
			stage.requireUnloaded(what);
			check(native().bffi_program_set_autoload(handle, autoload ? 1 : 0), {
				action: `set autoload of ${what}`,
				call: "bpf_program__set_autoload",
			});
		},
	};
}
