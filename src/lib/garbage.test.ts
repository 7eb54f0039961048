// Collecting garbage with and without a runtime that offers it.

import { expect, test } from "bun:test";

const MODULE = `${import.meta.dir}/garbage.ts`;

/** Lets go of objects, collects in this way, and says whether they are gone. */
function script(collecting: string): string {
	return `
const { collectGarbage, createTidying } = await import(${JSON.stringify(MODULE)});
const refs = Array.from({ length: 1000 }, () => new WeakRef(new Array(1000).fill({})));
await new Promise((resolve) => setTimeout(resolve));
${collecting};
const left = refs.filter((ref) => ref.deref() !== undefined).length;
console.log(typeof gc, left < 100 ? "collected" : "kept");
`;
}

function run(flags: readonly string[], collecting: string): string {
	const { stdout, stderr } = Bun.spawnSync([process.execPath, ...flags, "-e", script(collecting)]);
	return stdout.toString() + stderr.toString();
}

test.each([
	[["--expose-gc"], "function collected\n"],
	[[], "undefined kept\n"],
])("collectGarbage() with the flags %p", (flags, said) => {
	expect(run(flags, "collectGarbage()")).toBe(said);
});

test.each([
	["one call", 1, "undefined kept\n"],
	["many calls", 1000, "undefined collected\n"],
])("createTidying() after %s", (_, calls, said) => {
	expect(run([], `const tidy = createTidying(); for (let call = 0; call < ${calls}; call++) tidy()`)).toBe(said);
});
