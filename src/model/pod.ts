// core/v1 Pod -> Pod: what an EndpointSlice controller reads of it.

import type { Ip, Port, Protocol } from "./address.ts";
import { type Labels, listLabels } from "./labels.ts";
import { type Metadata, project, readMetadata, readNodeName, readString, readStrings } from "./metadata.ts";
import { readContainers } from "./pod_containers.ts";
import { readContainerPorts } from "./pod_ports.ts";
import { field, isRaw, type Raw, sharedString } from "./raw.ts";
import { type Projection, type Report, show } from "./report.ts";
import { DnsSubdomain, PodUid, UnicastIp } from "./schemas.ts";
import { readPodWeight } from "./weight.ts";

const CONFIG_HASH = "kubernetes.io/config.hash";

/** A Pod (core/v1), projected. */
export interface Pod {
	/** `namespace/name`. */
	readonly key: string;
	readonly namespace: string;
	/** metadata.uid, for a static Pod annotation kubernetes.io/config.hash: what its cgroup is named after; "" if it has none. */
	readonly uid: string;
	readonly labels: Labels;
	/** status.podIPs, else status.podIP. */
	readonly ips: readonly Ip[];
	/**
	 * Condition Ready is True. A Pod without any condition is ready unless it is Pending: nobody writes conditions by hand, and a
	 * cluster's Pod has them as soon as it has an address.
	 */
	readonly ready: boolean;
	/** metadata.deletionTimestamp is set. */
	readonly terminating: boolean;
	/** status.phase is Succeeded or Failed: it will never serve again. */
	readonly finished: boolean;
	/** "" if unknown. */
	readonly nodeName: string;
	/** Named ports of containers that run along: containers, and init containers that restart always (sidecars). */
	readonly ports: readonly ContainerPort[];
	/** Ports of its containers that its node opens for it; of spec.hostNetwork all that they name. Empty if there are none. */
	readonly hostPorts: readonly HostPort[];
	/** spec.hostNetwork: it has its node's network namespace and addresses. */
	readonly hostNetwork: boolean;
	/** Containers that have been started, as `containersIn` reads them. Absent: none. */
	readonly containers?: string;
	/** Annotation balancing.elf.io/weight, 0 to 1000. Absent: 1. */
	readonly weight?: number;
}

/** A port of a Pod that its node opens for it. */
export interface HostPort {
	readonly port: Port;
	readonly protocol: Protocol;
	/** spec.containers[].ports[].hostIP; absent where it is any address of the node. Never loopback: nobody else gets there. */
	readonly ip?: Ip;
}

/** A named port of a container: what a Service's targetPort may name. */
export interface ContainerPort {
	readonly name: string;
	readonly port: Port;
	readonly protocol: "TCP" | "UDP" | "SCTP";
}

/** Projects a Pod. Left out as a whole only without a name. */
export function projectPod(object: unknown): Projection<Pod> {
	return project("Pod", object, readPod);
}

function readPod(object: Raw, report: Report): Pod | undefined {
	const meta = readMetadata(object, DnsSubdomain, report);
	if (meta === undefined) return undefined;
	const spec = readObject(object, "spec", report);
	const status = readObject(object, "status", report);
	const phase = field(status, "phase");
	const metadata = field(object, "metadata");
	const deleted = isRaw(metadata) ? field(metadata, "deletionTimestamp") : undefined;
	const hostNetwork = field(spec, "hostNetwork") === true;
	const { ports, hostPorts } = readContainerPorts(spec, hostNetwork, report);
	const weight = readPodWeight(meta, report);
	const containers = readContainers(status);
	return {
		key: meta.key,
		namespace: sharedString(meta.namespace),
		uid: readUid(object, meta, report),
		labels: listLabels(
			readStrings(meta.labels, { path: ["metadata", "labels"], consequence: "it is left out" }, report),
		),
		ips: readIps(status, report),
		ready: isReady(status, phase),
		terminating: (deleted ?? "") !== "",
		finished: phase === "Succeeded" || phase === "Failed",
		nodeName: readNodeName(spec, "nodeName", { path: ["spec"], report }),
		ports,
		hostPorts,
		hostNetwork,
		...(containers === "" ? {} : { containers }),
		...(weight === undefined ? {} : { weight }),
	};
}

/** A static Pod has two: its kubelet's, which its cgroup is named after, and that of its mirror at the API server. */
function readUid(object: Raw, meta: Metadata, report: Report): string {
	const hash = readString("annotations", meta, CONFIG_HASH, report) ?? "";
	const consequence = "its cgroup is unknown";
	if (hash !== "") {
		const path = ["metadata", "annotations", CONFIG_HASH];
		return report.read(PodUid, hash, { path, consequence }) ?? "";
	}
	const metadata = field(object, "metadata");
	const uid = isRaw(metadata) ? (field(metadata, "uid") ?? "") : "";
	return uid === "" ? "" : (report.read(PodUid, uid, { path: ["metadata", "uid"], consequence }) ?? "");
}

function readObject(object: Raw, key: string, report: Report): Raw {
	const value = field(object, key) ?? {};
	if (isRaw(value)) return value;
	report.add([key], "InvalidObject", `${show(value)} is not an object: give the Pod's ${key}; it is left out`);
	return {};
}

function readIps(status: Raw, report: Report): readonly Ip[] {
	const consequence = "the address is left out";
	const list =
		report.list(field(status, "podIPs"), { path: ["status", "podIPs"], consequence: "it is left out" }) ?? [];
	const ips: Ip[] = [];
	// One of each family (API rule).
	for (const [index, entry] of list.slice(0, 2).entries()) {
		const path = ["status", "podIPs", index, "ip"];
		const ip = report.read(UnicastIp, isRaw(entry) ? field(entry, "ip") : undefined, { path, consequence });
		if (ip !== undefined) ips.push(ip);
	}
	const single = field(status, "podIP") ?? "";
	if (ips.length > 0 || single === "") return ips;
	const ip = report.read(UnicastIp, single, { path: ["status", "podIP"], consequence });
	return ip === undefined ? [] : [ip];
}

function isReady(status: Raw, phase: unknown): boolean {
	const conditions = field(status, "conditions") ?? [];
	if (!Array.isArray(conditions)) return false;
	if (conditions.length === 0) return phase !== "Pending";
	return conditions.some((each) => isRaw(each) && field(each, "type") === "Ready" && field(each, "status") === "True");
}
