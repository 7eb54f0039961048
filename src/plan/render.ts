// A plan as stable text, which is what test cases compare, and as JSON for scripts.

import type { Ip, L4Address } from "../model/address.ts";
import type { Problem } from "../model/problem.ts";
import type { Frontend, KnownAddress, NodeScope, Plan } from "./plan_types.ts";

/** An address that is known beyond its frontends. */
type PlannedAddress = { readonly address: Ip } & KnownAddress;

/**
 * One line for each frontend, sorted by address, then one for each address that is known beyond its frontends, then one for each Problem:
 *
 *     FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.244.1.11:8080 | terminating 10.244.1.12:8080
 *     FRONTEND 10.96.0.2:80/TCP demo/empty:http ServiceClusterIP affinity=netns/10800s -> refused
 *     FRONTEND 0.0.0.1:30080/TCP demo/web:http ServiceNodeport own-node-only -> 10.244.1.11:8080
 *     ADDRESS 10.96.0.1 cluster IP: other ports are refused
 *     ADDRESS 192.168.0.11 remote node: node ports at 0.0.0.1
 *     PROBLEM Service demo/web spec.ports[1] InvalidObject: 80/TCP stands here twice: the first one is used (web.yaml:3)
 *
 * "" if there is nothing; otherwise each line ends in a newline.
 */
export function renderPlan(plan: Plan): string {
	const lines = [
		...frontendsOf(plan).map(renderFrontend),
		...addressesOf(plan).map(renderAddress),
		...plan.problems.map(renderProblem),
	];
	return lines.map((line) => `${line}\n`).join("");
}

/** The same as plain data: what JSON.stringify makes of it is stable. */
export function planToJson(plan: Plan): {
	readonly frontends: readonly Frontend[];
	readonly addresses: readonly PlannedAddress[];
	readonly problems: readonly Problem[];
} {
	return { frontends: frontendsOf(plan), addresses: addressesOf(plan), problems: plan.problems };
}

export function renderFrontend(frontend: Frontend): string {
	const { address, name, mode, active, terminating } = frontend;
	return [
		`FRONTEND ${address} ${name} ${mode}`,
		...marksOf(frontend),
		`-> ${renderBackends(active, terminating)}`,
	].join(" ");
}

/** What a frontend is besides the usual. */
function marksOf({ keepsPeer, affinity, closeOnRemove, ownNodeOnly }: Frontend): readonly string[] {
	return [
		...(keepsPeer ? [] : ["peer-address=backend"]),
		...(affinity === undefined ? [] : [`affinity=${affinity.client}/${affinity.seconds}s`]),
		...(closeOnRemove === undefined ? [] : [`close-on-remove=${closeOnRemove}`]),
		...(ownNodeOnly ? ["own-node-only"] : []),
	];
}

/** `host`: loopback. */
const NODES: Readonly<Record<NodeScope, string>> = {
	own: "this node",
	remote: "remote node",
	host: "this node, for the host's own clients",
};

function renderAddress({ address, ...known }: PlannedAddress): string {
	return known.kind === "clusterIp"
		? `ADDRESS ${address} cluster IP: other ports are refused`
		: `ADDRESS ${address} ${NODES[known.scope]}: node ports at ${known.nodePorts}`;
}

/** Where connections go; `refused` if nowhere. */
export function renderBackends(active: readonly L4Address[], terminating: readonly L4Address[]): string {
	const now = active.length === 0 ? "refused" : active.map(withoutProtocol).join(" ");
	return terminating.length === 0 ? now : `${now} | terminating ${terminating.map(withoutProtocol).join(" ")}`;
}

export function renderProblem({ object, source, field, reason, message }: Problem): string {
	const place = field === undefined ? object : `${object} ${field}`;
	return `PROBLEM ${place} ${reason}: ${message}${source === undefined ? "" : ` (${source})`}`;
}

function frontendsOf(plan: Plan): readonly Frontend[] {
	return [...plan.chunks.values()].flatMap((chunk) => chunk.frontends).sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Sorted by address. */
function addressesOf({ addresses }: Plan): readonly PlannedAddress[] {
	return [...addresses]
		.map(([address, known]) => ({ address, ...known }))
		.sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** A backend has its frontend's protocol. */
function withoutProtocol(address: L4Address): string {
	return address.slice(0, address.lastIndexOf("/"));
}
