// What both policies have: who they are, what clients open, on which hosts they hold, and their annotations.

import type { Ip } from "./address.ts";
import { readLabelSelector, SELECTOR_FIELDS } from "./label_selector_object.ts";
import { type Metadata, readMetadata, readString } from "./metadata.ts";
import type { Policy, PolicyFrontend, PolicyHosts } from "./policy.ts";
import { type At, chooseOne, demandPart, LEFT_OUT, readPart } from "./policy_fields.ts";
import { readOptionalPorts, readPolicyPorts } from "./policy_ports.ts";
import { field, isRaw, ownString, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { CloseOnRemove, DnsLabel, DnsSubdomain, Flag, UnicastIp } from "./schemas.ts";

export const SERVICE_ID = "balancing.elf.io/serviceId";
const CLOSE_ON_REMOVE = "balancing.elf.io/close-on-remove";
const MAX_UINT32 = 2 ** 32 - 1;
const SPEC_FIELDS = ["config", "frontend", "backend"];
const SPEC = ["spec"];

type PolicyBase = Omit<Extract<Policy, { kind: "LocalRedirectPolicy" }>, "kind" | "pods" | "ports" | "qosLimit">;

/** What is common to both, and what is left to be read. */
export interface Begun {
	readonly meta: Metadata;
	readonly spec: Raw;
	/** Undefined if the policy is left out, after Problems; the rest is read for its own. */
	readonly base: PolicyBase | undefined;
}

/** Undefined without a name or a spec. */
export function beginPolicy(object: Raw, report: Report): Begun | undefined {
	const meta = readMetadata(object, DnsSubdomain, report);
	const spec = demandPart(object, "spec", SPEC_FIELDS, { path: [], report });
	if (meta === undefined || spec === undefined) return undefined;
	const frontend = readFrontend(spec, report);
	const hosts = readHosts(spec, report);
	const serviceId = readUint32(meta, SERVICE_ID, report);
	const place = { path: ["metadata", "annotations", CLOSE_ON_REMOVE], consequence: "udp is used" };
	const close = report.read(CloseOnRemove, readString("annotations", meta, CLOSE_ON_REMOVE, report), place);
	if (frontend === undefined || hosts === undefined) return { meta, spec, base: undefined };
	const base: PolicyBase = {
		name: meta.name,
		created: meta.created,
		...readUid(object),
		generation: readGeneration(object),
		...(serviceId === undefined ? {} : { serviceId }),
		frontend,
		hosts,
		...(close === undefined || close === "udp" ? {} : { closeOnRemove: close }),
	};
	return { meta, spec, base };
}

/** Of the server's own making, as a generation is: nobody can mend it, and nobody has to. */
const LONGEST_UID = 64;

function readUid(object: Raw): { readonly uid?: string } {
	const meta = field(object, "metadata");
	const uid = isRaw(meta) ? field(meta, "uid") : undefined;
	const isUid = typeof uid === "string" && uid !== "" && uid.length <= LONGEST_UID;
	return isUid ? { uid: ownString(uid) } : {};
}

/** The server's own, never a user's. */
function readGeneration(object: Raw): number {
	const meta = field(object, "metadata");
	const generation = isRaw(meta) ? field(meta, "generation") : undefined;
	return typeof generation === "number" && Number.isSafeInteger(generation) && generation > 0 ? generation : 0;
}

/** An annotation of a whole number; undefined if there is none, and after a Problem. */
export function readUint32(meta: Metadata, annotation: string, report: Report): number | undefined {
	const text = readString("annotations", meta, annotation, report) ?? "";
	if (text === "") return undefined;
	if (/^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) <= MAX_UINT32) return Number(text);
	const path = ["metadata", "annotations", annotation];
	report.add(path, "InvalidObject", `${show(text)} is not a number: give "0" to "${MAX_UINT32}"; it is left out`);
	return undefined;
}

/** Says that an annotation of the other policy means nothing here. */
export function refuseAnnotation(meta: Metadata, annotation: string, why: string, report: Report): void {
	if ((field(meta.annotations, annotation) ?? "") === "") return;
	report.add(["metadata", "annotations", annotation], "Unsupported", `${why}; it is left out`);
}

function readFrontend(spec: Raw, report: Report): PolicyFrontend | undefined {
	const fields = ["serviceMatcher", "addressMatcher"] as const;
	const part = demandPart(spec, "frontend", fields, { path: SPEC, report });
	if (part === undefined) return undefined;
	const at = { path: [...SPEC, "frontend"], report };
	switch (chooseOne(part, fields, at)) {
		case "serviceMatcher":
			return readServiceMatcher(part, at);
		case "addressMatcher":
			return readAddressMatcher(part, at);
		default:
			return undefined;
	}
}

function readServiceMatcher(frontend: Raw, { path, report }: At): PolicyFrontend | undefined {
	const matcher = readPart(frontend, "serviceMatcher", ["namespace", "serviceName", "toPorts"], { path, report });
	if (matcher === undefined) return undefined;
	const at = { path: [...path, "serviceMatcher"], report };
	const name = (key: string): string | undefined =>
		report.read(DnsLabel, field(matcher, key) ?? undefined, { path: [...at.path, key], consequence: LEFT_OUT });
	const namespace = name("namespace");
	const service = name("serviceName");
	const ports = readOptionalPorts(matcher, at);
	if (namespace === undefined || service === undefined || ports === undefined) return undefined;
	return { kind: "service", service: `${namespace}/${service}`, ports };
}

function readAddressMatcher(frontend: Raw, { path, report }: At): PolicyFrontend | undefined {
	const matcher = readPart(frontend, "addressMatcher", ["ip", "toPorts"], { path, report });
	if (matcher === undefined) return undefined;
	const at = { path: [...path, "addressMatcher"], report };
	const place = { path: [...at.path, "ip"], consequence: LEFT_OUT };
	const ip: Ip | undefined = report.read(UnicastIp, field(matcher, "ip") ?? undefined, place);
	const ports = readPolicyPorts(matcher, "frontend", at);
	return ip === undefined || ports === undefined ? undefined : { kind: "address", ip, ports };
}

/** Undefined after a Problem of the selector: nobody knows then which nodes were not meant. */
function readHosts(spec: Raw, report: Report): PolicyHosts | undefined {
	const at = { path: [...SPEC, "config"], report };
	const isThere = (field(spec, "config") ?? undefined) !== undefined;
	const config = readPart(spec, "config", ["nodeLabelSelector", "enableOutCluster"], { path: SPEC, report });
	if (config === undefined) return isThere ? undefined : { nodes: [], outCluster: true };
	const outCluster = report.read(Flag, field(config, "enableOutCluster"), {
		path: [...at.path, "enableOutCluster"],
		consequence: "false is used",
	});
	const isWrong = (field(config, "enableOutCluster") ?? undefined) !== undefined && outCluster === undefined;
	const nodes = readNodes(config, at);
	return nodes === undefined ? undefined : { nodes, outCluster: isWrong ? false : (outCluster ?? true) };
}

function readNodes(config: Raw, { path, report }: At): PolicyHosts["nodes"] | undefined {
	if ((field(config, "nodeLabelSelector") ?? undefined) === undefined) return [];
	const selector = readPart(config, "nodeLabelSelector", SELECTOR_FIELDS, { path, report });
	return selector && readLabelSelector(selector, { path: [...path, "nodeLabelSelector"], report });
}

/** Which Pods; undefined after a Problem. An empty selector would take every Pod of the cluster. */
export function readEndpointSelector(owner: Raw, at: At): PolicyHosts["nodes"] | undefined {
	const path = [...at.path, "endpointSelector"];
	const selector = demandPart(owner, "endpointSelector", SELECTOR_FIELDS, at);
	const pods = selector && readLabelSelector(selector, { path, report: at.report });
	if (pods === undefined || pods.length > 0) return pods;
	at.report.add(path, "InvalidObject", `It selects every Pod: give matchLabels or matchExpressions; ${LEFT_OUT}`);
	return undefined;
}
