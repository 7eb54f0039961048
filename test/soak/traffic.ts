// Clients in the cgroup: one that connects all the time, and one that looks where frontends lead.

import { l4Parts } from "../../src/model/address.ts";
import type { Frontend, KnownAddress } from "../../src/plan/plan_types.ts";
import { type Client, outcomes } from "../support/client.ts";
import { PORTS } from "../support/lab.ts";
import type { Dice } from "./dice.ts";
import { serverOf } from "./kernel_state.ts";
import { STEADY, STEADY_PODS, type SteadyPod } from "./objects.ts";

export interface SteadyClient extends AsyncDisposable {
	/** Connections and datagrams so far that arrived where they should. */
	arrived(): number;
	/** What went wrong, as `udp 1!ECONNREFUSED=1`; must stay empty. */
	readonly failures: readonly string[];
}

/** Milliseconds between two rounds: some load, not as much as the machine can bear. */
const PAUSE = 20;

/** Where clients of the steady Service may arrive; one in a pod never in that pod. */
function poolOf(pod: SteadyPod | undefined): ReadonlySet<string> {
	const others = STEADY_PODS.filter((name) => name !== pod);
	return new Set<string>([...STEADY.v4, ...STEADY.v6, ...others.flatMap((name) => STEADY.pods[name])]);
}

/** Connects to the steady Service by TCP and UDP, IPv4 and IPv6, until it is disposed. `pod`: the one that it is in. */
export function connectSteadily(client: Client, pod?: SteadyPod): SteadyClient {
	const pool = poolOf(pod);
	const failures: string[] = [];
	const stop = new AbortController();
	let arrived = 0;

	function judge(kind: string, target: number, answer: string): void {
		for (const [outcome, count] of outcomes(answer)) {
			const [ip = "", port] = outcome.split(">")[1]?.split("|") ?? [];
			if (pool.has(ip) && Number(port) === target) arrived += count;
			else failures.push(`${new Date().toISOString()} ${pod ?? ""} ${kind} ${outcome}=${count}`);
		}
	}

	async function run(): Promise<void> {
		const targets = (port: number) => STEADY.ips.map((ip) => `${ip} ${port}`).join(" ");
		while (!stop.signal.aborted) {
			judge("tcp", STEADY.tcp.target, await client.ask(`storm peer 1 ${targets(STEADY.tcp.port)}`));
			judge("udp", STEADY.udp.target, await client.ask(`storm connected 1 ${targets(STEADY.udp.port)}`));
			judge("sendto", STEADY.udp.target, await client.ask(`storm udp 1 ${targets(STEADY.udp.port)}`));
			await Bun.sleep(PAUSE);
		}
	}
	const running = run();

	return {
		arrived: () => arrived,
		failures,
		async [Symbol.asyncDispose]() {
			stop.abort();
			await running;
		},
	};
}

const TARGETS = 8;

/** Connects to some frontends by chance; what does not lead where it should. */
export async function findAstray(
	client: Client,
	frontends: readonly Frontend[],
	dice: Dice,
): Promise<readonly string[]> {
	const reachable = frontends.filter(isServed);
	const astray: string[] = [];
	for (const [protocol, kind] of [
		["TCP", "tcp"],
		["UDP", "connected"],
	] as const) {
		const chosen = dice.some(
			reachable.filter(({ address }) => l4Parts(address).protocol === protocol),
			TARGETS,
		);
		const targets = chosen.map(({ address }) => `${l4Parts(address).ip} ${l4Parts(address).port}`);
		if (targets.length === 0) continue;
		const found = outcomes(await client.ask(`storm ${kind} 3 ${targets.join(" ")}`));
		for (const outcome of found.keys()) {
			const frontend = chosen[Number.parseInt(outcome, 10)];
			if (frontend === undefined || !isRight(frontend, outcome.replace(/^\d+/, ""))) {
				astray.push(`${frontend?.address}: ${outcome}`);
			}
		}
	}
	return astray;
}

/** Cluster IPs that do not refuse a port that no Service here has. */
export async function findUnrefused(
	client: Client,
	addresses: ReadonlyMap<string, KnownAddress>,
	dice: Dice,
): Promise<readonly string[]> {
	const clusterIps = [...addresses.keys()].filter((ip) => addresses.get(ip)?.kind === "clusterIp").sort();
	const chosen = dice.some(clusterIps, TARGETS);
	if (chosen.length === 0) return [];
	const found = outcomes(await client.ask(`storm tcp 1 ${chosen.map((ip) => `${ip} 9`).join(" ")}`));
	const wrong = [...found.keys()].filter((outcome) => !outcome.endsWith("!ECONNREFUSED"));
	return wrong.map((outcome) => `${chosen[Number.parseInt(outcome, 10)]} port 9: ${outcome}`);
}

/** Where every backend answers; node ports stand at addresses that are on no wire. */
function isServed(frontend: Frontend): boolean {
	const { ip } = l4Parts(frontend.address);
	if (frontend.name.startsWith("balancing/") || /^(?:0\.0\.0\.|100::)/.test(ip)) return false;
	const { active, redirect } = frontend;
	return [...active, ...(redirect?.next?.active ?? [])].every((backend) => {
		const { ip: at, port } = l4Parts(backend);
		return /^(?:10\.202\.|fd00:202::)/.test(at) && PORTS.some((served) => served === port);
	});
}

/** What is over a redirect's limit goes on to who is next, if there is one. */
function isRight({ active, redirect }: Frontend, outcome: string): boolean {
	if (redirect !== undefined && redirect.limit > 0)
		if (redirect.next === undefined || isRight(redirect.next, outcome)) return true;
	if (active.length === 0) return outcome === "!ECONNREFUSED";
	return active.some((backend) => outcome === `>${serverOf(backend)}`);
}
