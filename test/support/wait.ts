// Waiting for a condition: tests never sleep for a time that ought to be enough.

const DEADLINE_MS = 10_000;

/** Looks again and again. Throws, with what it was that did not come, after ten seconds or `deadline` milliseconds. */
export async function until(
	what: string,
	condition: () => boolean | Promise<boolean>,
	deadline = DEADLINE_MS,
): Promise<void> {
	const end = performance.now() + deadline;
	while (!(await condition())) {
		if (performance.now() > end) throw new Error(`Cannot wait any longer: not ${what} within ${deadline} ms`);
		await Bun.sleep(1);
	}
}

/** The same for a disposer, which cannot await. */
export function untilSync(what: string, condition: () => boolean): void {
	const end = performance.now() + DEADLINE_MS;
	while (!condition()) {
		if (performance.now() > end) throw new Error(`Cannot wait any longer: not ${what} within ${DEADLINE_MS} ms`);
		Bun.sleepSync(1);
	}
}
