// A soak: an agent follows a hub through random changes and faults; between the rounds all is calm, and the kernel must be right.

import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { type OpenMaps, openMaps } from "../../src/datapath/datapath.ts";
import { MAP_NAMES } from "../../src/datapath/maps.ts";
import type { Plan } from "../../src/plan/plan_types.ts";
import { memoryOf } from "../bench/process_figures.ts";
import { type AgentPlace, type AgentProcess, agentPlace, SOURCES } from "../support/agent_place.ts";
import { client } from "../support/client.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { lab } from "../support/lab.ts";
import { until } from "../support/wait.ts";
import { createDeck, createDice, type Dice } from "./dice.ts";
import { createFaults, type FaultSet, type Faults, RULES, USER } from "./faults.ts";
import { behindOwnRedirects, guardedPods, type Identities, OURS } from "./guarded.ts";
import {
	difference,
	expectedFrontends,
	expectedPlan,
	expectedState,
	frontendsOf,
	kernelState,
	shownFrontends,
} from "./kernel_state.ts";
import { NODE } from "./objects.ts";
import { connectSteadily, findAstray, findUnrefused, type SteadyClient } from "./traffic.ts";
import { createWorld, type World } from "./world.ts";

export interface SoakOptions {
	readonly seed: number;
	/** Changes of each round; as long as this gives any. */
	readonly rounds: Iterable<number>;
	/** In every so many rounds faults strike, too, that a client needs half a minute and more for; 0: never. */
	readonly slowEvery: number;
	/** Of so many rounds those in which lists are made anyway: the agent is killed, and stopped, and started again. After them one process lives to the end. */
	readonly restarts: number;
	/** Milliseconds of rest in each calm, for the runtime to clean up before memory is measured. */
	readonly rest: number;
	/** How the agent is run. Default: from the sources. */
	readonly program?: readonly string[];
	/** After each round. */
	readonly onRound?: (round: Round) => void;
}

/** What was seen in the calm after some changes. */
export interface Round {
	/** So far. */
	readonly changes: number;
	readonly faults: number;
	/** Milliseconds from the end of the faults until the kernel held what the hub has. */
	readonly followed: number;
	/** The agent's process. */
	readonly pid: number;
	/** Bytes that are no file's. */
	readonly memory: number;
	readonly descriptors: number;
	/** Of the maps that the agent writes. */
	readonly elements: number;
	readonly frontends: number;
	/** Of the frontends, and what guards them. */
	readonly redirects: number;
	readonly guards: number;
	readonly backends: number;
	/** Connections and datagrams of the steady client that arrived, so far. */
	readonly arrived: number;
}

export interface SoakResult {
	readonly rounds: readonly Round[];
	/** How often each kind of fault struck. */
	readonly faults: ReadonlyMap<string, number>;
	/** Lines of the agents' logs that no fault explains. */
	readonly strange: readonly string[];
}

/** Milliseconds: the longest pause of a client after failures, and what it does then. */
const PATIENCE = 120_000;
/** Milliseconds at the most between two bursts of changes. */
const PACE = 100;

/** Milliseconds between bookmarks; API servers send one a minute. */
const BOOKMARK = 5000;

interface Stage {
	readonly hub: TestHub;
	readonly world: World;
	readonly faults: Faults;
	readonly dice: Dice;
	readonly place: AgentPlace;
	readonly maps: OpenMaps;
	readonly steady: SteadyClient;
	/** In one of the pods that its redirects lead to. */
	readonly insider: SteadyClient;
	readonly agents: Agents;
	/** Of the pods that can be found. */
	readonly identities: Identities;
	/** Where connections do not lead as the hub's objects want it. */
	readonly look: (plan: Plan) => Promise<readonly string[]>;
}

/** One agent after the other. */
interface Agents extends AsyncDisposable {
	current(): AgentProcess;
	/** Ends it, and starts the next one after some changes. */
	replace(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
	/** A change has been made. */
	tick(): void;
	/** Starts the next one if there is none. */
	ensure(): void;
	all(): readonly AgentProcess[];
}

function createAgents(start: () => AgentProcess, dice: Dice): Agents {
	const all: AgentProcess[] = [start()];
	let missing = 0;
	const current = (): AgentProcess => {
		const agent = all.at(-1);
		if (agent === undefined) throw new Error("Cannot find an agent");
		return agent;
	};
	const ensure = (): void => {
		if (missing > 0) all.push(start());
		missing = 0;
	};
	return {
		current,
		ensure,
		all: () => all,
		tick() {
			if (missing === 1) ensure();
			else if (missing > 1) missing--;
		},
		async replace(signal) {
			ensure();
			// One that has hardly begun ends as any process does.
			if (signal === "SIGTERM")
				await until("the agent running", async () => (await current().page("/healthz")) !== undefined);
			const code = await current().stop(signal);
			if (signal === "SIGTERM" && code !== 0) throw new Error(`The agent ended with ${code}: ${current().err()}`);
			missing = 1 + dice.below(10);
		},
		async [Symbol.asyncDispose]() {
			for (const agent of all) await agent[Symbol.asyncDispose]();
		},
	};
}

/** Throws when anything is not as it must be. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
	await using stack = new AsyncDisposableStack();
	const stage = await setStage(options, stack);
	const rounds: Round[] = [];
	let changes = 0;
	let faults = 0;
	for (const count of options.rounds) {
		const set = setOf(rounds.length, options);
		const restarts = rounds.length < options.restarts && set !== "resuming";
		faults += await disturb(stage, { count, set, restarts });
		changes += count;
		const round = { changes, faults, ...(await settle(stage, options.rest)) };
		rounds.push(round);
		options.onRound?.(round);
	}
	await compareCommand(stage);
	const strange = stage.agents.all().flatMap(strangeLines);
	return { rounds, faults: stage.faults.counts, strange };
}

/** What a list heals would not be noticed where lists are made all the time: every other round does without. */
function setOf(round: number, { slowEvery }: SoakOptions): FaultSet {
	if (slowEvery > 0 && round % slowEvery === 0) return "all";
	return round % 2 === 0 ? "quick" : "resuming";
}

/** Below the ports that the kernel gives to others while the hub is down (ip_local_port_range). */
const PORTS = { first: 20_000, count: 12_000 } as const;

async function startOnFixedPort(): Promise<TestHub> {
	for (let port = PORTS.first + (process.pid % PORTS.count); ; port++) {
		try {
			const users = { [USER]: { credentials: "token", rules: RULES } } as const;
			return await startHub({ port, timing: { bookmarkMs: BOOKMARK }, users });
		} catch (error) {
			if (!String(error).includes("EADDRINUSE") || port > PORTS.first + PORTS.count) throw error;
		}
	}
}

async function setStage(options: SoakOptions, stack: AsyncDisposableStack): Promise<Stage> {
	const dice = createDice(options.seed);
	const network = stack.use(await lab());
	const place = stack.use(agentPlace());
	const guarded = guardedPods(network, place.cgroup.path, stack);
	const hub = stack.use(await startOnFixedPort());
	const world = createWorld(hub, dice);
	const kubeconfig = kubeconfigOf(place);
	const configure = (): void => {
		writeFileSync(`${kubeconfig}.new`, hub.kubeconfig({ user: USER }));
		renameSync(`${kubeconfig}.new`, kubeconfig);
	};
	configure();
	world.fill();
	const { program = SOURCES } = options;
	const flags = [`--kubeconfig=${kubeconfig}`, `--node-name=${NODE}`];
	const agents = stack.use(createAgents(() => place.start({ flags, program }), dice));
	await agents.current().ready();
	const where = { netns: network.clients.name, cgroup: place.cgroup.path };
	const [walker, looker] = [stack.use(client(where)), stack.use(client(where))];
	return {
		hub,
		world,
		dice,
		place,
		agents,
		identities: guarded.identities,
		faults: createFaults({ hub, world, dice, configure }),
		maps: stack.use(openMaps(place.pins)),
		steady: stack.use(connectSteadily(walker)),
		insider: stack.use(connectSteadily(guarded.walker, OURS)),
		look: async (plan) => [
			...(await findAstray(looker, frontendsOf(plan), dice)),
			...(await findAstray(guarded.looker, behindOwnRedirects(plan, frontendsOf(plan)), dice)),
			...(await findUnrefused(looker, plan.addresses, dice)),
		],
	};
}

interface Disturbance {
	/** Changes. */
	readonly count: number;
	readonly set: FaultSet;
	readonly restarts: boolean;
}

/** Returns how many faults struck. */
async function disturb(stage: Stage, { count, set, restarts }: Disturbance): Promise<number> {
	const { dice, world, faults, agents } = stage;
	const end = createDeck(dice, ["SIGKILL", "SIGTERM"] as const);
	// Both ends within a round, wherever they fall.
	const ends = new Set(restarts ? [dice.below(count), dice.below(count)] : []);
	let struck = 0;
	for (let made = 0; made < count; made++) {
		world.change();
		agents.tick();
		await faults.tick();
		if (ends.has(made)) await agents.replace(end());
		if (dice.percent(12)) {
			await faults.strike(set);
			struck++;
		}
		// Bursts, and pauses in which events get through.
		if (dice.percent(40)) await Bun.sleep(dice.below(PACE));
		assertSteady(stage);
	}
	return struck;
}

function assertSteady({ steady, insider }: Stage): void {
	const failures = [...steady.failures, ...insider.failures];
	if (failures.length === 0) return;
	throw new Error(`A Service that always has endpoints was not reached:\n${failures.slice(0, 10).join("\n")}`);
}

function planOf({ hub, place }: Stage): Plan {
	return expectedPlan(hub, { nodeName: NODE, hubName: `Kubernetes, current context of ${kubeconfigOf(place)}` });
}

function kubeconfigOf({ folder }: AgentPlace): string {
	return `${folder}/kubeconfig`;
}

/** Takes the faults away, waits for the kernel to be right, and measures. */
async function settle(stage: Stage, rest: number): Promise<Omit<Round, "changes" | "faults">> {
	const { faults, agents, maps, steady, look } = stage;
	agents.ensure();
	await faults.calm();
	const plan = planOf(stage);
	const [frontends, expected] = [frontendsOf(plan), expectedState(plan, stage.identities)];
	const started = performance.now();
	await waitUntilFollowed(stage, expected);
	const followed = performance.now() - started;
	// A little more, and it must still be so: what was deleted late would show now.
	await Bun.sleep(rest);
	const late = difference(expected, kernelState(maps.maps));
	if (late.length > 0) throw new Error(`The kernel did not stay as it must be:\n${late.slice(0, 20).join("\n")}`);
	const astray = await look(plan);
	if (astray.length > 0) throw new Error(`Connections lead elsewhere:\n${astray.join("\n")}`);
	assertSteady(stage);
	const { slot, storage } = maps.faults();
	if (slot + storage > 0)
		throw new Error(`The programs had to let connections through: ${slot} slot, ${storage} storage`);
	const { pid } = agents.current();
	const backends = new Set(frontends.flatMap(({ active, terminating }) => [...active, ...terminating])).size;
	return {
		followed,
		pid,
		memory: memoryOf(pid).anonymous,
		descriptors: readdirSync(`/proc/${pid}/fd`).length,
		elements: MAP_NAMES.reduce((sum, name) => sum + maps.maps.dump(name).size, 0),
		frontends: frontends.length,
		redirects: frontends.filter(({ redirect }) => redirect !== undefined).length,
		guards: maps.maps.dump("guards").size,
		backends,
		arrived: steady.arrived(),
	};
}

async function waitUntilFollowed({ agents, maps }: Stage, expected: readonly string[]): Promise<void> {
	let last: readonly string[] = [];
	let status = "";
	const isFollowed = async (): Promise<boolean> => {
		status = (await agents.current().page("/status"))?.body ?? "no answer";
		if (!status.includes('"ready": true') || !isFresh(status)) return false;
		last = difference(expected, kernelState(maps.maps));
		return last.length === 0;
	};
	try {
		await until("followed, with the kernel as it must be", isFollowed, PATIENCE);
	} catch (cause) {
		const log = agents.current().log();
		const lines = log.filter(({ msg }) => msg !== "resolution").slice(-8);
		const told = lines.map((line) => JSON.stringify(line));
		const facts = [...last.slice(0, 20), status, ...told, agents.current().err()].join("\n");
		throw new Error(`Cannot see the hub's state in the kernel:\n${facts}`, { cause });
	}
}

/** No hub is stale. */
function isFresh(status: string): boolean {
	const { hubs }: { hubs: readonly { staleSince: string | null; synced: boolean }[] } = JSON.parse(status);
	return hubs.every(({ staleSince, synced }) => synced && staleSince === null);
}

/** What people see is the same. */
async function compareCommand(stage: Stage): Promise<void> {
	const shown = shownFrontends((await stage.place.run("frontends", "-o", "json")).out);
	const differences = difference(expectedFrontends(planOf(stage)), shown);
	if (differences.length > 0) throw new Error(`frontends -o json says otherwise:\n${differences.join("\n")}`);
}

/** Errors, and exceptions that are no error of the hub's. */
function strangeLines(agent: AgentProcess): readonly string[] {
	const odd = agent.log().filter(({ level, err }) => level === "error" || level === "fatal" || isException(err));
	return [...odd.map((line) => JSON.stringify(line)), ...(agent.err() === "" ? [] : [agent.err()])];
}

/** pino's `type` is the error's class. */
function isException(err: unknown): boolean {
	return /^(Type|Range|Reference|Syntax)Error$/.test(String(Object(err).type));
}
