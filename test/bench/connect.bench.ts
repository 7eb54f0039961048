// What connect() costs with the programs attached: against a direct one, in turns, in one process.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { ringBuffer } from "bun-ffi-libbpf";
import { cgroupId } from "../../src/datapath/attach.ts";
import type { Affinity } from "../../src/plan/plan_types.ts";
import { cgroup, cgroupMount } from "../support/cgroup.ts";
import { must } from "../support/command.ts";
import { compiled } from "../support/compile.ts";
import { datapath, type Spec, type SpecRedirect, type TestDatapath, type TestSettings } from "../support/datapath.ts";
import { netns } from "../support/netns.ts";
import { server } from "../support/server.ts";
import type { BenchRow } from "./row.ts";

/** Connects of each kind in one round, and rounds. */
const COUNT = 4000;
const ROUNDS = 5;
const STATS = "/proc/sys/kernel/bpf_stats_enabled";

/** Nanoseconds: connect(), and connect() + close(). */
interface Times {
	readonly connect: number;
	readonly total: number;
}

interface Place extends Disposable {
	readonly netns: string;
	/** The cgroup with the programs on it. */
	readonly inside: string;
	/** Runs connect.c; targets as `LABEL,KIND,CGROUP,ADDRESS,PORT`. */
	measure(targets: readonly string[]): ReadonlyMap<string, Times>;
}

interface Case {
	readonly name: string;
	readonly settings: TestSettings;
	/** Frontends in the map. */
	readonly frontends: number;
	/** Known addresses in theirs; some by default. */
	readonly addresses?: number;
}

/** Those that are measured. */
const FEW = 20;

const CASES: readonly Case[] = [
	{ name: "20 frontends", settings: {}, frontends: FEW },
	{ name: "10,000 frontends", settings: {}, frontends: 10_000 },
	{ name: "50,000 frontends and addresses", settings: {}, frontends: 50_000, addresses: 50_000 },
	{ name: "20 frontends, events at 1000/s", settings: { events: "all", eventsRate: 1000 }, frontends: FEW },
	{ name: "20 frontends, every event", settings: { events: "all" }, frontends: FEW },
	{ name: "10,000 frontends, every event", settings: { events: "all" }, frontends: 10_000 },
];

/**
 * A network whose default route ends in a wire that nobody holds at the other end, so that a SYN costs little, and one
 * without a way out (10.8.0.0/16), so that connect() of TCP ends where its own work would begin.
 */
function place(): Place {
	using stack = new DisposableStack();
	const net = stack.use(netns());
	const inside = stack.use(cgroup());
	net.ip("link", "add", "cut", "type", "veth", "peer", "name", "end");
	// With ARP a SYN would wait for an answer, and be freed, its socket with it, by the next one.
	net.ip("link", "set", "cut", "arp", "off", "up");
	net.ip("address", "add", "10.9.255.1/16", "dev", "cut");
	net.ip("route", "add", "unreachable", "10.8.0.0/16");
	const client = compiled("test/bench/connect.c");
	const processor = String(cpus().length - 1);

	function measure(targets: readonly string[]): ReadonlyMap<string, Times> {
		const times = new Map<string, Times>();
		for (const line of must(client, net.name, String(COUNT), String(ROUNDS), processor, ...targets)
			.trim()
			.split("\n")) {
			const [label = "", connect, total] = line.split(" ");
			times.set(label, { connect: Number(connect), total: Number(total) });
		}
		return times;
	}

	const held = stack.move();
	return { netns: net.name, inside: inside.path, measure, [Symbol.dispose]: () => held.dispose() };
}

/** Of a frontend: one that shares a group with others whose backends it does not have would choose anew each time. */
function affinity(group: string): Affinity {
	return { group, client: "netns", seconds: 10_800 };
}

/** A cluster IP, of which no port is measured that it has, a node, and others to make them as many as are wanted. */
function known(addresses: number): Readonly<Record<string, string>> {
	const others = Array.from({ length: addresses - 2 }, (_, n) => [`10.101.${n >> 8}.${n & 255}`, "cluster-ip"]);
	return { "10.96.0.7": "cluster-ip", "10.96.0.8": "remote 0.0.0.1", ...Object.fromEntries(others) };
}

/** Who goes past the redirects of this group: all that is measured. */
const GUARDED = "guarded";

/** Redirects at this port; past them are backends of another address. */
function redirects(port: number, protocol: "TCP" | "UDP", ip: string): readonly Spec[] {
	const to = [`${ip}:8080/${protocol}`];
	const next = { to: [`${ip}:8081/${protocol}`], keepsPeer: false };
	const ways: readonly SpecRedirect[] = [{}, { limit: 0xffff_ffff }, { guard: GUARDED }, { limit: 1 }];
	return ways.map((way, n) => ({
		at: `10.96.0.${20 + n}:${port}/${protocol}`,
		to,
		keepsPeer: false,
		redirect: { guard: "others", next, ...way },
	}));
}

/** The frontends that are measured, and others to make them as many as are wanted. */
function specs(frontends: number): readonly Spec[] {
	const measured: Spec[] = [
		{ at: "10.96.0.1:80/UDP", to: ["10.9.0.1:8080/UDP"] },
		{ at: "10.96.0.1:80/TCP", to: ["10.9.0.1:8080/TCP"], keepsPeer: false },
		{ at: "10.96.0.2:80/TCP", to: ["10.9.0.1:8080/TCP"], keepsPeer: true },
		{ at: "10.96.0.3:80/TCP", to: ["10.8.0.1:8080/TCP"], keepsPeer: false },
		{ at: "10.96.0.4:80/TCP", to: ["10.8.0.1:8080/TCP"], keepsPeer: true },
		{ at: "10.96.0.5:80/TCP", to: ["127.0.0.1:8080/TCP"], keepsPeer: false },
		...["10.9.0.1", "10.8.0.1"].flatMap((to, n): readonly Spec[] => [
			{ at: `0.0.0.1:3008${n}/TCP`, to: [`${to}:8080/TCP`], keepsPeer: false },
			{ at: `10.96.0.6:8${n}/TCP`, to: [`${to}:8080/TCP`], keepsPeer: false, affinity: affinity(to) },
		]),
		{ at: "0.0.0.1:30080/UDP", to: ["10.9.0.1:8080/UDP"] },
		{ at: "10.96.0.6:80/UDP", to: ["10.9.0.1:8080/UDP"], affinity: affinity("udp") },
		...redirects(80, "UDP", "10.9.0.1"),
		...redirects(80, "TCP", "10.8.0.1"),
	];
	const others = Array.from({ length: frontends - measured.length }, (_, n): Spec => {
		return { at: `10.100.${n >> 8}.${n & 255}:80/TCP`, to: ["10.9.0.1:8080/TCP"] };
	});
	return [...measured, ...others];
}

const REDIRECTS = {
	redirect: "10.96.0.20,80",
	limit: "10.96.0.21,80",
	guarded: "10.96.0.22,80",
	over: "10.96.0.23,80",
} as const;

/** Each against the direct connect() of its kind; `to` and `port` are the backend's. */
const KINDS = [
	{
		name: "UDP",
		kind: "udp",
		to: "10.9.0.1,8080",
		unknown: "10.96.0.7,80",
		state: "10.96.0.1,80",
		node: "10.96.0.8,30080",
		sticky: "10.96.0.6,80",
		...REDIRECTS,
	},
	{
		name: "TCP without a packet",
		kind: "tcp",
		to: "10.8.0.1,8080",
		unknown: "10.96.0.7,80",
		plain: "10.96.0.3,80",
		state: "10.96.0.4,80",
		node: "10.96.0.8,30081",
		sticky: "10.96.0.6,81",
		...REDIRECTS,
	},
	{
		name: "TCP with a SYN",
		kind: "tcp",
		to: "10.9.0.1,8080",
		unknown: "10.96.0.7,80",
		plain: "10.96.0.1,80",
		state: "10.96.0.2,80",
		node: "10.96.0.8,30080",
		sticky: "10.96.0.6,80",
	},
] as const;

function targetsOf(inside: string): readonly string[] {
	return KINDS.flatMap(({ name: _, kind, to, ...frontends }, index) => [
		`${index}direct,${kind},${cgroupMount()},${to}`,
		`${index}miss,${kind},${inside},${to}`,
		...Object.entries(frontends).map(([label, at]) => `${index}${label},${kind},${inside},${at}`),
	]);
}

const LABELS = [
	{ label: "miss", name: "no frontend", budget: 120 },
	{ label: "unknown", name: "port that a cluster IP does not have: refused, no connect()" },
	{ label: "plain", name: "frontend without state", budget: 200 },
	{ label: "state", name: "frontend with state", budget: 1000 },
	{ label: "node", name: "node port (TCP: without state)" },
	{ label: "sticky", name: "known client (TCP: without state)" },
	{ label: "redirect", name: "redirect (TCP: without state)" },
	{ label: "limit", name: "redirect within its limit" },
	{ label: "guarded", name: "redirect's own backend, to who is next" },
	{ label: "over", name: "redirect over its limit, to who is next" },
] as const;

/** `withBudget`: whether what is asked of connect() is asked here. */
function rowsOf(name: string, times: ReadonlyMap<string, Times>, withBudget: boolean): readonly BenchRow[] {
	return KINDS.flatMap((kind, index) => {
		const direct = times.get(`${index}direct`);
		if (direct === undefined) throw new Error(`Cannot measure ${kind.name}: the client said nothing`);
		const rows: BenchRow[] = [{ name: `${name}: direct connect(), ${kind.name}`, value: direct.connect, unit: "ns" }];
		for (const { label, name: what, ...rest } of LABELS) {
			const found = times.get(`${index}${label}`);
			if (found === undefined) continue;
			const row = { name: `${name}:   ${what}`, value: found.connect - direct.connect, unit: "ns more" };
			rows.push(withBudget ? { ...row, ...rest } : row);
		}
		const state = times.get(`${index}state`)?.total ?? Number.NaN;
		rows.push({ name: `${name}:   the same with its close()`, value: state - direct.total, unit: "ns more" });
		return rows;
	});
}

/** By its cgroup, as a pod in the host's network is known. */
function guardAll({ guards }: TestDatapath, { inside }: Place): void {
	const level = inside.slice(cgroupMount().length + 1).split("/").length;
	const failures = guards.add(new Map([[GUARDED, [{ kind: "cgroup", id: cgroupId(inside), level }]]]));
	if (failures.length > 0) throw new Error(`Cannot guard ${inside}: ${JSON.stringify(failures)}`);
}

function measureCase({ name, settings, frontends, addresses = 10 }: Case): readonly BenchRow[] {
	using here = place();
	using bpf = datapath(here.inside, settings);
	bpf.know(known(addresses));
	guardAll(bpf, here);
	bpf.program(...specs(frontends));
	using _reader = ringBuffer(bpf.events, () => {});
	const rows = rowsOf(name, here.measure(targetsOf(here.inside)), settings.events === undefined);
	const faults = bpf.faults();
	if (faults.slot + faults.storage > 0) throw new Error(`Cannot believe these figures: ${JSON.stringify(faults)}`);
	return rows;
}

/** What a program took by the kernel's own clock, which is dear itself: what lies beneath is to be taken away. */
function measurePrograms(): readonly BenchRow[] {
	const before = readFileSync(STATS, "utf8");
	using here = place();
	using bpf = datapath(here.inside);
	bpf.know(known(10));
	guardAll(bpf, here);
	bpf.program(...specs(FEW));
	const stats = () => {
		const [program] = JSON.parse(must("bpftool", "--json", "cgroup", "show", here.inside)).filter(
			({ name }: { readonly name: string }) => name === "sock4_connect",
		);
		const { run_time_ns = 0, run_cnt = 0 } = JSON.parse(
			must("bpftool", "--json", "prog", "show", "id", String(program.id)),
		);
		return { time: run_time_ns, count: run_cnt };
	};
	writeFileSync(STATS, "1");
	try {
		return [
			["no frontend", "tcp", "10.8.0.1,8080"],
			["frontend without state", "tcp", "10.96.0.3,80"],
			["frontend with state", "tcp", "10.96.0.4,80"],
			["UDP frontend", "udp", "10.96.0.1,80"],
			["port that a cluster IP does not have", "tcp", "10.96.0.7,80"],
			["node port without state", "tcp", "10.96.0.8,30081"],
			["known client without state", "tcp", "10.96.0.6,81"],
			["redirect without state", "tcp", "10.96.0.20,80"],
			["redirect within its limit", "tcp", "10.96.0.21,80"],
			["redirect's own backend", "tcp", "10.96.0.22,80"],
			["redirect over its limit", "tcp", "10.96.0.23,80"],
		].map(([name, kind, to]) => {
			const from = stats();
			here.measure([`one,${kind},${here.inside},${to}`]);
			const until = stats();
			const value = (until.time - from.time) / (until.count - from.count);
			return { name: `sock4_connect by bpf_stats: ${name}`, value, unit: "ns" };
		});
	} finally {
		writeFileSync(STATS, before);
	}
}

/** A whole TCP connection over the loopback, as applications see it. */
async function measureLoopback(): Promise<readonly BenchRow[]> {
	using here = place();
	using _server = await server(here.netns, [8080]);
	using bpf = datapath(here.inside);
	bpf.program(...specs(FEW));
	const outside = cgroupMount();
	const times = here.measure([`direct,wait,${outside},127.0.0.1,8080`, `through,wait,${here.inside},10.96.0.5,80`]);
	const [direct, through] = [times.get("direct"), times.get("through")];
	if (direct === undefined || through === undefined) throw new Error("Cannot measure: the client said nothing");
	return [
		{ name: "TCP over the loopback: direct connect()", value: direct.connect, unit: "ns" },
		{ name: "TCP over the loopback:   through a frontend", value: through.connect - direct.connect, unit: "ns more" },
	];
}

export async function bench(): Promise<readonly BenchRow[]> {
	return [...CASES.flatMap(measureCase), ...(await measureLoopback()), ...measurePrograms()];
}
