// valibot schemas of the parts of objects that are taken or left as a whole: the API's defaults and rules; null is the same as absent.

import * as v from "valibot";
import { type Ip, type Port, parseIp, parsePort } from "./address.ts";
import { isRaw, ownString, type Raw, sharedString } from "./raw.ts";
import { show, wrong } from "./report.ts";

export const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_LABEL_FIX = "use up to 63 of a-z, 0-9 and -, not - at the ends";
const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const IANA_SERVICE_NAME = /^(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*$/;
export const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
export const LABEL_VALUE_FIX = "use up to 63 of letters, digits, -, _ and .";
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

function text(what: string, fix: string, isRight: (value: string) => boolean) {
	return v.pipe(
		v.custom<string>((value) => typeof value === "string" && isRight(value), wrong(what, fix)),
		v.transform((value) => ownString(value)),
	);
}

/** A field that may be absent, null or, as protobuf has it, "": then it is the default. */
function choice<const T extends string>(options: readonly T[], byDefault: T, what: string) {
	const names: ReadonlySet<unknown> = new Set([...options, "", null, undefined]);
	return v.pipe(
		v.custom<T | "" | null | undefined>((value) => names.has(value), wrong(what, `use ${options.join(", ")}`)),
		v.transform((value): T => (value === "" || value === null || value === undefined ? byDefault : value)),
	);
}

/** As `choice`, for a field without a default: undefined where it is not set. */
function optionalChoice<const T extends string>(options: readonly T[], what: string) {
	const names: ReadonlySet<unknown> = new Set([...options, "", null, undefined]);
	return v.pipe(
		v.custom<T | "" | null | undefined>((value) => names.has(value), wrong(what, `use ${options.join(", ")}`)),
		v.transform((value): T | undefined => value || undefined),
	);
}

/** RFC 1123 label, as for namespaces, Services and ports of Services. */
export const DnsLabel = text("a DNS label", DNS_LABEL_FIX, (value) => DNS_LABEL.test(value));
/** RFC 1123 subdomain, as for most objects' names and for nodes. */
export const DnsSubdomain = text(
	"a DNS subdomain",
	"use up to 253 of a-z, 0-9, - and ., each part beginning and ending with a letter or digit",
	(value) => value.length <= 253 && DNS_SUBDOMAIN.test(value),
);
/** RFC 6335 section 5.1 as Kubernetes checks it: names of container ports. */
export const PortName = text(
	"a port name",
	"use up to 15 of a-z, 0-9 and single -, one letter at least",
	(value) => value.length <= 15 && IANA_SERVICE_NAME.test(value),
);

/** UUIDs, and what kubelets use in their place for static Pods. */
export const PodUid = text("a UID", "use up to 64 of letters, digits and -", (value) =>
	/^[A-Za-z0-9-]{1,64}$/.test(value),
);

export function isLabelValue(value: string): boolean {
	return LABEL_VALUE.test(value);
}

/** A label's value that is not empty, as names of zones are. */
export const ZoneName = text("a zone's name", LABEL_VALUE_FIX, (value) => value !== "" && isLabelValue(value));

/** metadata.creationTimestamp in UTC to the second, so that text order is time order. */
export const Timestamp = v.pipe(
	v.custom<string | null | undefined>(
		(value) =>
			value === null || value === undefined || (typeof value === "string" && value.length < 40 && isTime(value)),
		wrong("an RFC 3339 time", "write it like 2026-01-31T23:59:59Z"),
	),
	v.transform((value) => (value ? sharedString(`${new Date(value).toISOString().slice(0, 19)}Z`) : "")),
);

function isTime(value: string): boolean {
	return RFC3339.test(value) && !Number.isNaN(Date.parse(value));
}

export const PortNumber = v.pipe(
	v.custom<number>((value) => typeof value === "number" && parsePort(value) !== undefined, portMessage),
	v.transform((value) => value as Port),
);

function portMessage({ input }: { readonly input: unknown }): string {
	if (typeof input === "string") return `${show(input)} is a string: write the port as a number without quotes`;
	return wrong("a port", "give a whole number from 1 to 65535")({ input });
}

/**
 * An address that connections can be made from and to one peer. The API also refuses loopback and link-local endpoints; here they
 * are taken, because a folder of manifests is written by the host's administrator and a local process is a good backend.
 */
export const UnicastIp = v.pipe(
	v.custom<string>((value) => typeof value === "string" && isUnicast(parseIp(value)), ipMessage),
	v.transform((value): Ip => ownString(parseIp(value) ?? (value as Ip))),
);

function isUnicast(ip: Ip | undefined): boolean {
	if (ip === undefined || ip === "0.0.0.0" || ip === "::" || ip === "255.255.255.255" || ip.startsWith("ff"))
		return false;
	const first = ip.includes(":") ? 0 : Number.parseInt(ip, 10);
	return first < 224 || first > 239;
}

function ipMessage({ input }: { readonly input: unknown }): string {
	if (typeof input === "string" && parseIp(input) !== undefined) {
		return `${show(input)} is not one host's address: it is unspecified, multicast or broadcast`;
	}
	return wrong("an IP address", "write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone)")({ input });
}

/** As the API's validateNonSpecialIP has it: an address that is a host's alone, and means the same host everywhere. */
export const HostIp = v.pipe(
	UnicastIp,
	v.check<Ip, (issue: v.CheckIssue<Ip>) => string>(
		(ip) => !isOwnOrLink(ip),
		({ input }) => `${input} is a loopback or link-local address, another host on each host: give one that is routed`,
	),
);

/** 127/8, ::1, 169.254/16 and fe80::/10. */
function isOwnOrLink(ip: Ip): boolean {
	return ip.startsWith("127.") || ip === "::1" || ip.startsWith("169.254.") || /^fe[89ab][0-9a-f]:/.test(ip);
}

export const Flag = v.custom<boolean | null | undefined>(
	(value) => typeof value === "boolean" || value === null || value === undefined,
	wrong("a boolean", "write true or false without quotes"),
);

/** Protocols that Kubernetes knows; SCTP is valid there and not translated here. */
export const AnyProtocol = choice(["TCP", "UDP", "SCTP"], "TCP", "a protocol");
export const ServiceType = choice(
	["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
	"ClusterIP",
	"a type of Service",
);
export const TrafficPolicy = choice(["Cluster", "Local"], "Cluster", "a traffic policy");
export const PeerAddress = choice(["frontend", "backend"], "frontend", "a peer address");
export const Global = choice(["true", "false"], "false", "true or false");
export const SessionAffinityType = choice(["None", "ClientIP"], "None", "a session affinity");
/** ServiceSpec.sessionAffinityConfig.clientIP.timeoutSeconds; null for its default. */
export const AffinitySeconds = v.custom<number | null | undefined>(
	(value) => value === null || value === undefined || (isWhole(value) && value >= 1 && value <= 86_400),
	wrong("a timeout", "give seconds, a whole number from 1 to 86400"),
);

function isWhole(value: unknown): value is number {
	return Number.isInteger(value);
}

/** KEP-1860. */
export const IpMode = choice(["VIP", "Proxy"], "VIP", "a mode of an ingress address");
export const ClientIdentityName = choice(["netns", "cgroup", "uid", "process"], "netns", "a client identity");
export const CloseOnRemove = choice(["udp", "all", "none"], "udp", "a choice of sockets");
export const ReachMode = optionalChoice(
	["pod", "node-port", "node-proxy", "load-balancer", "auto"],
	"a way to reach Pods",
);
export const TrafficDistribution = optionalChoice(
	["PreferClose", "PreferSameZone", "PreferSameNode"],
	"a traffic distribution",
);
/** EndpointSlice.addressType has no default. */
export const AddressType = v.custom<"IPv4" | "IPv6" | "FQDN">(
	(value) => value === "IPv4" || value === "IPv6" || value === "FQDN",
	wrong("an address type", "use IPv4 or IPv6"),
);

/** An object with these fields; `absent` ends the message about a missing one, which valibot reports for the object. */
function part<const Entries extends v.ObjectEntries>(entries: Entries, what: string, fix: string) {
	return v.pipe(
		v.custom<Raw>(isRaw, wrong(what, fix)),
		v.object(entries, ({ expected }) => `Missing ${expected}: it has no default`),
	);
}

/** The name of a port; "" (also absent or null) is no name. */
export const OptionalName = v.optional(
	v.union(
		[
			v.pipe(
				v.nullable(v.literal("")),
				v.transform(() => ""),
			),
			v.pipe(DnsLabel, v.transform(sharedString)),
		],
		wrong("a DNS label", DNS_LABEL_FIX),
	),
	"",
);

/** One entry of Service.spec.ports or EndpointSlice.ports. */
export const NamedPort = part(
	{ name: OptionalName, port: PortNumber, protocol: v.optional(AnyProtocol, "") },
	"a port",
	"give an object with port, protocol and name",
);

/** EndpointSlice.endpoints[].conditions: unknown is ready, serving follows ready, and nothing is terminating by default. */
export const Conditions = v.pipe(
	v.nullish(
		part(
			{ ready: v.optional(Flag), serving: v.optional(Flag), terminating: v.optional(Flag) },
			"an object",
			"give ready, serving, terminating",
		),
		{},
	),
	v.transform(({ ready, serving, terminating }) => ({
		ready: ready ?? true,
		serving: serving ?? ready ?? true,
		terminating: terminating ?? false,
	})),
);
