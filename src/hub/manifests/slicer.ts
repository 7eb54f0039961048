// Service with a selector + Pods -> EndpointSlices, by the rules of Kubernetes' EndpointSlice controller (k8s.io/endpointslice).

import { type Ip, ipFamily, type Port } from "../../model/address.ts";
import type { Endpoint, EndpointPort, EndpointSlice, Hints, Service } from "../../model/cluster.ts";
import { listEndpoints } from "../../model/endpoint_list.ts";
import { shareHints } from "../../model/hints.ts";
import type { Pod } from "../../model/pod.ts";
import type { Problem } from "../../model/problem.ts";
import type { Selection, TargetPort } from "../../model/selection.ts";

/** The slices of one Service, and what keeps Pods or ports out of them. */
export interface Sliced {
	/** Sorted by key. */
	readonly slices: readonly EndpointSlice[];
	/** `object` is the Pod or the Service. */
	readonly problems: readonly Problem[];
}

/**
 * One slice for each family and each set of port numbers that Pods resolve the target ports to. `pods` are the selected ones, sorted;
 * `zones` are those of their nodes, one for each, where the selection prefers any.
 * Differences from a cluster: no limit of 100 endpoints, and names that are stable instead of random.
 */
export function slicePods(
	service: Service,
	selection: Selection,
	pods: readonly Pod[],
	zones: readonly string[] = [],
): Sliced {
	const families = familiesOf(service);
	const resolved = pods.flatMap((pod, index) =>
		pod.finished ? [] : [{ pod, ports: resolvePorts(selection, pod), zone: zones[index] ?? "" }],
	);
	const running = resolved.map(({ pod }) => pod);
	const slices = families.flatMap((family) => sliceFamily(service, selection, { family, resolved }));
	return {
		slices: slices.sort((a, b) => (a.key < b.key ? -1 : 1)),
		problems: [...missingAddresses(service, families, running), ...missingPorts(service, selection, running)],
	};
}

/** As the cluster IPs; a headless Service has both. */
function familiesOf(service: Service): readonly ("IPv4" | "IPv6")[] {
	const families = service.clusterIps.map(ipFamily);
	return families.length > 0 ? families : ["IPv4", "IPv6"];
}

/** One number for each target port; undefined where the Pod has no container port of that name. */
type Resolved = readonly (Port | undefined)[];

interface ResolvedPod {
	readonly pod: Pod;
	readonly ports: Resolved;
	/** "" if unknown. */
	readonly zone: string;
}

interface Grouping {
	readonly family: "IPv4" | "IPv6";
	readonly resolved: readonly ResolvedPod[];
}

function sliceFamily(service: Service, selection: Selection, { family, resolved }: Grouping): EndpointSlice[] {
	const groups = new Map<string, { readonly ports: Resolved; readonly endpoints: Endpoint[] }>();
	for (const { pod, ports, zone } of resolved) {
		const ip = pod.ips.find((each) => ipFamily(each) === family);
		if (ip === undefined || ports.every((port) => port === undefined)) continue;
		const name = ports.map((port) => port ?? "x").join("-");
		const group = groups.get(name) ?? { ports, endpoints: [] };
		groups.set(name, group);
		group.endpoints.push(endpointOf(pod, ip, { selection, zone }));
	}
	return [...groups].map(([name, { ports, endpoints }]) => ({
		key: `${service.key}-${family.toLowerCase()}-${name}`,
		service: service.key,
		addressType: family,
		endpoints: listEndpoints(endpoints),
		ports: slicePorts(selection, ports),
	}));
}

/** A terminating Pod is never ready, but serves on while its Ready condition holds (KEP-1672). */
function endpointOf(
	pod: Pod,
	ip: Ip,
	{ selection, zone }: { readonly selection: Selection; readonly zone: string },
): Endpoint {
	const { ready: serving, terminating, nodeName } = pod;
	const ready = selection.publishNotReady || (serving && !terminating);
	const hints = ready ? hintsOf(selection, nodeName, zone) : undefined;
	const endpoint = { ip, ready, serving, terminating, nodeName };
	return hints === undefined ? endpoint : { ...endpoint, hints };
}

/** As k8s.io/endpointslice/trafficdist has it: an endpoint is meant for its own node, and its own zone, as far as they are known. */
function hintsOf({ prefer }: Selection, nodeName: string, zone: string): Hints | undefined {
	if (prefer === "any") return undefined;
	return shareHints(prefer === "node" && nodeName !== "" ? [nodeName] : [], zone === "" ? [] : [zone]);
}

function slicePorts(selection: Selection, resolved: Resolved): readonly EndpointPort[] {
	return selection.ports.flatMap(({ name, protocol }, index) => {
		const port = resolved[index];
		return port === undefined ? [] : [{ name, port, protocol }];
	});
}

function resolvePorts(selection: Selection, pod: Pod): Resolved {
	return selection.ports.map((port) => resolvePort(port, pod));
}

function resolvePort({ target, protocol }: TargetPort, pod: Pod): Port | undefined {
	if (typeof target !== "string") return target;
	return pod.ports.find((port) => port.name === target && port.protocol === protocol)?.port;
}

function missingAddresses(service: Service, families: readonly string[], pods: readonly Pod[]): readonly Problem[] {
	const none = pods.filter((pod) => pod.ips.length === 0);
	const other = pods.filter((pod) => pod.ips.length > 0 && !pod.ips.some((ip) => families.includes(ipFamily(ip))));
	const problems = none.map((pod): Problem => {
		// The same for every Service that selects the Pod, so that it is told once.
		const message = "No IP address: set status.podIPs, or the Services that select this Pod go without it";
		return { object: `Pod ${pod.key}`, field: "status.podIPs", reason: "Unsupported", message };
	});
	if (other.length === 0) return problems;
	const message = `${namePods(other)} no ${families.join(" or ")} address: add one to status.podIPs, or a cluster IP of the other family`;
	return [...problems, { object: `Service ${service.key}`, field: "spec.clusterIPs", reason: "Unsupported", message }];
}

/** `Pod demo/a has` or `Pod demo/a and 3 more have`. */
function namePods([first, ...others]: readonly Pod[]): string {
	return others.length === 0 ? `Pod ${first?.key} has` : `Pod ${first?.key} and ${others.length} more have`;
}

function missingPorts(service: Service, selection: Selection, pods: readonly Pod[]): readonly Problem[] {
	return selection.ports.flatMap((port): readonly Problem[] => {
		const without = pods.filter((pod) => resolvePort(port, pod) === undefined);
		if (without.length === 0) return [];
		const message = `${namePods(without)} no ${port.protocol} container port named "${port.target}": name it there, or give a number here`;
		const field = `spec.ports[${port.index}].targetPort`;
		return [{ object: `Service ${service.key}`, field, reason: "Unsupported", message }];
	});
}
