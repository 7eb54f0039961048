// bun run soak [CHANGES | MINUTESm]: an agent through random changes and faults for long; what it took at the end as a table.

import { table } from "../src/lib/table.ts";
import { compareThirds } from "../test/soak/figures.ts";
import { type Round, type SoakResult, soak } from "../test/soak/soak.ts";
import { buildBinary, hostTarget } from "./build_binary.ts";
import { buildPrograms } from "./build_bpf.ts";
import { buildNative } from "./build_native.ts";

const CHANGES = 10_000;
/** Changes between two calms. */
const ROUND = 200;
/** Rounds in which the agent is killed and stopped; the process of the last one lives to the end, and its memory is looked at. */
const RESTARTS = 10;
/** Rounds: some faults take a client a minute, and the soak is to end on the same day. */
const SLOW_EVERY = 6;
/** Milliseconds of each calm: Bun collects garbage once a second after the heap has changed. */
const REST = 3000;
const MIB = 2 ** 20;

type Limit = { readonly changes: number } | { readonly minutes: number };

function parseLimit(word: string | undefined): Limit | undefined {
	if (word === undefined) return { changes: CHANGES };
	const [, number, unit] = /^([1-9]\d*)(m?)$/.exec(word) ?? [];
	if (number === undefined) return undefined;
	return unit === "m" ? { minutes: Number(number) } : { changes: Number(number) };
}

function* roundsUntil(limit: Limit, stop: AbortSignal): Generator<number> {
	const started = performance.now();
	const goesOn = (made: number): boolean =>
		"changes" in limit ? made < limit.changes : performance.now() - started < limit.minutes * 60_000;
	for (let made = 0; !stop.aborted && goesOn(made); made += ROUND) {
		yield "changes" in limit ? Math.min(ROUND, limit.changes - made) : ROUND;
	}
}

function cells(round: Round): readonly string[] {
	const { changes, faults, followed, memory, descriptors, elements } = round;
	const { frontends, redirects, guards, backends, arrived, pid } = round;
	const numbers = [changes, faults, followed, memory / MIB, descriptors, elements];
	numbers.push(frontends, redirects, guards, backends, arrived, pid);
	return numbers.map((number) => number.toFixed(0));
}

const HEAD = [
	"CHANGES",
	"FAULTS",
	"MS",
	"MiB",
	"FDS",
	"ELEMENTS",
	"FRONTENDS",
	"REDIRECTS",
	"GUARDS",
	"BACKENDS",
	"ARRIVED",
	"PID",
];

function tell({ rounds, faults, strange }: SoakResult): boolean {
	console.log(`\n${table(HEAD, rounds.map(cells))}`);
	console.log(
		"MS: until the kernel was right after the faults. MiB: RssAnon after 3 s of rest. ELEMENTS: of the maps that hold the plan.\n",
	);
	console.log(
		table(
			["FAULT", "TIMES"],
			[...faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [name, String(count)]),
		),
	);
	for (const line of strange) console.log(`strange: ${line}`);
	const verdicts = compareThirds(rounds);
	for (const { text } of verdicts) console.log(text);
	return strange.length === 0 && verdicts.every(({ good }) => good);
}

async function main(words: readonly string[]): Promise<number> {
	const limit = words.length < 2 ? parseLimit(words[0]) : undefined;
	if (limit === undefined) {
		console.error(`Cannot soak for ${words.join(" ")}: give a number of changes, or of minutes as 30m`);
		return 2;
	}
	const seed = Number(process.env["BALANCING_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
	console.log(`BALANCING_SEED=${seed}`);
	await buildPrograms();
	await buildNative(hostTarget());
	const { path } = await buildBinary({ entry: "src/main.ts", folder: "dist/test", target: hostTarget() });
	const stop = new AbortController();
	// What was set up has to be taken away: the round is finished first.
	process.once("SIGINT", () => stop.abort());
	process.once("SIGTERM", () => stop.abort());
	const started = performance.now();
	const onRound = (round: Round): void => {
		const seconds = Math.round((performance.now() - started) / 1000);
		console.log(`${seconds} s: ${HEAD.map((name, index) => `${name} ${cells(round)[index]}`).join("  ")}`);
	};
	const rounds = roundsUntil(limit, stop.signal);
	const result = await soak({
		seed,
		rounds,
		slowEvery: SLOW_EVERY,
		restarts: RESTARTS,
		rest: REST,
		program: [path],
		onRound,
	});
	const good = tell(result);
	console.log(good ? "All was as it must be" : `NOT as it must be; BALANCING_SEED=${seed} repeats it`);
	return good ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
