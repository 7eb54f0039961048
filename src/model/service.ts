// core/v1 Service -> Service: what remains of it when parts are wrong, and a Problem for each of those.

import { type Ip, ipFamily } from "./address.ts";
import type { Service } from "./cluster.ts";
import { readExternal } from "./external.ts";
import type { FieldPath } from "./field_path.ts";
import { project, readMetadata } from "./metadata.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Projection, type Report, show } from "./report.ts";
import { DnsLabel, ServiceType, TrafficPolicy, UnicastIp } from "./schemas.ts";
import { readServiceAnnotations } from "./service_annotations.ts";
import { type NodePortDuty, readPortEntries } from "./service_ports.ts";
import { readAffinity } from "./session_affinity.ts";
import { sharePorts } from "./shared_ports.ts";

const OTHER_PROXY = "service.kubernetes.io/service-proxy-name";

/**
 * Projects a Service. Left out as a whole: without a name, a spec or any acceptable port. Else the wrong part is left out or has its
 * default. Rules: k8s.io/kubernetes pkg/apis/core/validation ValidateService and pkg/registry/core/service.
 */
export function projectService(object: unknown): Projection<Service> {
	return project("Service", object, readService);
}

function readService(object: Raw, report: Report): Service | undefined {
	const meta = readMetadata(object, DnsLabel, report);
	const spec = field(object, "spec");
	if (meta === undefined) return undefined;
	if (!isRaw(spec)) {
		report.add(
			["spec"],
			"InvalidObject",
			`${spec === undefined ? "Missing" : `${show(spec)} is not an object`}: give ports and clusterIP`,
		);
		return undefined;
	}
	const type =
		report.read(ServiceType, field(spec, "type"), { path: ["spec", "type"], consequence: "ClusterIP is used" }) ??
		"ClusterIP";
	const clusterIps = type === "ExternalName" ? "none" : readClusterIps(spec, type, report);
	// Without a cluster IP there is nothing to balance, and what the API asks for does not count.
	const isBare = clusterIps === "none";
	const entries = readPortEntries(spec, { mayBeEmpty: isBare, nodePorts: dutyOf(type, isBare) }, report);
	if (entries === undefined) return undefined;
	const ports = sharePorts(entries.map(({ port }) => port));
	const external = isBare ? undefined : readExternal(object, { spec, type, ports }, report);
	const { client, ...annotated } = readServiceAnnotations(meta, report);
	const affinity = readAffinity(spec, client, report);
	return {
		key: meta.key,
		type,
		clusterIps: isBare ? [] : clusterIps,
		ports,
		internalTrafficPolicy:
			report.read(TrafficPolicy, field(spec, "internalTrafficPolicy"), {
				path: ["spec", "internalTrafficPolicy"],
				consequence: "Cluster is used",
			}) ?? "Cluster",
		otherProxy: Object.hasOwn(meta.labels, OTHER_PROXY),
		...annotated,
		...(external === undefined ? {} : { external }),
		...(affinity === undefined ? {} : { affinity }),
		created: meta.created,
	};
}

function dutyOf(type: Service["type"], isBare: boolean): NodePortDuty {
	if (type === "ClusterIP") return "refused";
	if (isBare) return "ignored";
	return type === "NodePort" ? "wanted" : "kept";
}

/** The addresses of the Service, at most one of each family; "none" if there shall be none. */
function readClusterIps(spec: Raw, type: Service["type"], report: Report): readonly Ip[] | "none" {
	const single = field(spec, "clusterIP") ?? "";
	const list = readList(spec, report);
	if (list[0] === "None" || (list.length === 0 && single === "None")) {
		checkHeadless(type, { single, list }, report);
		return "none";
	}
	if (list.length === 0)
		return single === "" ? reportNoAddress(report) : readAddresses([single], ["spec", "clusterIP"], report);
	if (single !== "" && single !== list[0]) {
		const message = `${show(single)} is not clusterIPs[0] (${show(list[0])}): make them the same; clusterIPs is used`;
		report.add(["spec", "clusterIP"], "InvalidObject", message);
	}
	return readAddresses(list, ["spec", "clusterIPs"], report);
}

function reportNoAddress(report: Report): readonly Ip[] {
	const message = 'Missing, and nobody here gives addresses: set an IP address, or "None" for a headless Service';
	report.add(["spec", "clusterIP"], "InvalidObject", message);
	return [];
}

function readAddresses(given: readonly unknown[], at: FieldPath, report: Report): readonly Ip[] {
	const found: Ip[] = [];
	for (const [index, text] of given.entries()) {
		const path = at.at(-1) === "clusterIPs" ? [...at, index] : at;
		const ip = report.read(UnicastIp, text, { path, consequence: "the Service has no such address" });
		const same = ip === undefined ? undefined : found.find((other) => ipFamily(other) === ipFamily(ip));
		if (same !== undefined) {
			const message = `A second ${ipFamily(same)} address: keep one of each family; ${same} is used`;
			report.add(path, "InvalidObject", message);
		} else if (ip !== undefined) found.push(ip);
	}
	return found;
}

function readList(spec: Raw, report: Report): readonly unknown[] {
	const path = ["spec", "clusterIPs"];
	const list = report.list(field(spec, "clusterIPs"), { path, consequence: "it is left out" }) ?? [];
	// The API takes two at most. More is not worth a Problem each.
	if (list.length > 2) {
		const message = `${list.length} addresses: give at most one of each family; the first two are used`;
		report.add(path, "InvalidObject", message);
	}
	return list.slice(0, 2);
}

function checkHeadless(
	type: Service["type"],
	{ single, list }: { readonly single: unknown; readonly list: readonly unknown[] },
	report: Report,
): void {
	if (type !== "ClusterIP") {
		const message = `"None" is not possible with type ${type}: give it an address, or use type ClusterIP; the Service is headless`;
		report.add(["spec", "clusterIP"], "InvalidObject", message);
	}
	if ((single === "" || single === "None") && list.length <= 1) return;
	const message = '"None" stands beside an address: keep one of them; the Service is headless';
	report.add(["spec", "clusterIPs"], "InvalidObject", message);
}
