// Service -> External: the addresses and ports that it has for clients outside its cluster, and the policy for them.

import type { Ip, Port } from "./address.ts";
import type { External, Service, ServicePort } from "./cluster.ts";
import type { FieldPath } from "./field_path.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { HostIp, IpMode, PortNumber, TrafficPolicy } from "./schemas.ts";

/** Addresses of one list of one Service; each makes a frontend for each port, and the kernel's map holds 65,535. */
const MAX_ADDRESSES = 1000;
const NONE = "it is left out";

export interface Inside {
	readonly spec: Raw;
	readonly type: Service["type"];
	readonly ports: readonly ServicePort[];
}

/** Undefined if it has nothing for them. `object` is the whole Service. */
export function readExternal(object: Raw, { spec, type, ports }: Inside, report: Report): External | undefined {
	const externalIps = readExternalIps(spec, report);
	const ingressIps = type === "LoadBalancer" ? readIngressIps(object, report) : [];
	const isReachable = type !== "ClusterIP" || externalIps.length > 0;
	const trafficPolicy = readTrafficPolicy(spec, isReachable, report);
	const healthCheckNodePort = readHealthCheck(spec, type === "LoadBalancer" && trafficPolicy === "Local", report);
	const hasNodePort = ports.some(({ nodePort }) => nodePort !== undefined);
	const isEmpty = externalIps.length === 0 && ingressIps.length === 0 && !hasNodePort;
	if (healthCheckNodePort !== undefined) return { externalIps, ingressIps, trafficPolicy, healthCheckNodePort };
	return isEmpty ? undefined : { externalIps, ingressIps, trafficPolicy };
}

function readExternalIps(spec: Raw, report: Report): readonly Ip[] {
	const path = ["spec", "externalIPs"];
	const list = report.list(field(spec, "externalIPs"), { path, consequence: NONE }, MAX_ADDRESSES) ?? [];
	const ips = new Set<Ip>();
	for (const [index, text] of list.entries()) {
		const ip = report.read(HostIp, text, { path: [...path, index], consequence: "the address is left out" });
		if (ip !== undefined) ips.add(ip);
	}
	return [...ips];
}

/** Of a mode other than VIP the load balancer itself has the last word, and sees each connection. */
function readIngressIps(object: Raw, report: Report): readonly Ip[] {
	const path = ["status", "loadBalancer", "ingress"];
	const status = field(object, "status");
	const balancer = isRaw(status) ? field(status, "loadBalancer") : undefined;
	const ips = new Set<Ip>();
	const given = isRaw(balancer) ? field(balancer, "ingress") : undefined;
	const list = report.list(given, { path, consequence: NONE }, MAX_ADDRESSES) ?? [];
	for (const [index, entry] of list.entries()) {
		const ip = readIngress(entry, [...path, index], report);
		if (ip !== undefined) ips.add(ip);
	}
	return [...ips];
}

function readIngress(entry: unknown, path: FieldPath, report: Report): Ip | undefined {
	const consequence = "the address is left out";
	if (!isRaw(entry)) {
		report.add(path, "InvalidObject", `${show(entry)} is not an object: give ip; ${consequence}`);
		return undefined;
	}
	// Others have a host name, which is for resolvers.
	if ((field(entry, "ip") ?? "") === "") return undefined;
	const ip = report.read(HostIp, field(entry, "ip"), { path: [...path, "ip"], consequence });
	const mode = report.read(IpMode, field(entry, "ipMode"), { path: [...path, "ipMode"], consequence });
	return mode === "VIP" ? ip : undefined;
}

function readTrafficPolicy(spec: Raw, isReachable: boolean, report: Report): External["trafficPolicy"] {
	const path = ["spec", "externalTrafficPolicy"];
	const given = field(spec, "externalTrafficPolicy") ?? "";
	if (given !== "" && !isReachable) {
		const message =
			"Nothing outside the cluster gets to this Service: leave it out, or use type NodePort or LoadBalancer";
		report.add(path, "InvalidObject", message);
		return "Cluster";
	}
	return report.read(TrafficPolicy, given, { path, consequence: "Cluster is used" }) ?? "Cluster";
}

function readHealthCheck(spec: Raw, isAllowed: boolean, report: Report): Port | undefined {
	const path = ["spec", "healthCheckNodePort"];
	const given = field(spec, "healthCheckNodePort") ?? 0;
	if (given === 0) return undefined;
	const consequence = "there is no health check";
	if (isAllowed) return report.read(PortNumber, given, { path, consequence });
	const message = "Only type LoadBalancer with externalTrafficPolicy Local has one: leave it out, or set both";
	report.add(path, "InvalidObject", `${message}; ${consequence}`);
	return undefined;
}
