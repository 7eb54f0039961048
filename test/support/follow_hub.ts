// A client that follows a test hub as the agent does, and what it has seen.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubernetesHub } from "../../src/hub/kinds/kind_hub.ts";
import { type Audience, needsOf } from "../../src/hub/kinds/needs.ts";
import { type KubernetesOptions, watchKubernetes } from "../../src/hub/kubernetes/kubernetes.ts";
import type { Log } from "../../src/lib/log.ts";
import type { Cluster } from "../../src/model/cluster.ts";
import { endpointsIn } from "../../src/model/endpoint_list.ts";
import type { Rule } from "./hub/access.ts";
import type { TestHub } from "./hub/hub.ts";
import { createJumpClock, type JumpClock } from "./jump_clock.ts";
import { until } from "./wait.ts";

export interface Following<Hub> extends AsyncDisposable {
	readonly hub: Hub;
	readonly clock: JumpClock;
	/** All snapshots so far. */
	readonly seen: readonly Cluster[];
	/** Log lines as `warn Cannot follow the hub Cannot list ...`. */
	readonly log: readonly string[];
	/** Services of the newest snapshot, sorted; undefined before the first. */
	services(): readonly string[] | undefined;
	/** Addresses of a Service's endpoints, in the newest snapshot. */
	ips(service: string): readonly string[];
	/** Waits until the Services are exactly these. */
	shows(...services: readonly string[]): Promise<void>;
	/** Problems of the newest snapshot, as `object: reason`. */
	problems(): readonly string[];
}

export interface Follower extends Following<KubernetesHub> {
	/** Replaces the kubeconfig. */
	configure(kubeconfig: string): void;
}

/** Whom clients of tests follow for, if they do not say. */
export const AUDIENCE: Audience = { kind: "node", nodeName: "edge-1" };

/** Kinds that are watched in any case, each with a list and a watch of its own. */
export const KINDS = needsOf(AUDIENCE).length;

/** The kind of each resource that is watched: `services` is Service. */
export const KIND_OF: Readonly<Record<string, string>> = Object.fromEntries(
	needsOf(AUDIENCE).map(({ resource, kind }) => [resource, kind]),
);

/** The rights that an agent needs, but for these resources. */
export function agentRights(...without: readonly string[]): readonly Rule[] {
	const resources = Object.keys(KIND_OF).filter((each) => !without.includes(each));
	return [{ verbs: ["list", "watch"], resources }];
}

/** A folder for files of one test; away with it. */
export function temporaryFolder(): Disposable & { readonly path: string; write(name: string, text: string): string } {
	const path = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-`));
	return {
		path,
		write(name, text) {
			const file = join(path, name);
			writeFileSync(file, text);
			return file;
		},
		[Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
	};
}

export type FollowOptions = Partial<Omit<KubernetesOptions, "clock" | "log" | "signal">> & {
	/** Default: admin's. */
	readonly kubeconfig?: string;
};

/** Starts at once. */
export function followHub(
	server: Pick<TestHub, "kubeconfig">,
	{ kubeconfig, ...options }: FollowOptions = {},
): Follower {
	const folder = temporaryFolder();
	const file = folder.write("config", kubeconfig ?? server.kubeconfig());
	const client = follow((given) =>
		watchKubernetes({
			source: { kind: "kubeconfig", files: [file] },
			proxies: {},
			audience: AUDIENCE,
			...given,
			...options,
		}),
	);
	return {
		...client,
		configure: (text) => void folder.write("config", text),
		async [Symbol.asyncDispose]() {
			await client[Symbol.asyncDispose]();
			folder[Symbol.dispose]();
		},
	};
}

/** What every hub is given. */
export type Given = Pick<KubernetesOptions, "log" | "signal"> & {
	readonly userAgent: string;
	readonly random: () => number;
	readonly clock: JumpClock;
};

/** Starts at once to read a hub, and keeps what it says. */
export function follow<Hub extends AsyncIterable<Cluster>>(watch: (given: Given) => Hub): Following<Hub> {
	const clock = createJumpClock();
	const stop = new AbortController();
	const log: string[] = [];
	const seen: Cluster[] = [];
	const hub = watch({
		userAgent: "balancing/test",
		random: () => 0,
		clock,
		log: logInto(log),
		signal: stop.signal,
	});
	async function run(): Promise<void> {
		for await (const cluster of hub) seen.push(cluster);
	}
	const running = run();
	const services = () => {
		const newest = seen.at(-1);
		return newest && [...newest.services.keys()].sort();
	};
	return {
		hub,
		clock,
		seen,
		log,
		services,
		ips: (service) =>
			(seen.at(-1)?.slices.get(service) ?? []).flatMap(({ endpoints }) =>
				endpointsIn(endpoints).map(({ ip }) => String(ip)),
			),
		shows: (...wanted) => until(`showing ${wanted}`, () => String(services()) === String([...wanted].sort())),
		problems: () => seen.at(-1)?.problems.map(({ object, reason }) => `${object}: ${reason}`) ?? [],
		async [Symbol.asyncDispose]() {
			stop.abort();
			await running;
		},
	};
}

function logInto(lines: string[]): Log {
	const line = (level: string) => (fields: object, message: string) => {
		const { err, failure }: { err?: unknown; failure?: string } = fields;
		const fact = err instanceof Error ? `${err}` : failure;
		lines.push(`${level} ${message}${fact === undefined ? "" : ` ${fact}`}`);
	};
	return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** A Service `demo/NAME` and its slice, as manifests. */
export function webService(name: string, ips: readonly string[] = ["10.1.0.1"], namespace = "demo"): readonly object[] {
	const index = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 60_000, 7);
	const ip = `10.96.${index >> 8}.${index & 255}`;
	return [
		{
			apiVersion: "v1",
			kind: "Service",
			metadata: { name, namespace },
			spec: { clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, protocol: "TCP" }] },
		},
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name } },
			addressType: "IPv4",
			endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
			ports: [{ name: "", port: 8080, protocol: "TCP" }],
		},
	];
}

/**
 * Jumps on until it is so: backoffs pass, real answers are waited for. Some ten milliseconds count as a second, and no faster: a client
 * that is not let run meanwhile would take its server for dead.
 */
export async function jumpUntil(
	{ clock }: Pick<Follower, "clock">,
	what: string,
	condition: () => boolean,
): Promise<void> {
	let looks = 0;
	await until(what, () => {
		if (looks++ % 10 === 0) clock.jump(1000);
		return condition();
	});
}
