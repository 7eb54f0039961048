// Where brackets and strings of a JSON text stand, byte by byte. Only bytes below 128 matter, so UTF-8 may be cut anywhere.

const QUOTE = 34;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

export interface JsonScan {
	/** Takes one byte. */
	step(byte: number): void;
	/** Takes bytes until a bracket brings the depth down to this; the place after it, or -1 if the bytes end before. */
	close(bytes: Uint8Array, from: number, depth: number): number;
	/** Brackets that are open. */
	depth(): number;
	/** The last string of depth 1, or its beginning, without the quotes and as it is written. */
	name(): string;
}

/** Names longer than this are of no interest. */
const LONGEST_NAME = 16;

export function createJsonScan(): JsonScan {
	let depth = 0;
	let inString = false;
	let escaped = false;
	let name: number[] = [];

	function readString(byte: number): void {
		if (escaped) escaped = false;
		else if (byte === BACKSLASH) escaped = true;
		else if (byte === QUOTE) inString = false;
		if (inString && depth === 1 && name.length < LONGEST_NAME) name.push(byte);
	}

	function readBracket(byte: number): void {
		if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
		else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
	}

	function step(byte: number): void {
		if (inString) readString(byte);
		else if (byte !== QUOTE) readBracket(byte);
		else {
			inString = true;
			if (depth === 1) name = [];
		}
	}

	return {
		step,
		close(bytes, from, down) {
			for (let at = from; at < bytes.length; at++) {
				const before = depth;
				step(bytes[at] ?? 0);
				if (depth === down && before > down) return at + 1;
			}
			return -1;
		},
		depth: () => depth,
		name: () => String.fromCharCode(...name),
	};
}
