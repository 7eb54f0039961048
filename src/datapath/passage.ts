// One process that the programs count, and let past all frontends for a while: the setting they read, and what they say of it.

import { Buffer } from "node:buffer";
import type { BpfMap, BpfObject } from "bun-ffi-libbpf";
import { encodeId } from "./codec.ts";
import { offsetOf, sizeOf } from "./layout.ts";

/** struct own_way of bpf/types.h. */
export interface PassageSetting {
	/** Process id in the initial PID namespace; 0 for nobody. */
	readonly tgid: number;
	/** Nanoseconds of the kernel's CLOCK_MONOTONIC; until then it passes. */
	readonly until: bigint;
	/** Who is refused at an address that ends in these four bytes leaves its trace. */
	readonly asking: Uint8Array | undefined;
}

/** struct own_trace of bpf/types.h. */
export interface PassageTrace {
	/** How often the process came to a frontend, whether it passed or not, since the programs were loaded. */
	readonly met: bigint;
	/** The key, in `frontends`, of the one that it came to last. */
	readonly key: string;
	/** Who was refused last while `asking`: its process id as the kernel knows it; 0 for nobody. */
	readonly tgid: number;
	/** When: nanoseconds of the kernel's CLOCK_MONOTONIC. */
	readonly time: bigint;
}

/** Belongs to the programs that were loaded with it: those of the next agent let nobody pass until it says so. */
export interface Passage {
	/** False: programs cannot tell who connects (before Linux 5.7), and let nobody pass. */
	readonly supported: boolean;
	/**
	 * connect() of a datagram socket says nothing of a refusal, only its first datagram does: programs cannot choose the errno
	 * (before Linux 5.18).
	 */
	readonly quiet: boolean;
	set(setting: PassageSetting): void;
	trace(): PassageTrace;
}

/** Nobody passes, nobody is asked for. */
export const CLOSED: PassageSetting = { tgid: 0, until: 0n, asking: undefined };

/** The sections of the object's data that hold the two structs. */
const SETTING = ".data.own_way";
const TRACE = ".bss";

const FIRST = Buffer.from(encodeId(0), "latin1");
const SIZE = sizeOf("own_way");
const UNTIL = offsetOf("own_way", "until");
const TGID = offsetOf("own_way", "tgid");
const ASKING = offsetOf("own_way", "asking");
const TRACE_AT = {
	met: offsetOf("own_trace", "met"),
	time: offsetOf("own_trace", "time"),
	tgid: offsetOf("own_trace", "tgid"),
	key: offsetOf("own_trace", "key"),
} as const;
const KEY_SIZE = sizeOf("frontend_key");

function openSection(object: BpfObject, name: string): BpfMap {
	const map = object.maps.get(name);
	if (!map) throw new Error(`Cannot open ${name}: the object has no such section`);
	return map.open();
}

/** Of a loaded object. Its handles are closed when it is disposed; the setting stays as it is. */
export function openPassage(
	object: BpfObject,
	{ supported, quiet }: Pick<Passage, "supported" | "quiet">,
): Passage & Disposable {
	using stack = new DisposableStack();
	const setting = stack.use(openSection(object, SETTING));
	const trace = stack.use(openSection(object, TRACE));
	const held = stack.move();
	return {
		supported,
		quiet,
		set({ tgid, until, asking }) {
			const bytes = Buffer.alloc(SIZE);
			bytes.writeBigUInt64LE(until, UNTIL);
			bytes.writeUInt32LE(tgid, TGID);
			if (asking !== undefined) bytes.set(asking, ASKING);
			setting.update(FIRST, bytes);
		},
		trace() {
			const view = Buffer.from(trace.lookup(FIRST) ?? new Uint8Array(trace.valueBytes));
			return {
				met: view.readBigUInt64LE(TRACE_AT.met),
				time: view.readBigUInt64LE(TRACE_AT.time),
				tgid: view.readUInt32LE(TRACE_AT.tgid),
				key: view.toString("latin1", TRACE_AT.key, TRACE_AT.key + KEY_SIZE),
			};
		},
		[Symbol.dispose]: () => held.dispose(),
	};
}
