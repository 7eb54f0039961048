// Controllers of a test hub: in this process, or each in one of its own that can be killed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { openControllerHub } from "../../src/agent/controller/controller_hub.ts";
import { type ControllerOptions, runController } from "../../src/agent/controller.ts";
import { controller } from "../../src/cli/controller.ts";
import { parseCommandLine } from "../../src/config/command_line.ts";
import { resolveConfig } from "../../src/config.ts";
import type { LeaseTiming } from "../../src/hub/lease/leader.ts";
import { temporaryFolder } from "./follow_hub.ts";
import { type Rule, rulesOf } from "./hub/access.ts";
import { type HubOptions, startHub, type TestHub } from "./hub/hub.ts";
import { type Fields, fieldsOf } from "./hub/object.ts";
import { recordingLog } from "./log.ts";
import { until } from "./wait.ts";

const EDGE = join(import.meta.dir, "../../edge/kubernetes");
const DEFINITIONS = ["balancing.elf.io_balancingpolicies.yaml", "balancing.elf.io_localredirectpolicies.yaml"];
/** Of the delivered webhook configurations. */
const SERVICE = "balancing/balancing-controller";
/** A tenth and less of the real ones. */
export const QUICK: LeaseTiming = { duration: 1000, deadline: 700, retry: 100 };

const QUICK_PACE = { every: 50, settle: 100 };

/** The objects of a file below edge/kubernetes. */
export function delivered(file: string): readonly Fields[] {
	return parseAllDocuments(readFileSync(join(EDGE, file), "utf8")).map((document) => fieldsOf(document.toJS()));
}

/** What the delivered account may do. */
export function controllerRules(): readonly Rule[] {
	return delivered("controller/controller_account.yaml")
		.filter(({ kind }) => kind === "ClusterRole" || kind === "Role")
		.flatMap((role) => {
			const namespace = fieldsOf(role["metadata"])["namespace"];
			return rulesOf(role, typeof namespace === "string" ? [namespace] : undefined);
		});
}

export type FailurePolicy = "Ignore" | "Fail";

/** With the delivered definitions and account `controller`, and webhooks if that is said; with Fail nothing goes past them unseen. */
export async function hubForControllers(policy?: FailurePolicy, options: HubOptions = {}): Promise<TestHub> {
	const definitions = DEFINITIONS.map((file) => parse(readFileSync(join(EDGE, "../crds", file), "utf8")));
	const hub = await startHub({
		definitions,
		users: { controller: { credentials: "token", rules: controllerRules() } },
		...options,
	});
	hub.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "balancing" } });
	if (policy !== undefined) applyWebhooks(hub, policy);
	return hub;
}

export function applyWebhooks(hub: TestHub, failurePolicy: FailurePolicy): void {
	for (const configuration of delivered("controller/webhooks.yaml")) {
		const webhooks = configuration["webhooks"];
		const changed = (Array.isArray(webhooks) ? webhooks : []).map((webhook) => ({ ...webhook, failurePolicy }));
		hub.apply({ ...configuration, webhooks: changed });
	}
}

export interface RunningController extends AsyncDisposable {
	/** Of its webhooks. */
	port(): number;
	readonly log: ReturnType<typeof recordingLog>;
	/** As SIGTERM does. */
	stop(): Promise<void>;
}

const ports = new WeakMap<TestHub, Set<number>>();

/** The Service's endpoints are those that run. */
function route(hub: TestHub, change: (known: Set<number>) => void): void {
	const known = ports.get(hub) ?? new Set<number>();
	change(known);
	ports.set(hub, known);
	hub.routeService(SERVICE, [...known]);
}

export interface RunOptions extends Partial<Pick<ControllerOptions, "now" | "timing">> {
	/** More of the command line. */
	readonly args?: readonly string[];
	readonly user?: string;
	/** As the kubeconfig has it. Default: where the hub is. */
	readonly server?: string;
	/** False: it will never serve webhooks. */
	readonly waits?: boolean;
}

/** Resolves when it serves its webhooks. */
export async function runOne(hub: TestHub, identity: string, options: RunOptions = {}): Promise<RunningController> {
	const { args = [], user = "controller", timing = QUICK, now = () => new Date() } = options;
	using stack = new DisposableStack();
	const folder = stack.use(temporaryFolder());
	const file = folder.write(
		"config",
		hub.kubeconfig({ user, ...(options.server === undefined ? {} : { server: options.server }) }),
	);
	const log = recordingLog();
	const stop = new AbortController();
	const line = ["--kubeconfig", file, "--listen=off", "--webhook-listen=127.0.0.1:0", ...args];
	const config = resolveConfig(parseCommandLine(line, controller.flags), controller.flags, {});
	const serving = Promise.withResolvers<number>();
	const running = runController({
		config,
		openHub: (signal) => openControllerHub(config, log, signal),
		identity,
		log,
		signal: stop.signal,
		timing,
		certificatePace: QUICK_PACE,
		now,
		onServing: serving.resolve,
	});
	const isServing = options.waits !== false && config["webhook-listen"] !== "off";
	const port = isServing ? await Promise.race([serving.promise, running.then(() => 0)]) : 0;
	if (isServing) route(hub, (known) => known.add(port));
	const end = async (): Promise<void> => {
		route(hub, (known) => known.delete(port));
		stop.abort();
		await running;
	};
	const kept = stack.move();
	return {
		port: () => port,
		log,
		stop: end,
		async [Symbol.asyncDispose]() {
			await end();
			kept.dispose();
		},
	};
}

export interface ControllerProcess extends AsyncDisposable {
	/** SIGKILL: nothing is given back. */
	kill(): Promise<void>;
}

/** Resolves when it serves its webhooks. */
export async function spawnOne(hub: TestHub, identity: string): Promise<ControllerProcess> {
	const folder = temporaryFolder();
	const file = folder.write("config", hub.kubeconfig({ user: "controller" }));
	const child = Bun.spawn([process.execPath, import.meta.path, file, identity], { stdout: "pipe", stderr: "inherit" });
	let said = "";
	const reading = (async () => {
		for await (const chunk of child.stdout) said += new TextDecoder().decode(chunk);
	})();
	const portOf = (): number => Number(/^port (\d+)$/m.exec(said)?.[1] ?? 0);
	await until("the controller serves its webhooks", () => portOf() !== 0);
	route(hub, (known) => known.add(portOf()));
	const kill = async (): Promise<void> => {
		route(hub, (known) => known.delete(portOf()));
		child.kill("SIGKILL");
		await child.exited;
		await reading;
	};
	return {
		kill,
		async [Symbol.asyncDispose]() {
			await kill();
			folder[Symbol.dispose]();
		},
	};
}

/** `bun test/support/controller.ts KUBECONFIG IDENTITY`. */
async function main([kubeconfig = "", identity = ""]: readonly string[]): Promise<void> {
	const line = ["--kubeconfig", kubeconfig, "--listen=off", "--webhook-listen=127.0.0.1:0"];
	const config = resolveConfig(parseCommandLine(line, controller.flags), controller.flags, {});
	const log = recordingLog();
	await runController({
		config,
		openHub: (signal) => openControllerHub(config, log, signal),
		identity,
		log,
		signal: new AbortController().signal,
		timing: QUICK,
		certificatePace: QUICK_PACE,
		onServing: (port) => console.log(`port ${port}`),
	});
}

if (import.meta.main) await main(process.argv.slice(2));
