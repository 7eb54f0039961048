// bun run bench [NAME ...]: the benchmarks of test/bench, one after the other; figures, never a verdict.

import { cpus, release } from "node:os";
import { table } from "../src/lib/table.ts";
import type { BenchRow } from "../test/bench/row.ts";

const FOLDER = `${import.meta.dir}/../test/bench`;

function isBench(module: unknown): module is { readonly bench: () => Promise<readonly BenchRow[]> } {
	return typeof module === "object" && module !== null && "bench" in module && typeof module.bench === "function";
}

function cells({ name, value, unit, budget }: BenchRow): readonly string[] {
	const figure = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1);
	if (budget === undefined) return [name, `${figure} ${unit}`, "", ""];
	return [name, `${figure} ${unit}`, `< ${budget} ${unit}`, value < budget ? "within" : "OVER"];
}

const wanted = process.argv.slice(2);
const files = [...new Bun.Glob("*.bench.ts").scanSync(FOLDER)].sort();
const names = files.map((file) => file.replace(/\.bench\.ts$/, ""));
const unknown = wanted.find((name) => !names.includes(name));
if (unknown !== undefined) {
	console.error(`Cannot run benchmark ${unknown}: known are ${names.join(", ")}`);
	process.exit(2);
}
console.log(`Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown CPU"}, Bun ${Bun.version}\n`);
for (const name of names.filter((each) => wanted.length === 0 || wanted.includes(each))) {
	const module: unknown = await import(`${FOLDER}/${name}.bench.ts`);
	if (!isBench(module)) throw new Error(`Cannot run ${name}: it exports no function bench()`);
	console.log(table([name.toUpperCase(), "FIGURE", "BUDGET", ""], (await module.bench()).map(cells)));
}
