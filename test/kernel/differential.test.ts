// Random clusters in the real kernel, and random packets by real sockets: the programs do what the oracle says, whoever wrote the maps before.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { describeMap } from "../../src/datapath/describe.ts";
import type { Identity } from "../../src/datapath/guards.ts";
import { createWriter, type Writer } from "../../src/datapath/writer.ts";
import type { Question, Scope } from "../../src/plan/explain/explanation.ts";
import { explain } from "../../src/plan/explain.ts";
import { createPlanner } from "../../src/plan/plan.ts";
import {
	EMPTY_PLAN,
	type GuardedPod,
	type HubSnapshot,
	type Plan,
	type Quarantine,
	type Self,
} from "../../src/plan/plan_types.ts";
import { renderPlan } from "../../src/plan/render.ts";
import { type Cgroup, cgroup, cgroupMount } from "../support/cgroup.ts";
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
const RUNS = 120;
const PACKETS = 40;
/** To look for a smaller history that fails. */
const PATIENCE_MS = 60_000;
/** Chance must not have passed by what is compared. */
const KINDS = [
	...["pass without a frontend", "refuse without a frontend", "kept flow", "kept client"],
	...["ServiceClusterIP", "ServiceNodeport", "ServiceExternalIP", "balancingPod", "balancingAddress"].flatMap(
		(mode) => [`refuse ${mode}`, `translate ${mode}`],
	),
	...["balanced by nodes", "quarantined", "redirected", "limited", "own pod"],
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

const SCOPES = ["host", "pod"] as const;
const stack = new AsyncDisposableStack();
let group: Cgroup;
let nets: Readonly<Record<Scope, Netns>>;
let clients: Readonly<Record<Scope, Packets>>;
let hostNetns: bigint;
/** By what the kernel knows the clients. */
let identities: Readonly<Record<Scope, Identity>>;
let canSetRetval: boolean;
let bpf: TestDatapath;
let writer: Writer;

beforeAll(async () => {
	group = stack.use(cgroup());
	nets = { host: stack.use(openNet()), pod: stack.use(openNet()) };
	const groups = { host: stack.use(cgroup(group.path)), pod: stack.use(cgroup(group.path)) };
	clients = {
		host: stack.use(openPackets(nets.host, groups.host.path)),
		pod: stack.use(openPackets(nets.pod, groups.pod.path)),
	};
	hostNetns = await cookieOf(nets.host);
	identities = {
		// A Pod on the host's network is known by its cgroup alone.
		host: { kind: "cgroup", id: groups.host.id, level: levelOf(groups.host) },
		pod: { kind: "netns", cookie: await cookieOf(nets.pod) },
	};
});

afterAll(() => stack.disposeAsync());

/** Of the namespace that loopback is the node's in. */
async function cookieOf({ name }: Netns): Promise<bigint> {
	await using within = client({ netns: name });
	await within.ask("socket a inet udp");
	return BigInt(await within.ask("cookie a"));
}

/** The root of cgroup v2 is at level 0. */
function levelOf({ path }: Cgroup): number {
	return path.slice(cgroupMount().length).split("/").length - 1;
}

interface World {
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
	readonly plan: Plan;
	readonly quarantine: Quarantine;
	/** Which Pods the clients are. */
	readonly pods: Pods;
}

type Pods = Readonly<Record<Scope, string | undefined>>;

/** What the kernel holds at the beginning is nothing. */
async function empty(): Promise<void> {
	for (const each of Object.values(clients)) await each.reset();
	write(EMPTY_PLAN, { host: undefined, pod: undefined });
}

/** Another agent begins with what is in the maps. */
function restart(): void {
	writer = createWriter({ maps: bpf.maps, capacity: CAPACITY, firstGeneration: 1 });
}

function write(plan: Plan, pods: Pods): void {
	const guards = new Map([...plan.guards].map(([name, own]) => [name, identitiesOf(own, pods)]));
	expect(bpf.guards.add(guards)).toEqual([]);
	const { failures, problems, pending } = writer.write(plan, { synced: true });
	expect({ failures, problems, pending }).toEqual({ failures: [], problems: [], pending: 0 });
	expect(bpf.guards.prune(guards, bpf.maps.dump("frontends"))).toEqual([]);
}

function identitiesOf(own: readonly GuardedPod[], pods: Pods): readonly Identity[] {
	return SCOPES.flatMap((scope) => (own.some(({ pod }) => pod === pods[scope]) ? [identities[scope]] : []));
}

/** Most often one of this node. */
function choosePods(hubs: readonly HubSnapshot[], { nodeName }: Self, random: Random): Pods {
	const all = hubs.flatMap(({ cluster }) => [...cluster.pods.values()]).filter((pod) => pod.nodeName === nodeName);
	const choose = () => (random() < 0.3 ? undefined : all[Math.floor(random() * all.length)]?.key);
	return { host: choose(), pod: choose() };
}

/** Now and then some of what is probed has failed. */
function chooseQuarantine({ probes }: Plan, random: Random): Quarantine {
	const share = random() < 0.25 ? 0 : random();
	return new Set([...probes.keys()].filter(() => random() < share));
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
	for (const scope of SCOPES) {
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
	{ plan, hubs, self: who, quarantine, pods }: World,
	{ packet, explanation, answer }: Sent,
	wanted: string,
): string {
	return [
		`Packet ${JSON.stringify(packet)} gave ${answer}, and should have given ${wanted}`,
		...explanation.steps,
		...explanation.endpoints.map((endpoint) => JSON.stringify(endpoint)),
		`because ${explanation.because}`,
		`Kernel:\n${mapsText(bpf.maps)}`,
		...(["addresses", "affinities", "guards"] as const).flatMap((map) =>
			describeMap(bpf.maps, map).map((each) => Bun.inspect(each, { compact: true })),
		),
		`Plan:\n${renderPlan(plan)}`,
		Bun.inspect({ self: who, pods, quarantine, hubs }, { depth: 20 }),
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
		hubs = applyEdits(hubs, edits);
		const self = { ...who, addresses: now.addresses };
		const random = createRandom(seed);
		const quarantine = chooseQuarantine(planner(hubs, self), random);
		const pods = choosePods(hubs, self, random);
		const world = { hubs, self, plan: planner(hubs, self, quarantine), quarantine, pods };
		write(world.plan, pods);
		expectation.program(world.plan);
		for (const each of await send(questionsIn(world, random), random)) {
			const sent: Sent = { ...each, explanation: explain(hubs, self, each.question, quarantine) };
			const wanted = expectation.judge(sent);
			if (wanted !== undefined) throw new Error(describeFailure(world, sent, wanted));
			for (const kind of kindsOf(sent)) tally(kind);
		}
	}
	const { flows, clients: sticky } = expectation.kept();
	tally("kept flow", flows);
	tally("kept client", sticky);
}

/** Each client is the Pod that it is, or none. */
function questionsIn({ hubs, self, pods }: World, random: Random): readonly Question[] {
	return questionsOf(hubs, self, random, PACKETS).map((question) => {
		const { scope } = question.client;
		const pod = pods[scope];
		return { ...question, client: pod === undefined ? { scope } : { scope, pod } };
	});
}

function kindsOf({ question: { client }, explanation }: Sent): readonly string[] {
	const { verdict, frontend, limited, steps } = explanation;
	const { kind } = verdict;
	const { mode = "without a frontend" } = frontend ?? {};
	const isOwn = steps.some((step) => step === `Pod ${client.pod} is one of its own: it is not redirected`);
	return [
		`${kind} ${mode}`,
		...(mode.startsWith("localRedirect") ? ["redirected"] : []),
		...(kind === "translate" && (mode === "balancingHostPort" || mode === "balancingNodeProxy")
			? ["balanced by nodes"]
			: []),
		...(limited === undefined ? [] : ["limited"]),
		...(isOwn ? ["own pod", `own pod in the ${client.scope}'s network`] : []),
		...(steps.some((step) => step.startsWith("Quarantined") || step.endsWith("all are used")) ? ["quarantined"] : []),
	];
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
