// Collecting garbage with and without a runtime that offers it.

import { expect, test } from "bun:test";

const MODULE = `${import.meta.dir}/garbage.ts`;
/** Lets go of an object, collects, and says whether it is gone. */
const SCRIPT = `
const { collectGarbage } = await import(${JSON.stringify(MODULE)});
const refs = Array.from({ length: 1000 }, () => new WeakRef(new Array(1000).fill({})));
await new Promise((resolve) => setTimeout(resolve));
collectGarbage();
const left = refs.filter((ref) => ref.deref() !== undefined).length;
console.log(typeof gc, left < 100 ? "collected" : "kept");
`;

test.each([
	[["--expose-gc"], "function collected"],
	[[], "undefined"],
])("collectGarbage() with the flags %p", (flags, said) => {
	const { stdout, exitCode } = Bun.spawnSync([process.execPath, ...flags, "-e", SCRIPT]);
	expect(stdout.toString()).toStartWith(said);
	expect(exitCode).toBe(0);
});
