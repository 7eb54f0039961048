// What counts as flat.

import { expect, test } from "bun:test";
import { compareThirds } from "./figures.ts";
import type { Round } from "./soak.ts";

const MIB = 2 ** 20;

function rounds(memory: readonly number[], descriptors = 50, pid = 1): readonly Round[] {
	const counts = { frontends: 0, redirects: 0, guards: 0, backends: 0, elements: 0, arrived: 0 };
	const rest = { changes: 0, faults: 0, followed: 0, ...counts };
	return memory.map((megabytes) => ({ ...rest, memory: megabytes * MIB, descriptors, pid }));
}

const flat = Array.from({ length: 30 }, (_, index) => 50 + (index % 5));

test.each([
	["the same all along", rounds(flat), true],
	["one peak", rounds(flat.with(28, 500)), true],
	["a steady growth", rounds(flat.map((each, index) => each + index)), false],
	["a growth before the last start only", [...rounds([10, 20, 30, 40, 50]), ...rounds(flat, 50, 2)], true],
	["more descriptors", [...rounds(flat), ...rounds(flat, 60)], false],
])("compareThirds() of %s", (_, given, good) => {
	expect(compareThirds(given).every((verdict) => verdict.good)).toBe(good);
});

test("compareThirds() judges nothing after a few rounds", () => {
	expect(compareThirds(rounds([1, 50, 100]))).toMatchObject([
		{ good: true, text: expect.stringContaining("not judged") },
	]);
});
