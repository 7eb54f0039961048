// The demo's stage: a cgroup, two pods, a folder of manifests, the agent; and what takes it all down again.

import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { findCgroupRoot } from "../src/datapath/cgroup.ts";
import { createDemoNetwork, type DemoPod } from "./demo_network.ts";

const ROOT = `${import.meta.dir}/..`;
const BINARY = `${ROOT}/dist/balancing`;
/** Milliseconds that anything may take. */
const TIMEOUT = 10_000;

/** Who answered how often; `error CODE` for what failed. */
export type Seen = Readonly<Record<string, number>>;

export interface Agent {
	stop(signal: "SIGTERM" | "SIGKILL"): Promise<number>;
}

export interface Stage extends AsyncDisposable {
	readonly pods: readonly [DemoPod, DemoPod];
	/** The folder of manifests. */
	writeManifest(name: string, text: string): void;
	removeManifest(name: string): void;
	startAgent(): Promise<Agent>;
	/** What a command prints. */
	balancing(command: string, ...flags: readonly string[]): Promise<string>;
	/** Connects from the node, inside the cgroup, `count` times anew. */
	ask(protocol: "tcp" | "udp", ip: string, count: number): Promise<Seen>;
	/** The agent's log, line by line. */
	log(): readonly string[];
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = performance.now() + TIMEOUT;
	while (!(await holds())) {
		if (performance.now() > deadline) {
			throw new Error(`The demo failed: ${what} did not happen within ${TIMEOUT / 1000} s`);
		}
		await sleep(50);
	}
}

/** A cgroup of the demo's own; removed with all that runs in it. */
function createCgroup(path: string): AsyncDisposable {
	mkdirSync(path);
	return {
		async [Symbol.asyncDispose]() {
			for (const pid of readFileSync(`${path}/cgroup.procs`, "utf8").split("\n").filter(Boolean)) {
				process.kill(Number(pid), "SIGKILL");
			}
			await until("the end of the demo's clients", () => readFileSync(`${path}/cgroup.procs`, "utf8") === "");
			rmdirSync(path);
		},
	};
}

async function startPod({ name, namespace }: DemoPod): Promise<AsyncDisposable> {
	const command = ["ip", "netns", "exec", namespace, process.execPath, "run", `${ROOT}/scripts/demo_pod.ts`, name];
	const server = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
	const { done } = await server.stdout.getReader().read();
	if (done) throw new Error(`The demo failed: the server of ${name} did not start`);
	return {
		async [Symbol.asyncDispose]() {
			server.kill("SIGKILL");
			await server.exited;
		},
	};
}

function describeSeen(seen: Seen): string {
	return Object.entries(seen)
		.map(([who, times]) => `${who} x${times}`)
		.sort()
		.join(", ");
}

/** Names all carry this process's id: two demos do not meet. */
export async function createStage(): Promise<Stage> {
	await using stack = new AsyncDisposableStack();
	const id = `balancing-demo-${process.pid}`;
	const work = mkdtempSync(`${tmpdir()}/${id}-`);
	stack.defer(() => rmSync(work, { recursive: true, force: true }));
	const manifests = `${work}/manifests`;
	mkdirSync(manifests);
	const cgroup = `${findCgroupRoot()}/${id}`;
	stack.use(createCgroup(cgroup));
	const [pin, state] = [`--pin-path=/sys/fs/bpf/${id}`, `--state-dir=${work}/state`];
	stack.defer(async () => void (await Bun.$`${BINARY} detach ${pin} ${state}`.quiet().nothrow()));
	const network = stack.use(await createDemoNetwork(id));
	for (const pod of network.pods) stack.use(await startPod(pod));
	const logFile = `${work}/agent.log`;
	const paths: Readonly<Record<string, readonly string[]>> = {
		plan: [`--manifests=${manifests}`],
		frontends: [pin],
		backends: [pin],
	};

	async function startAgent(): Promise<Agent> {
		const flags = [`--manifests=${manifests}`, `--cgroup=${cgroup}`, pin, state, "--listen=off", "--log-format=json"];
		const agent = Bun.spawn([BINARY, "agent", ...flags], { stdout: Bun.file(logFile), stderr: "inherit" });
		async function stop(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
			agent.kill(signal);
			return await agent.exited;
		}
		held.defer(async () => void (await stop("SIGKILL")));
		await until("readiness of the agent", async () => {
			return (await Bun.$`${BINARY} status ${pin} ${state}`.quiet().nothrow()).exitCode === 0;
		});
		return { stop };
	}

	async function ask(protocol: "tcp" | "udp", ip: string, count: number): Promise<Seen> {
		const port = protocol === "tcp" ? "80" : "53";
		const client = [process.execPath, "run", `${ROOT}/scripts/demo_client.ts`, protocol, ip, port, String(count)];
		const inside = `echo $$ > ${cgroup}/cgroup.procs && exec ip netns exec ${network.node} "$@"`;
		const seen: Seen = JSON.parse(await Bun.$`sh -c ${inside} sh ${client}`.text());
		console.log(`   ${count} x ${protocol} to ${ip} port ${port}: ${describeSeen(seen)}`);
		return seen;
	}

	const held = stack.move();
	return {
		pods: network.pods,
		writeManifest: (name, text) => writeFileSync(`${manifests}/${name}.yaml`, text),
		removeManifest: (name) => rmSync(`${manifests}/${name}.yaml`),
		startAgent,
		balancing: (command, ...flags) => Bun.$`${BINARY} ${command} ${paths[command] ?? [pin, state]} ${flags}`.text(),
		ask,
		log: () => readFileSync(logFile, "utf8").split("\n"),
		[Symbol.asyncDispose]: () => held.disposeAsync(),
	};
}
