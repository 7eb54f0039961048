// Random clusters in the real kernel, and random packets by real sockets: the programs do what the oracle says, whoever wrote the maps before.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { describeMap } from "../../src/datapath/describe.ts";
import { createWriter, type Writer } from "../../src/datapath/writer.ts";
import type { Question, Scope } from "../../src/plan/explain/explanation.ts";
import { explain } from "../../src/plan/explain.ts";
import { createPlanner } from "../../src/plan/plan.ts";
import { EMPTY_PLAN, type HubSnapshot, type Plan, type Self } from "../../src/plan/plan_types.ts";
import { renderPlan } from "../../src/plan/render.ts";
import { type Cgroup, cgroup } from "../support/cgroup.ts";
import { client } from "../support/client.ts";
import { datapath, type TestDatapath } from "../support/datapath.ts";
import { createExpectation, type Sent } from "../support/expectation.ts";
import { mapsText } from "../support/maps_text.ts";
import type { Netns } from "../support/netns.ts";
import { openNet, openPackets, type Packet, type Packets } from "../support/packets.ts";
import { checkAsyncProperty } from "../support/property.ts";
import { createRandom, type Random } from "../support/random.ts";
import { applyEdits, edit, emptyHubs, self } from "../support/random_cluster.ts";
import { questionsOf } from "../support/random_questions.ts";

/** Histories, each of some clusters; BALANCING_RUNS multiplies them. */
const RUNS = 80;
const PACKETS = 40;
/** To look for a smaller history that fails. */
const PATIENCE_MS = 60_000;
/** Chance must not have passed by what is compared. */
const KINDS = [
	...["pass without a frontend", "refuse without a frontend", "kept flow", "kept client"],
	...["ServiceClusterIP", "ServiceNodeport", "ServiceExternalIP"].flatMap((mode) => [
		`refuse ${mode}`,
		`translate ${mode}`,
	]),
];

// No test is about time; a busy machine may take long, and thousands of histories longer.
setDefaultTimeout(3_600_000);

/** What happens between two looks; the host's own addresses may change with it, and now and then the agent is another one. */
const round = fc.record({
	edits: fc.array(edit, { minLength: 2, maxLength: 30, size: "max" }),
	self,
	restarts: fc.integer({ min: 0, max: 15 }).map((number) => number === 1),
	seed: fc.nat(),
});
const history = fc.record({ self, rounds: fc.array(round, { minLength: 1, maxLength: 8, size: "max" }) });
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

const stack = new AsyncDisposableStack();
let group: Cgroup;
let nets: Readonly<Record<Scope, Netns>>;
let clients: Readonly<Record<Scope, Packets>>;
let hostNetns: bigint;
let canSetRetval: boolean;
let bpf: TestDatapath;
let writer: Writer;

beforeAll(async () => {
	group = stack.use(cgroup());
	nets = { host: stack.use(openNet()), pod: stack.use(openNet()) };
	clients = { host: stack.use(openPackets(nets.host, group.path)), pod: stack.use(openPackets(nets.pod, group.path)) };
	hostNetns = await cookieOf(nets.host);
});

afterAll(() => stack.disposeAsync());

/** Of the namespace that loopback is the node's in. */
async function cookieOf({ name }: Netns): Promise<bigint> {
	await using within = client({ netns: name });
	await within.ask("socket a inet udp");
	return BigInt(await within.ask("cookie a"));
}

interface World {
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
	readonly plan: Plan;
}

/** What the kernel holds at the beginning is nothing. */
async function empty(): Promise<void> {
	for (const each of Object.values(clients)) await each.reset();
	write(EMPTY_PLAN);
}

/** Another agent begins with what is in the maps. */
function restart(): void {
	writer = createWriter({ maps: bpf.maps, capacity: CAPACITY, firstGeneration: 1 });
}

function write(plan: Plan): void {
	const { failures, problems, pending } = writer.write(plan, { synced: true });
	expect({ failures, problems, pending }).toEqual({ failures: [], problems: [], pending: 0 });
}

function packetOf({ ip, port, protocol }: Question, random: Random): Packet {
	const pick = <const T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
	const call = protocol === "TCP" ? "tcp" : pick(["udp", "sendto", "a", "b", "c"]);
	return { call, family: ip.includes(":") ? "inet6" : pick(["inet", "inet6"]), ip, port };
}

/**
 * Programs that cannot say ECONNREFUSED (Linux before 5.18) say EPERM to a sendto(), and send a connection to port 0 of the loopback, where
 * it is refused: nobody asks for that port. A datagram to there from a v4-mapped peer is EINVAL.
 */
function refusalOr(answer: string, { call }: Packet): string {
	if (canSetRetval) return answer;
	if (answer.endsWith("|0") && call !== "sendto") return "ECONNREFUSED";
	const [connected, unconnected] = ["EINVAL", "EPERM"];
	return answer === (call === "tcp" || call === "udp" ? connected : unconnected) ? "ECONNREFUSED" : answer;
}

/** What is sent and what came of it, in the order in which the kernel saw it. */
async function send(questions: readonly Question[], random: Random): Promise<readonly Omit<Sent, "explanation">[]> {
	const packets = questions.map((question) => ({ question, packet: packetOf(question, random) }));
	const sent: Omit<Sent, "explanation">[] = [];
	for (const scope of ["host", "pod"] as const) {
		const some = packets.filter(({ question }) => question.client.scope === scope);
		const answers = await clients[scope].send(some.map(({ packet }) => packet));
		for (const [index, each] of some.entries()) {
			const { went = "", peer = "" } = answers[index] ?? {};
			sent.push({ ...each, answer: refusalOr(went, each.packet), peer });
		}
	}
	return sent;
}

function describeFailure(
	{ plan, hubs, self: who }: World,
	{ packet, explanation, answer }: Sent,
	wanted: string,
): string {
	return [
		`Packet ${JSON.stringify(packet)} gave ${answer}, and should have given ${wanted}`,
		...explanation.steps,
		...explanation.endpoints.map((endpoint) => JSON.stringify(endpoint)),
		`because ${explanation.because}`,
		`Kernel:\n${mapsText(bpf.maps)}`,
		...(["addresses", "affinities"] as const).flatMap((map) =>
			describeMap(bpf.maps, map).map((each) => Bun.inspect(each, { compact: true })),
		),
		`Plan:\n${renderPlan(plan)}`,
		Bun.inspect({ self: who, hubs }, { depth: 20 }),
	].join("\n");
}

type Tally = (kind: string, times?: number) => unknown;

/** Throws where the kernel did something else than the oracle says. */
async function live({ self: who, rounds }: History, count: number, tally: Tally): Promise<void> {
	await empty();
	const expectation = createExpectation();
	let [hubs, planner] = [emptyHubs(count), createPlanner()];
	for (const { edits, self: now, restarts, seed } of rounds) {
		if (restarts) {
			restart();
			planner = createPlanner();
		}
		hubs = applyEdits(
			hubs,
			edits.filter(({ kind }) => kind !== "policy"),
		);
		const self = { ...who, addresses: now.addresses };
		const world = { hubs, self, plan: planner(hubs, self) };
		write(world.plan);
		expectation.program(world.plan);
		const random = createRandom(seed);
		for (const each of await send(questionsOf(hubs, self, random, PACKETS), random)) {
			const sent: Sent = { ...each, explanation: explain(hubs, self, each.question) };
			const wanted = expectation.judge(sent);
			if (wanted !== undefined) throw new Error(describeFailure(world, sent, wanted));
			tally(`${sent.explanation.verdict.kind} ${sent.explanation.frontend?.mode ?? "without a frontend"}`);
		}
	}
	const { flows, clients: sticky } = expectation.kept();
	tally("kept flow", flows);
	tally("kept client", sticky);
}

/** The search for a smaller failure ends some time, so that one is seen at all. */
function withPatience(run: (history: History) => Promise<void>): (history: History) => Promise<void> {
	let end = Number.POSITIVE_INFINITY;
	return async (each) => {
		if (performance.now() > end) return;
		try {
			await run(each);
		} catch (error) {
			if (end === Number.POSITIVE_INFINITY) end = performance.now() + PATIENCE_MS;
			throw error;
		}
	};
}

describe.each([
	["of one hub", 1, true],
	["of two hubs", 2, true],
	["without bpf_set_retval", 2, false],
] as const)("programs %s", (name, count, isNew) => {
	test("do what the oracle says", async () => {
		using opened = datapath(group.path, { withoutSetRetval: !isNew, hostNetns });
		bpf = opened;
		canSetRetval = isNew;
		restart();
		const counts = new Map<string, number>();
		const tally: Tally = (kind, times = 1) => counts.set(kind, (counts.get(kind) ?? 0) + times);
		const property = fc.asyncProperty(
			history,
			withPatience((each) => live(each, count, tally)),
		);
		await checkAsyncProperty(`kernel and oracle, programs ${name}`, property, RUNS);
		console.log(
			[...counts]
				.map(([kind, times]) => `${kind} ${times}`)
				.sort()
				.join(", "),
		);
		for (const kind of KINDS) expect([kind, counts.get(kind) ?? 0]).toSatisfy(([, times]) => Number(times) > 0);
	});
});
