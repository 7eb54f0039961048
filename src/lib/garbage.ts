// Memory that a burst of work has left behind, given back soon after instead of some time.

/**
 * Collects garbage, if the runtime was started with --expose-gc, as the binary is; Node, Bun and Deno know it alike. Some ten
 * milliseconds for a heap of a hundred thousand objects: for moments when nobody waits.
 */
export function collectGarbage(): void {
	const collect: unknown = Reflect.get(globalThis, "gc");
	if (typeof collect === "function") collect();
}
