// Bytes in any portions -> lines: a watch is one JSON document a line, cut and joined anywhere on the way.

import { HubError } from "./hub_error.ts";

const LINE_FEED = 10;

export interface LineSplitter {
	/** The lines that are complete now, without their end; empty ones are left out. Views of memory that the next call may reuse. */
	push(chunk: Uint8Array): readonly Uint8Array[];
}

/** `limit` is the longest line accepted, in bytes: a server that sends no line feed must not fill the memory. */
export function createLineSplitter(limit: number): LineSplitter {
	let parts: Uint8Array[] = [];
	let held = 0;

	function keep(part: Uint8Array): void {
		held += part.length;
		if (held > limit) {
			throw new HubError(`Cannot read the watch: a line has over ${limit} bytes`, { status: 0, reason: "Protocol" });
		}
		if (part.length > 0) parts.push(part);
	}

	function take(): Uint8Array {
		const line = parts.length === 1 && parts[0] !== undefined ? parts[0] : join(parts, held);
		parts = [];
		held = 0;
		return line;
	}

	return {
		push(chunk) {
			const lines: Uint8Array[] = [];
			let start = 0;
			for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
				keep(chunk.subarray(start, end));
				const line = take();
				if (line.length > 0) lines.push(line);
				start = end + 1;
			}
			// A copy: the runtime may use the chunk's memory again.
			keep(chunk.slice(start));
			return lines;
		},
	};
}

/** The parts as one. */
export function join(parts: readonly Uint8Array[], length: number): Uint8Array {
	const whole = new Uint8Array(length);
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}
