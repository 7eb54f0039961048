// Records that programs send through a BPF_MAP_TYPE_RINGBUF, without polling: a thread waits, JavaScript reads.

import { errnoNumber } from "./errors.ts";
import { watchEventFd } from "./ffi.ts";
import type { BpfMap } from "./map.ts";
import { check, failure, native } from "./native.ts";

export interface RingBufferOptions {
	/** How long a first record waits for others, so that one wake-up serves a burst: 0 (not at all) to 10,000; 10 if left out. */
	readonly gatherMs?: number;
	/** Its abort closes the reader. */
	readonly signal?: AbortSignal;
}

export interface RingBuffer extends Disposable {
	/** Settles when the reader ends: rejects with what `onRecord` threw, resolves at close(). */
	readonly closed: Promise<void>;
	/** Delivers at once what is there, as before close(). Returns how many records. */
	drain(): number;
	/** Joins the thread. Records that were not delivered yet stay in the ring for the next reader. */
	close(): void;
}

const FIRST_CAPACITY = 64 * 1024;
/** Then others have their turn in the event loop. */
const ROUNDS_AT_ONCE = 16;
const HEADER_SIZE = 8;
const LONGEST_GATHER_MS = 10_000;
const TOO_SMALL = -errnoNumber("ENOSPC");

interface Source {
	/** Calls for each record of one round; 0 if nothing was there. */
	read(onRecord: (record: Uint8Array) => void): number;
	close(): void;
}

function openSource(handle: bigint): Source {
	let buffer = new Uint8Array(FIRST_CAPACITY);
	let view = new DataView(buffer.buffer);
	let open = true;
	const needed = new Uint32Array(1);

	function fill(): number {
		const used = native().bffi_ring_drain(handle, buffer, buffer.length, needed);
		if (used !== TOO_SMALL) return used;
		buffer = new Uint8Array(needed[0] ?? 0);
		view = new DataView(buffer.buffer);
		return native().bffi_ring_drain(handle, buffer, buffer.length, needed);
	}

	return {
		read(onRecord) {
			const used = open ? fill() : 0;
			let records = 0;
			for (let at = 0; at < used && open; records++) {
				const length = view.getUint32(at, true);
				const start = at + HEADER_SIZE;
				at = start + Math.ceil(length / 8) * 8;
				onRecord(buffer.subarray(start, start + length));
			}
			return records;
		},
		close() {
			if (!open) return;
			open = false;
			native().bffi_ring_close(handle);
		},
	};
}

/**
 * Calls `onRecord` for each record in order. The record is valid during the call only; copy what is to stay. A throw ends
 * the reader and rejects `closed`. One reader per ring: a second one would take records away from the first. The map's
 * handle may be closed meanwhile. A program that submits with BPF_RB_NO_WAKEUP is heard at the next wake-up only.
 */
export function ringBuffer(
	map: BpfMap,
	onRecord: (record: Uint8Array) => void,
	options: RingBufferOptions = {},
): RingBuffer {
	const { gatherMs = 10, signal } = options;
	if (!(gatherMs >= 0 && gatherMs <= LONGEST_GATHER_MS))
		throw new RangeError(`gatherMs must be 0 to 10000, not ${gatherMs}`);
	signal?.throwIfAborted();
	const out = new BigUint64Array(1);
	const opened = native().bffi_ring_open(map.fd, Math.round(gatherMs), out);
	const action = `read the ring buffer ${map.info.name}`;
	if (map.info.type !== "ringbuf")
		throw failure(opened, { action, call: "mmap", hint: `it is a map of type ${map.info.type}` });
	const eventFd = check(opened, { action, call: "mmap" });
	const source = openSource(out[0] ?? 0n);
	const ended = Promise.withResolvers<void>();
	let pending: NodeJS.Immediate | undefined;

	function close(): void {
		clearImmediate(pending);
		signal?.removeEventListener("abort", close);
		watch.close();
		source.close();
		ended.resolve();
	}
	function readSome(): void {
		pending = undefined;
		try {
			for (let round = 0; round < ROUNDS_AT_ONCE; round++) {
				if (source.read(onRecord) === 0) return;
			}
			pending = setImmediate(readSome);
		} catch (error) {
			ended.reject(error);
			close();
		}
	}
	function drain(): number {
		let total = 0;
		for (let records = source.read(onRecord); records > 0; records = source.read(onRecord)) total += records;
		return total;
	}

	const watch = watchEventFd(eventFd, () => {
		if (pending === undefined) readSome();
	});
	signal?.addEventListener("abort", close, { once: true });
	return { closed: ended.promise, drain, close, [Symbol.dispose]: close };
}
