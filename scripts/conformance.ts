// bun run conformance [--write] [ID ...]: tries every row of the Service contract; exits 0 only when nothing fails.

import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { tryRows } from "../test/conformance/conformance.ts";
import { countsOf, pageOf, resultsAsTable } from "../test/conformance/result.ts";
import { ROWS } from "../test/conformance/rows.ts";
import { buildForTests } from "./checks.ts";

/** Without what its builder has added. */
const KERNEL = release().replace(/-.*/, "");
const PAGE = `${import.meta.dir}/../test/conformance.md`;

async function main(words: readonly string[]): Promise<number> {
	const writes = words.includes("--write");
	const only = words.filter((word) => word !== "--write");
	const unknown = only.find((id) => !ROWS.some((row) => row.id === id));
	if (unknown !== undefined || (writes && only.length > 0)) {
		const what = unknown === undefined ? "a part of the table" : `${unknown}: there is no such row`;
		console.error(`Cannot ${writes ? "write" : "try"} ${what}\nUsage: bun run conformance [--write | ID ...]`);
		return 2;
	}
	const { failed, details } = await buildForTests();
	if (failed > 0) {
		console.error(`Cannot build: ${details}`);
		return 1;
	}
	const started = performance.now();
	const stop = new AbortController();
	for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => stop.abort());
	const results = await tryRows(only, stop.signal).catch((error: unknown) => {
		console.error(stop.signal.aborted ? "Stopped" : error);
	});
	if (results === undefined) return 1;
	console.log(resultsAsTable(results));
	console.log(`Linux ${KERNEL}, ${Math.round((performance.now() - started) / 1000)} s: ${countsOf(results)}`);
	if (writes) writeFileSync(PAGE, pageOf(results, { kernel: KERNEL, date: new Date().toISOString().slice(0, 10) }));
	return results.some(({ verdict }) => verdict === "fail") ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
