// A reader that stops must cost a bounded amount of memory, and nobody's time.

import { expect, test } from "bun:test";
import { createLossyOutput } from "./lossy_output.ts";

/** A stream whose reader takes everything, or nothing. */
function stream() {
	let drain = () => {};
	const taken: string[] = [];
	const state = { isStuck: false };
	return {
		state,
		taken,
		sink: {
			write(text: string) {
				taken.push(text);
				return !state.isStuck;
			},
			on(_: "drain", listener: () => void) {
				drain = listener;
			},
		},
		catchUp() {
			state.isStuck = false;
			drain();
		},
	};
}

test("createLossyOutput() passes everything on to a reader that keeps up", () => {
	const { sink, taken } = stream();
	const write = createLossyOutput(sink, { limit: 0, onDropped: () => expect.unreachable() });
	for (const line of ["a\n", "b\n", "c\n"]) write(line);
	expect(taken).toEqual(["a\n", "b\n", "c\n"]);
});

test("createLossyOutput() drops what is over the limit, and says how much when the reader is back", () => {
	const { sink, taken, state, catchUp } = stream();
	const dropped: number[] = [];
	const write = createLossyOutput(sink, { limit: 4, onDropped: (lines) => dropped.push(lines) });
	state.isStuck = true;
	for (const line of ["a\n", "b\n", "c\n", "d\n", "e\n"]) write(line);
	expect(taken).toEqual(["a\n", "b\n", "c\n"]);
	expect(dropped).toEqual([]);
	catchUp();
	expect(dropped).toEqual([2]);
	write("f\n");
	expect(taken.at(-1)).toBe("f\n");
	catchUp();
	expect(dropped).toEqual([2]);
});

test("createLossyOutput() lets onDropped write", () => {
	const { sink, taken, state, catchUp } = stream();
	const write = createLossyOutput(sink, { limit: 0, onDropped: (lines) => write(`${lines} lost\n`) });
	state.isStuck = true;
	for (const line of ["a\n", "b\n", "c\n"]) write(line);
	catchUp();
	expect(taken).toEqual(["a\n", "2 lost\n"]);
});
