// An agent as users run it: a process with a cgroup, a pin path, a state directory and a folder of manifests of its own.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cgroup, cgroup } from "./cgroup.ts";
import { testName } from "./names.ts";
import { pinPath } from "./pin_path.ts";
import { until } from "./wait.ts";

const ROOT = join(import.meta.dir, "../..");
/** From the sources. */
export const SOURCES: readonly string[] = [process.execPath, "run", join(ROOT, "src/main.ts")];
/** The compiled binary. */
export const BINARY: readonly string[] = [join(ROOT, "dist/balancing")];

/** Whether `bun run build` has been called. */
export function isBuilt(): boolean {
	return existsSync(BINARY[0] ?? "");
}

export interface Result {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

export interface AgentProcess extends AsyncDisposable {
	readonly pid: number;
	/** Its log, line by line. */
	log(): readonly Readonly<Record<string, unknown>>[];
	/** What it wrote to standard error. */
	err(): string;
	/** A page of its Unix socket; undefined as long as nobody answers. */
	page(path: string): Promise<{ readonly status: number; readonly body: string } | undefined>;
	/** Waits until it says so itself. */
	ready(): Promise<void>;
	/** Waits for the end: the exit code, 128 + signal if a signal ended it. */
	exited(): Promise<number>;
	stop(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number>;
}

export interface StartOptions {
	/** Behind the place's own flags, so that they count. */
	readonly flags?: readonly string[];
	readonly program?: readonly string[];
	/** False: the folder of manifests is no hub of its. */
	readonly manifests?: boolean;
}

export interface AgentPlace extends Disposable {
	readonly folder: string;
	readonly cgroup: Cgroup;
	readonly pins: string;
	readonly stateDir: string;
	readonly manifests: string;
	/** Writes a manifest as an editor does: in one step. */
	write(name: string, text: string): void;
	remove(name: string): void;
	start(options?: StartOptions): AgentProcess;
	/** Runs a command on this place: paths are added as the command takes them. */
	run(command: string, ...flags: readonly string[]): Promise<Result>;
}

/** Which of a place's paths a command takes. */
const PATHS: Readonly<Record<string, readonly ("pins" | "stateDir" | "manifests")[]>> = {
	status: ["pins", "stateDir"],
	detach: ["pins", "stateDir"],
	frontends: ["pins"],
	backends: ["pins", "stateDir"],
	maps: ["pins"],
	plan: ["manifests"],
};
const FLAGS = { pins: "--pin-path", stateDir: "--state-dir", manifests: "--manifests" } as const;

/** Runs a program to its end. */
export async function execute(
	command: readonly string[],
	environment: Readonly<Record<string, string>> = {},
	folder: string = process.cwd(),
): Promise<Result> {
	const child = Bun.spawn([...command], {
		cwd: folder,
		stdin: "ignore",
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, ...environment },
	});
	const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { code, out, err };
}

function startAgent(command: readonly string[], files: string, socket: string): AgentProcess {
	const [outFile, errFile] = [`${files}.out`, `${files}.err`];
	const child = Bun.spawn([...command], { stdin: "ignore", stdout: Bun.file(outFile), stderr: Bun.file(errFile) });
	const read = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : "");

	async function page(path: string) {
		try {
			const answer = await fetch(`http://agent${path}`, { unix: socket });
			return { status: answer.status, body: await answer.text() };
		} catch {
			return undefined;
		}
	}

	async function stop(signal: NodeJS.Signals): Promise<number> {
		child.kill(signal);
		return await child.exited;
	}

	return {
		pid: child.pid,
		log: () =>
			read(outFile)
				.split("\n")
				.slice(0, -1)
				.map((line) => JSON.parse(line)),
		err: () => read(errFile),
		page,
		async ready() {
			await until("the agent's readiness", async () => {
				if (child.exitCode !== null) throw new Error(`The agent ended with ${child.exitCode}: ${read(errFile)}`);
				return (await page("/readyz"))?.status === 200;
			});
		},
		exited: () => child.exited,
		stop,
		[Symbol.asyncDispose]: async () => void (await stop("SIGKILL")),
	};
}

/** Nothing runs yet. */
export function agentPlace(): AgentPlace {
	using stack = new DisposableStack();
	const folder = mkdtempSync(`${tmpdir()}/${testName()}-`);
	stack.defer(() => rmSync(folder, { recursive: true, force: true }));
	const group = stack.use(cgroup());
	const pins = stack.use(pinPath()).path;
	const paths = { pins, stateDir: `${folder}/state`, manifests: `${folder}/manifests` };
	mkdirSync(paths.manifests);
	let started = 0;
	const held = stack.move();
	return {
		folder,
		cgroup: group,
		...paths,
		write(name, text) {
			writeFileSync(`${folder}/being-written`, text);
			renameSync(`${folder}/being-written`, `${paths.manifests}/${name}.yaml`);
		},
		remove: (name) => rmSync(`${paths.manifests}/${name}.yaml`),
		start({ flags = [], program = SOURCES, manifests = true } = {}) {
			started += 1;
			const own = [`--cgroup=${group.path}`, `--pin-path=${pins}`, `--state-dir=${paths.stateDir}`, "--listen=off"];
			const folders = manifests ? [`--manifests=${paths.manifests}`] : [];
			const command = [...program, "agent", ...folders, ...own, "--log-format=json", ...flags];
			return startAgent(command, `${folder}/agent-${started}`, `${paths.stateDir}/agent.sock`);
		},
		run: (command, ...flags) =>
			execute([
				...SOURCES,
				command,
				...(PATHS[command] ?? []).map((name) => `${FLAGS[name]}=${paths[name]}`),
				...flags,
			]),
		[Symbol.dispose]: () => held.dispose(),
	};
}

/** A Service with one TCP port, and EndpointSlices that name its endpoints. */
export function serviceYaml(name: string, clusterIp: string, endpoints: readonly string[]): string {
	const slice = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: demo, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
endpoints: [${endpoints.map((ip) => `{ addresses: ["${ip}"] }`).join(", ")}]
ports: [{ name: http, port: 8080 }]
`;
	return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: demo }
spec: { clusterIPs: ["${clusterIp}"], ports: [{ name: http, port: 80 }] }
${endpoints.length === 0 ? "" : slice}`;
}

/** Address to sorted backends, from `plan -o json`. */
export function planned(json: string): Readonly<Record<string, readonly string[]>> {
	const { frontends }: { frontends: readonly { address: string; active: readonly string[] }[] } = JSON.parse(json);
	return Object.fromEntries(frontends.map(({ address, active }) => [address, [...active].sort()]));
}

/** The same from `frontends -o json`. */
export function programmed(json: string): Readonly<Record<string, readonly string[]>> {
	const views: readonly { address: string; backends: readonly { address: string }[] }[] = JSON.parse(json);
	return Object.fromEntries(views.map(({ address, backends }) => [address, backends.map((one) => one.address).sort()]));
}
