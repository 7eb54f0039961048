// core/v1 Node -> Node: where a node is reached, and in which zone it is.

import { type Ip, ipFamily } from "./address.ts";
import type { Node } from "./cluster.ts";
import { type Labels, listLabels } from "./labels.ts";
import { type Metadata, project, readMetadata, readString, readStrings } from "./metadata.ts";
import { field, isRaw, type Raw, sharedString } from "./raw.ts";
import { type Projection, type Report, show } from "./report.ts";
import { DnsSubdomain, HostIp, UnicastIp, ZoneName } from "./schemas.ts";

const ZONE = "topology.kubernetes.io/zone";
export const NODE_ID = "balancing.elf.io/nodeId";
export const PROXY_IPS = [
	["balancing.elf.io/nodeProxyIpv4", "IPv4"],
	["balancing.elf.io/nodeProxyIpv6", "IPv6"],
] as const;
const MAX_UINT32 = 2 ** 32 - 1;
/** Kubelets report some; more is a fault. */
const MAX_ADDRESSES = 100;

/** Projects a Node. Left out as a whole only without a name. `ownName` is what the host's own Node is called. */
export function projectNode(object: unknown, ownName = ""): Projection<Node> {
	return project("Node", object, (raw, report) => readNode(raw, ownName, report));
}

function readNode(object: Raw, ownName: string, report: Report): Node | undefined {
	const meta = readMetadata(object, DnsSubdomain, report);
	if (meta === undefined) return undefined;
	const zone = readZone(meta, report);
	const id = readId(meta);
	return {
		name: sharedString(meta.name),
		ips: readAddresses(object, report),
		zone,
		proxyIps: PROXY_IPS.flatMap(([annotation, family]) => readProxyIp(meta, { annotation, family, report })),
		...(id === undefined ? {} : { id }),
		...(meta.name === ownName ? { labels: readLabels(meta, zone, report) } : {}),
	};
}

/** As nothing depends on it, a wrong one is nobody's Problem. */
function readId(meta: Metadata): number | undefined {
	const text = field(meta.annotations, NODE_ID);
	const isNumber = typeof text === "string" && /^[1-9]\d{0,9}$/.test(text) && Number(text) <= MAX_UINT32;
	return isNumber ? Number(text) : undefined;
}

function readAddresses(object: Raw, report: Report): readonly Ip[] {
	const path = ["status", "addresses"];
	const consequence = "it is left out";
	const status = field(object, "status") ?? {};
	if (!isRaw(status)) {
		report.add(["status"], "InvalidObject", `${show(status)} is not an object: give addresses; ${consequence}`);
		return [];
	}
	const list = report.list(field(status, "addresses"), { path, consequence }, MAX_ADDRESSES) ?? [];
	return [...new Set([...readOfType("InternalIP", list, report), ...readOfType("ExternalIP", list, report)])];
}

/** The other types are names: Hostname, InternalDNS, ExternalDNS. */
function readOfType(type: "InternalIP" | "ExternalIP", list: readonly unknown[], report: Report): readonly Ip[] {
	return list.flatMap((entry, index) => {
		if (!isRaw(entry) || field(entry, "type") !== type) return [];
		const path = ["status", "addresses", index, "address"];
		return report.read(HostIp, field(entry, "address"), { path, consequence: "the node has no such address" }) ?? [];
	});
}

function readZone(meta: Metadata, report: Report): string {
	const zone = readString("labels", meta, ZONE, report) ?? "";
	if (zone === "") return "";
	const place = { path: ["metadata", "labels", ZONE], consequence: "the node is in no zone" };
	return sharedString(report.read(ZoneName, zone, place) ?? "");
}

/** A wrong zone has been told already. */
function readLabels(meta: Metadata, zone: string, report: Report): Labels {
	const { [ZONE]: _, ...others } = meta.labels;
	const labels = readStrings(others, { path: ["metadata", "labels"], consequence: "it is left out" }, report);
	return listLabels(zone === "" ? labels : [...labels, [ZONE, zone]]);
}

interface ProxyPlace {
	readonly annotation: string;
	readonly family: "IPv4" | "IPv6";
	readonly report: Report;
}

/** An administrator's word: it may be any address, even a link-local one of a tunnel. */
function readProxyIp(meta: Metadata, { annotation, family, report }: ProxyPlace): readonly Ip[] {
	const text = readString("annotations", meta, annotation, report) ?? "";
	if (text === "") return [];
	const path = ["metadata", "annotations", annotation];
	const consequence = "the node has no such address";
	const ip = report.read(UnicastIp, text, { path, consequence });
	if (ip === undefined) return [];
	if (ipFamily(ip) === family) return [ip];
	report.add(path, "InvalidObject", `${ip} is not ${family}: use the annotation of its family; ${consequence}`);
	return [];
}
