// A plan as stable text, which is what test cases compare, and as JSON for scripts.

import type { Ip, L4Address } from "../model/address.ts";
import { policyKey } from "../model/policy.ts";
import type { Problem } from "../model/problem.ts";
import type { Frontend, GuardedPod, KnownAddress, NodeScope, Plan, PolicyState, Probe } from "./plan_types.ts";
import { checkText } from "./probes.ts";
import { countRepeats } from "./weights.ts";

/** An address that is known beyond its frontends. */
type PlannedAddress = { readonly address: Ip } & KnownAddress;

/** Who is let past redirects of a group. */
interface PlannedGuard {
	readonly group: string;
	readonly pods: readonly GuardedPod[];
}

/**
 * One line for each frontend, sorted by address, and one below it for who has its address next, then one for each address that is known
 * beyond its frontends, each policy, each redirect's own backends, each backend that is probed, each Problem:
 *
 *     FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.244.1.11:8080 | terminating 10.244.1.12:8080
 *     FRONTEND 10.96.0.2:80/TCP demo/empty:http ServiceClusterIP affinity=netns/10800s -> refused
 *     FRONTEND 0.0.0.1:30080/TCP demo/web:http ServiceNodeport own-node-only -> 10.244.1.11:8080
 *     FRONTEND 10.96.0.10:53/UDP dns-cache:dns localRedirectService limit=100/s -> 10.244.1.5:5353
 *       NEXT kube-system/kube-dns:dns ServiceClusterIP -> 10.244.2.7:53
 *     FRONTEND 169.254.50.50:5432/TCP legacy-db:pg balancingAddress -> 192.0.2.11:5432 x3 192.0.2.12:5432
 *     ADDRESS 10.96.0.1 cluster IP: other ports are refused
 *     ADDRESS 192.168.0.11 remote node: node ports at 0.0.0.1
 *     POLICY BalancingPolicy legacy-db: frontends 1, backends 2
 *     POLICY LocalRedirectPolicy edge-only: not for this host
 *     GUARD LocalRedirectPolicy dns-cache: kube-system/cache-x7k2p
 *     PROBE 192.0.2.11:5432/TCP tcp interval=10s timeout=2s fails=3 passes=2 panic=0%
 *     PROBLEM Service demo/web spec.ports[1] InvalidObject: 80/TCP stands here twice: the first one is used (web.yaml:3)
 *
 * "" if there is nothing; otherwise each line ends in a newline.
 */
export function renderPlan(plan: Plan): string {
	const lines = [
		...frontendsOf(plan).map(renderFrontend),
		...addressesOf(plan).map(renderAddress),
		...policiesOf(plan).map(renderPolicy),
		...guardsOf(plan).flatMap(({ group, pods }) =>
			pods.length === 0 ? [] : `GUARD ${group}: ${pods.map(({ pod }) => pod).join(" ")}`,
		),
		...probesOf(plan).map(({ address, check }) => `PROBE ${address} ${checkText(check)}`),
		...plan.problems.map(renderProblem),
	];
	return lines.map((line) => `${line}\n`).join("");
}

/** The same as plain data: what JSON.stringify makes of it is stable. */
export function planToJson(plan: Plan): {
	readonly frontends: readonly Frontend[];
	readonly addresses: readonly PlannedAddress[];
	readonly policies: readonly PolicyState[];
	readonly guards: readonly PlannedGuard[];
	readonly probes: readonly Probe[];
	readonly problems: readonly Problem[];
} {
	return {
		frontends: frontendsOf(plan),
		addresses: addressesOf(plan),
		policies: policiesOf(plan),
		guards: guardsOf(plan),
		probes: probesOf(plan),
		problems: plan.problems,
	};
}

/** One line, or two if there is a next one. */
export function renderFrontend(frontend: Frontend): string {
	const { address, redirect } = frontend;
	const line = `FRONTEND ${address} ${renderRule(frontend)}`;
	return redirect?.next === undefined ? line : `${line}\n  NEXT ${renderRule(redirect.next)}`;
}

/** Without the address. */
function renderRule(frontend: Frontend): string {
	const { name, mode, active, terminating, redirect } = frontend;
	const backends = renderBackends(active, terminating);
	// Nobody is refused by it.
	const now = redirect === undefined ? backends : backends.replace(/^refused/, "past it");
	return [name, mode, ...marksOf(frontend), `-> ${now}`].join(" ");
}

/** What a frontend is besides the usual. */
function marksOf({ keepsPeer, affinity, closeOnRemove, ownNodeOnly, redirect }: Frontend): readonly string[] {
	return [
		...(keepsPeer ? [] : ["peer-address=backend"]),
		...(affinity === undefined ? [] : [`affinity=${affinity.client}/${affinity.seconds}s`]),
		...(closeOnRemove === undefined ? [] : [`close-on-remove=${closeOnRemove}`]),
		...(ownNodeOnly ? ["own-node-only"] : []),
		...(redirect === undefined || redirect.limit === 0 ? [] : [`limit=${redirect.limit}/s`]),
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

/** Where connections go; `refused` if nowhere. A backend that has more than one part of them: `10.244.1.11:8080 x3`. */
export function renderBackends(active: readonly L4Address[], terminating: readonly L4Address[]): string {
	const weighted = [...countRepeats(active)].map(
		([address, count]) => `${withoutProtocol(address)}${count === 1 ? "" : ` x${count}`}`,
	);
	const now = active.length === 0 ? "refused" : weighted.join(" ");
	return terminating.length === 0 ? now : `${now} | terminating ${terminating.map(withoutProtocol).join(" ")}`;
}

function renderPolicy({ policy, hub, holdsHere, frontends, backends }: PolicyState): string {
	const what = holdsHere ? `frontends ${frontends}, backends ${backends}` : "not for this host";
	return `POLICY ${policyKey(policy)}: ${what}${hub === undefined ? "" : ` (${hub})`}`;
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

/** Sorted by what they are, then by hub. */
function policiesOf({ policies }: Plan): readonly PolicyState[] {
	return [...policies].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, state]) => state);
}

function guardsOf({ guards }: Plan): readonly PlannedGuard[] {
	return [...guards].map(([group, pods]) => ({ group, pods })).sort((a, b) => (a.group < b.group ? -1 : 1));
}

function probesOf({ probes }: Plan): readonly Probe[] {
	return [...probes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, probe]) => probe);
}

/** A backend has its frontend's protocol. */
function withoutProtocol(address: L4Address): string {
	return address.slice(0, address.lastIndexOf("/"));
}
