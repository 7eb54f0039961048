// What the kernel's maps must hold for what a hub has, worked out without the agent; and what they hold.

import type { Maps } from "../../src/datapath/maps.ts";
import { l4Parts } from "../../src/model/address.ts";
import type { Cluster, EndpointSlice, Service } from "../../src/model/cluster.ts";
import { EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { projectEndpointSlice } from "../../src/model/endpoint_slice.ts";
import { projectService } from "../../src/model/service.ts";
import { planFresh } from "../../src/plan/plan.ts";
import type { Frontend } from "../../src/plan/plan_types.ts";
import type { TestHub } from "../support/hub/hub.ts";
import { selfOf } from "../support/plans.ts";
import { describeSet, follow, readMemory } from "../support/program_view.ts";

const OWNER = "kubernetes.io/service-name";
const HEADLESS = "service.kubernetes.io/headless";
const OTHER_PROXY = "service.kubernetes.io/service-proxy-name";

type Labels = Readonly<Record<string, string>>;

/** Sorted by address. */
export function expectedFrontends(hub: TestHub, nodeName: string): readonly Frontend[] {
	const services = new Map<string, Service>();
	const slices = new Map<string, readonly EndpointSlice[]>();
	for (const object of asSent(hub, "Service", (labels) => !(OTHER_PROXY in labels))) {
		const { value } = projectService(object);
		if (value !== undefined) services.set(value.key, value);
	}
	for (const object of asSent(hub, "EndpointSlice", isOurSlice)) {
		const { value } = projectEndpointSlice(object);
		if (value !== undefined) slices.set(value.service, [...(slices.get(value.service) ?? []), value]);
	}
	const cluster: Cluster = { ...EMPTY_CLUSTER, services, slices };
	const { chunks } = planFresh([{ name: "hub", cluster }], selfOf(nodeName));
	return [...chunks.values()].flatMap(({ frontends }) => frontends).sort((a, b) => (a.address < b.address ? -1 : 1));
}

function isOurSlice(labels: Labels): boolean {
	return OWNER in labels && !(HEADLESS in labels) && !(OTHER_PROXY in labels);
}

/** As they go over the wire, of those that the agent asks for. */
function asSent(hub: TestHub, kind: string, isAskedFor: (labels: Labels) => boolean): readonly unknown[] {
	const objects = hub.list(kind).filter(({ metadata }) => isAskedFor(metadata.labels ?? {}));
	return JSON.parse(JSON.stringify(objects));
}

/** One line for each frontend, then how many elements each map has. */
export function expectedState(frontends: readonly Frontend[]): readonly string[] {
	const lines = frontends.map(
		({ address, name, active, terminating, keepsPeer }) =>
			`${address} ${name} ${sorted(active)}|${sorted(terminating)} ${keepsPeer ? 1 : 0}`,
	);
	const members = frontends.map(({ active, terminating }) => [...active, ...terminating]);
	const backends = new Set(members.flat());
	return [
		...lines.sort(),
		`${frontends.length} names`,
		`${members.flat().length} slots`,
		`${backends.size} backends: ${sorted([...backends])}`,
	];
}

/** The same of the maps, decoded by other code than the agent's. */
export function kernelState(maps: Maps): readonly string[] {
	const memory = readMemory(maps);
	const { frontends, names, slots, backends } = memory;
	const lines = frontends.map(
		(frontend) =>
			`${frontend.address} ${names.get(frontend.id) ?? "(no name)"} ${describeSet(memory, frontend)} ${frontend.flags & 1}`,
	);
	const reached = frontends.flatMap((frontend) => follow(memory, frontend).map((found) => found?.address ?? "?"));
	return [
		...lines.sort(),
		`${names.size} names`,
		`${slots.size} slots`,
		`${backends.size} backends: ${sorted([...new Set(reached)])}`,
	];
}

function sorted(addresses: readonly string[]): string {
	return [...addresses].sort().join(" ");
}

/** Lines of one that the other lacks; empty if they are the same. */
export function difference(expected: readonly string[], found: readonly string[]): readonly string[] {
	const [wanted, there] = [new Set(expected), new Set(found)];
	return [
		...expected.filter((line) => !there.has(line)).map((line) => `missing: ${line}`),
		...found.filter((line) => !wanted.has(line)).map((line) => `too much: ${line}`),
	];
}

/** `10.202.0.1|8080`, as a client's storm calls a server. */
export function serverOf(backend: Frontend["address"]): string {
	const { ip, port } = l4Parts(backend);
	return `${ip}|${port}`;
}
