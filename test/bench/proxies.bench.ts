// A Service by Balancing, by nftables, and not at all: the same exchanges with the same servers, in turns.

import { cpus } from "node:os";
import { ringBuffer } from "bun-ffi-libbpf";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import type { Plan } from "../../src/plan/plan_types.ts";
import { execute } from "../support/agent_place.ts";
import { compiled } from "../support/compile.ts";
import { datapath, planOf, type Spec } from "../support/datapath.ts";
import { type Nftables, nftables } from "./nftables.ts";
import { type Place, PODS, place, type Spot } from "./proxies_place.ts";
import type { BenchRow } from "./row.ts";
import { type BenchService, ENDPOINT_PORT, firstIp, MEMBERS, SERVICE_PORT, services } from "./services.ts";

const ROUNDS = 15;
const CHANGES = 8;
const BULK_BYTES = 16 << 20;
/** An endpoint that no Service has at first. */
const SPARE = "10.129.255.254";

/** What proxies.c measures. */
const KINDS = [
	{ kind: "connect", name: "TCP: connect()" },
	{ kind: "connection", name: "TCP: connect, request, answer, close" },
	{ kind: "request", name: "TCP: request and answer on an open connection" },
	{ kind: "bulk", name: "TCP: one stream" },
	{ kind: "query", name: "UDP: a new socket for each request and answer" },
	{ kind: "datagram", name: "UDP: request and answer on a connected socket" },
	{ kind: "unconnected", name: "UDP: request and answer by sendto()" },
] as const;

type Way = "direct" | "balancing" | "nftables" | "beside";
const WAYS: readonly { readonly way: Way; readonly name: string }[] = [
	{ way: "balancing", name: "Service by Balancing" },
	{ way: "nftables", name: "Service by nftables" },
	{ way: "beside", name: "direct, on the node with nftables" },
];

interface Target {
	readonly from: "host" | "pod";
	readonly way: Way;
	readonly spot: Spot;
	readonly cgroup: string;
}

function targetsOf({ plain, nat, inside, outside }: Place, withNftables: boolean): readonly Target[] {
	return (["host", "pod"] as const).flatMap((from) => {
		const targets: Target[] = [
			{ from, way: "direct", spot: plain[from], cgroup: outside },
			{ from, way: "balancing", spot: plain[from], cgroup: inside },
		];
		if (!withNftables) return targets;
		return [
			...targets,
			{ from, way: "nftables", spot: nat[from], cgroup: outside },
			{ from, way: "beside", spot: nat[from], cgroup: outside },
		];
	});
}

/** Nanoseconds of each round, by `labelOf` and kind. */
type Times = ReadonlyMap<string, readonly number[]>;

function labelOf({ from, way }: Pick<Target, "from" | "way">): string {
	return `${from}-${way}`;
}

function argumentOf(target: Target, count: number): string {
	const direct = target.way === "direct" || target.way === "beside";
	const first = direct ? "endpoint" : "service";
	const addresses = `${firstIp(first, "TCP")},${firstIp(first, "UDP")}`;
	const [port, members] = direct ? [ENDPOINT_PORT, 1] : [SERVICE_PORT, MEMBERS];
	const each = (count / 2) * (direct ? MEMBERS : 1);
	return `${labelOf(target)},${target.spot.netns},${target.cgroup},${addresses},${port},${each},${members}`;
}

/** Throws unless every member of the Services was reached, and the servers saw the client itself. */
function checkSeen(target: Target, [, , members, client]: readonly string[]): void {
	const all = target.way === "balancing" || target.way === "nftables" ? MEMBERS : 1;
	if (Number(members) === all && client === target.spot.ip) return;
	throw new Error(`Cannot believe ${labelOf(target)}: ${members} of ${all} members answered, to ${client}`);
}

async function measure(targets: readonly Target[], count: number, processor: string): Promise<Times> {
	const backends = [firstIp("endpoint", "TCP"), firstIp("endpoint", "UDP")];
	const options = [String(ROUNDS), processor, String(BULK_BYTES), ...backends];
	const all = targets.map((each) => argumentOf(each, count));
	// Meanwhile events are read.
	const { code, out, err } = await execute([compiled("test/bench/proxies.c"), ...options, ...all]);
	if (code !== 0) throw new Error(`Cannot measure: ${err.trim()}`);
	const lines = out
		.trim()
		.split("\n")
		.map((line) => line.split(" "));
	for (const target of targets) {
		checkSeen(target, lines.find(([what, label]) => what === "seen" && label === labelOf(target)) ?? []);
	}
	const times = new Map<string, number[]>();
	for (const [what, label, kind, nanoseconds] of lines) {
		if (what !== "time") continue;
		const key = `${label} ${kind}`;
		times.set(key, [...(times.get(key) ?? []), Number(nanoseconds)]);
	}
	return times;
}

function median(values: readonly number[]): number {
	return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Of a way to the direct one: the median of what each round gives. */
function ratio(times: readonly number[], direct: readonly number[]): string {
	const quotients = times.map((time, round) => time / (direct[round] ?? Number.NaN));
	return `${median(quotients).toFixed(2)} x direct`;
}

function rowsOf(times: Times, from: Target["from"], title: string): readonly BenchRow[] {
	return KINDS.flatMap(({ kind, name }): readonly BenchRow[] => {
		const timesOf = (way: Way) => times.get(`${labelOf({ from, way })} ${kind}`) ?? [];
		const figure = (values: readonly number[]) =>
			kind === "bulk"
				? { value: BULK_BYTES / median(values), unit: "GB/s" }
				: { value: median(values) / 1000, unit: "us" };
		const direct = timesOf("direct");
		const ways = WAYS.map((way) => ({ ...way, values: timesOf(way.way) })).filter(({ values }) => values.length > 0);
		return [
			{ name: `${title}, ${name}`, ...figure(direct) },
			...ways.map((way) => ({ name: `  ${way.name}: time ${ratio(way.values, direct)}`, ...figure(way.values) })),
		];
	});
}

function specOf({ ip, protocol, endpoints }: BenchService): Spec {
	return {
		at: `${ip}:${SERVICE_PORT}/${protocol}`,
		to: endpoints.map((each) => `${each}:${ENDPOINT_PORT}/${protocol}`),
	};
}

function milliseconds(run: () => void): number {
	const started = performance.now();
	run();
	return performance.now() - started;
}

/** One endpoint of one Service changes, and changes back. */
function measureChanges(all: readonly BenchService[], write: (plan: Plan) => void, nft: Nftables | undefined) {
	const [changed] = all;
	const [from] = changed?.endpoints ?? [];
	if (changed === undefined || from === undefined) throw new Error("Cannot change a Service: there is none");
	const whole = planOf(all.map(specOf));
	const endpoints = changed.endpoints.map((ip) => (ip === from ? SPARE : ip));
	const other = { ...whole, chunks: new Map([...whole.chunks, ...planOf([specOf({ ...changed, endpoints })]).chunks]) };
	const first = milliseconds(() => write(whole));
	const load = nft?.load(all);
	const ours: number[] = [];
	const theirs: number[] = [];
	// Both ways alike: in the end everything is as it was.
	for (let turn = 0; turn < CHANGES; turn++) {
		ours.push(milliseconds(() => write(turn % 2 === 0 ? other : whole)));
		const [old, fresh] = turn % 2 === 0 ? [from, SPARE] : [SPARE, from];
		if (nft) theirs.push(nft.replaceEndpoint(changed, old, fresh));
	}
	const ms = (name: string, value: number): BenchRow => ({ name, value, unit: "ms" });
	const rows = [ms("write all, Balancing", first), ms("one endpoint changes, Balancing", median(ours))];
	if (load === undefined) return rows;
	return [...rows, ms("write all, nft", load), ms("one endpoint changes, nft", median(theirs))];
}

async function measureCase(count: number): Promise<readonly BenchRow[]> {
	const withNftables = Bun.which("nft") !== null;
	// The last one: interrupts tend to be the first's affair.
	const processor = String(cpus().length - 1);
	using here = await place(processor);
	// As an agent without further flags.
	using bpf = datapath(here.inside, { events: "all", eventsRate: 1000 });
	using _reader = ringBuffer(bpf.events, () => {});
	const writer = createWriter({ maps: bpf.maps, capacity: CAPACITY, firstGeneration: 1 });
	const all = services(count);
	const title = `${count.toLocaleString("en")} Services x ${MEMBERS}`;
	const write = (plan: Plan) => {
		const { failures, problems, pending } = writer.write(plan, { synced: true });
		if (failures.length + problems.length + pending > 0) throw new Error("Cannot write the Services in full");
	};
	const nft = withNftables ? nftables(here.nat.host.netns, PODS) : undefined;
	const changes = measureChanges(all, write, nft);
	const times = await measure(targetsOf(here, withNftables), count, processor);
	const { slot, storage } = bpf.faults();
	if (slot + storage > 0) throw new Error("Cannot compare: Balancing let connections through untranslated");
	if (here.plain.tracked() > 0) throw new Error("Cannot compare: conntrack works on the node without nftables");
	if (withNftables && here.nat.tracked() === 0) throw new Error("Cannot compare: nftables translated nothing");
	return [
		...changes.map((row) => ({ ...row, name: `${title}: ${row.name}` })),
		...rowsOf(times, "host", `${title}, client on the node`),
		...rowsOf(times, "pod", `${title}, client in a pod`),
	];
}

export async function bench(): Promise<readonly BenchRow[]> {
	const rows = [...(await measureCase(10)), ...(await measureCase(10_000))];
	if (Bun.which("nft") !== null) return rows;
	return [
		...rows,
		{ name: "nftables: skipped, nft is not installed (apt-get install nftables)", value: 0, unit: "rows" },
	];
}
