// discovery.k8s.io/v1 EndpointSlice -> EndpointSlice: a wrong endpoint or port is left out, the others stay.

import { ipFamily } from "./address.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "./cluster.ts";
import { listEndpoints } from "./endpoint_list.ts";
import { readHints } from "./hints.ts";
import { project, readMetadata, readNodeName, readString } from "./metadata.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Projection, type Report, show } from "./report.ts";
import { AddressType, Conditions, DnsLabel, DnsSubdomain, NamedPort, UnicastIp } from "./schemas.ts";
import { sharePorts } from "./shared_ports.ts";

/** Names the Service that a slice belongs to. */
export const SERVICE_NAME = "kubernetes.io/service-name";

/**
 * Projects an EndpointSlice. Left out as a whole: without a name, an address type, a Service, or if each of its endpoints or each of
 * its ports is wrong. Rules: k8s.io/kubernetes pkg/apis/discovery/validation; the API's 1000 endpoints are no limit here.
 */
export function projectEndpointSlice(object: unknown): Projection<EndpointSlice> {
	return project("EndpointSlice", object, readSlice);
}

function readSlice(object: Raw, report: Report): EndpointSlice | undefined {
	const meta = readMetadata(object, DnsSubdomain, report);
	if (meta === undefined) return undefined;
	const addressType = report.read(AddressType, field(object, "addressType"), {
		path: ["addressType"],
		consequence: "the slice is left out",
	});
	if (addressType === "FQDN") {
		report.add(
			["addressType"],
			"Unsupported",
			"FQDN slices lead nowhere: use IPv4 or IPv6 addresses; the slice is left out",
		);
		return undefined;
	}
	const owner = readString("labels", meta, SERVICE_NAME, report);
	if (owner === undefined || owner === "") {
		const place = ["metadata", "labels", SERVICE_NAME];
		report.add(
			place,
			"Unsupported",
			"No label names the slice's Service: add it with the Service's name; the slice is left out",
		);
		return undefined;
	}
	const service = report.read(DnsLabel, owner, {
		path: ["metadata", "labels", SERVICE_NAME],
		consequence: "the slice is left out",
	});
	if (addressType === undefined || service === undefined) return undefined;
	const endpoints = readEndpoints(object, addressType, report);
	const ports = readPorts(object, report);
	if (endpoints === undefined || ports === undefined) return undefined;
	return {
		key: meta.key,
		service: `${meta.namespace}/${service}`,
		addressType,
		endpoints: listEndpoints(endpoints),
		ports,
	};
}

function readEndpoints(object: Raw, addressType: "IPv4" | "IPv6", report: Report): readonly Endpoint[] | undefined {
	const list = report.list(field(object, "endpoints"), { path: ["endpoints"], consequence: "the slice is left out" });
	const endpoints: Endpoint[] = [];
	for (const [index, raw] of (list ?? []).entries()) {
		const endpoint = readEndpoint(raw, { index, addressType, report });
		if (endpoint !== undefined) endpoints.push(endpoint);
	}
	return list === undefined || (list.length > 0 && endpoints.length === 0) ? undefined : endpoints;
}

interface EndpointPlace {
	readonly index: number;
	readonly addressType: "IPv4" | "IPv6";
	readonly report: Report;
}

function readEndpoint(raw: unknown, { index, addressType, report }: EndpointPlace): Endpoint | undefined {
	const path = ["endpoints", index];
	const consequence = "the endpoint is left out";
	const addresses = isRaw(raw) ? field(raw, "addresses") : undefined;
	if (!isRaw(raw) || !Array.isArray(addresses) || addresses.length === 0) {
		report.add(
			[...path, "addresses"],
			"InvalidObject",
			`No list of addresses: give one IP address in a list; ${consequence}`,
		);
		return undefined;
	}
	const ip = report.read(UnicastIp, addresses[0], { path: [...path, "addresses", 0], consequence });
	if (ip !== undefined && ipFamily(ip) !== addressType) {
		report.add(
			[...path, "addresses", 0],
			"InvalidObject",
			`${ip} is not ${addressType}, the slice's addressType: use a slice for each family; ${consequence}`,
		);
		return undefined;
	}
	const conditions = report.read(Conditions, field(raw, "conditions"), { path: [...path, "conditions"], consequence });
	if (ip === undefined || conditions === undefined) return undefined;
	const nodeName = readNodeName(raw, "nodeName", { path, report });
	const hints = readHints(raw, path, report);
	return hints === undefined ? { ip, ...conditions, nodeName } : { ip, ...conditions, nodeName, hints };
}

function readPorts(object: Raw, report: Report): readonly EndpointPort[] | undefined {
	const list = report.list(field(object, "ports"), { path: ["ports"], consequence: "the slice is left out" });
	const ports = new Map<string, EndpointPort | "SCTP">();
	let wrong = 0;
	for (const [index, raw] of (list ?? []).entries()) {
		if (isRaw(raw) && (field(raw, "port") ?? undefined) === undefined) {
			// It says nothing about where a connection goes.
			const fact = "No number, which means all ports: give one; the port is left out";
			report.add(["ports", index, "port"], "Unsupported", fact);
		} else if (!takePort(raw, { index, ports, report })) wrong++;
	}
	if (list === undefined || (wrong > 0 && ports.size === 0)) return undefined;
	// The Service tells its user that SCTP is not balanced.
	return sharePorts([...ports.values()].filter((port) => port !== "SCTP"));
}

interface PortPlace {
	readonly index: number;
	readonly ports: Map<string, EndpointPort | "SCTP">;
	readonly report: Report;
}

function takePort(raw: unknown, { index, ports, report }: PortPlace): boolean {
	const place = { path: ["ports", index], consequence: "the port is left out" };
	const port = report.read(NamedPort, raw, place);
	if (port === undefined) return false;
	const { name, protocol } = port;
	if (ports.has(name)) {
		const message = `A second port named ${show(name)}: give each its own name; ${place.consequence}`;
		report.add(place.path, "InvalidObject", message);
		return false;
	}
	ports.set(name, protocol === "SCTP" ? "SCTP" : { name, port: port.port, protocol });
	return true;
}
