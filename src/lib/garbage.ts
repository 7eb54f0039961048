// Memory that a burst of work has left behind, given back soon after instead of some time.

import process from "node:process";

/**
 * Collects garbage, if the runtime was started with --expose-gc, as the binary is; Node, Bun and Deno know it alike. Some ten
 * milliseconds for a heap of a hundred thousand objects: for moments when nobody waits.
 */
export function collectGarbage(): void {
	const collect: unknown = Reflect.get(globalThis, "gc");
	if (typeof collect === "function") collect();
}

/** Things that are made, each with much that is thrown away at once, between two collections of that. */
const PORTION = 250;

/**
 * To be called after each of many things that are made in a row. Engines let garbage grow as large as all that is kept before they look for it,
 * and what is kept then lies scattered over all of that memory, which nobody gets back. Collecting what is young costs a millisecond or
 * two, however much there is besides. Only Bun can be asked to; elsewhere nothing happens.
 */
export function createTidying(): () => void {
	let made = 0;
	return () => {
		made += 1;
		if (made % PORTION === 0) collectYoung();
	};
}

/** Collects what was made since the last time, in Bun. */
export function collectYoung(): void {
	youngCollector?.();
}

const youngCollector = findYoungCollector();

function findYoungCollector(): (() => unknown) | undefined {
	const jsc: unknown = process.getBuiltinModule?.("bun:jsc");
	const collect: unknown = typeof jsc === "object" && jsc !== null ? Reflect.get(jsc, "edenGC") : undefined;
	return typeof collect === "function" ? () => collect() : undefined;
}
