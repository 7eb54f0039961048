// spec.containers[].ports of a Pod: those that have a name, and those that its node opens.

import { parseIp } from "./address.ts";
import type { FieldPath } from "./field_path.ts";
import type { ContainerPort, HostPort } from "./pod.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import type { Place, Report } from "./report.ts";
import { AnyProtocol, PortName, PortNumber, UnicastIp } from "./schemas.ts";

/** Of most Pods. */
const NONE: readonly never[] = [];
const NO_PORT = "the port is left out";

export interface ContainerPorts {
	readonly ports: readonly ContainerPort[];
	readonly hostPorts: readonly HostPort[];
}

/** Of containers that run along: containers, and init containers that restart always (sidecars). */
export function readContainerPorts(spec: Raw, hostNetwork: boolean, report: Report): ContainerPorts {
	const ports: ContainerPort[] = [];
	const hostPorts: HostPort[] = [];
	for (const { raw, path } of listPorts(spec, report)) {
		const read = readPort(raw, { path, hostNetwork, report });
		if (read?.named !== undefined) ports.push(read.named);
		if (read?.open !== undefined) hostPorts.push(read.open);
	}
	return { ports: ports.length === 0 ? NONE : ports, hostPorts: hostPorts.length === 0 ? NONE : hostPorts };
}

interface Listed {
	readonly raw: Raw;
	readonly path: FieldPath;
}

function* listPorts(spec: Raw, report: Report): Generator<Listed, undefined> {
	for (const { raw, path } of [...listObjects(spec, ["spec", "containers"], report), ...listSidecars(spec, report)]) {
		yield* listObjects(raw, [...path, "ports"], report);
	}
}

function listSidecars(spec: Raw, report: Report): readonly Listed[] {
	const containers = listObjects(spec, ["spec", "initContainers"], report);
	return containers.filter(({ raw }) => field(raw, "restartPolicy") === "Always");
}

/** The objects in the list at the path's end. */
function listObjects(owner: Raw, path: FieldPath, report: Report): readonly Listed[] {
	const list = report.list(field(owner, String(path.at(-1))), { path, consequence: "it is left out" }) ?? [];
	return list.flatMap((raw, index) => (isRaw(raw) ? [{ raw, path: [...path, index] }] : []));
}

interface PortPlace {
	readonly path: FieldPath;
	readonly hostNetwork: boolean;
	readonly report: Report;
}

interface ReadPort {
	readonly named?: ContainerPort | undefined;
	readonly open?: HostPort | undefined;
}

/** Undefined for one with neither a name nor a port of its node, which is documentation, in Kubernetes too; and after a Problem. */
function readPort(raw: Raw, place: PortPlace): ReadPort | undefined {
	const isNamed = (field(raw, "name") ?? "") !== "";
	if (!isNamed && (field(raw, "hostPort") ?? 0) === 0 && !place.hostNetwork) return undefined;
	const at = (key: string) => ({ path: [...place.path, key], consequence: NO_PORT });
	const name = isNamed ? place.report.read(PortName, field(raw, "name"), at("name")) : "";
	const port = place.report.read(PortNumber, field(raw, "containerPort"), at("containerPort"));
	const protocol = place.report.read(AnyProtocol, field(raw, "protocol"), at("protocol"));
	if (name === undefined || port === undefined || protocol === undefined) return undefined;
	return {
		named: isNamed ? { name, port, protocol } : undefined,
		open: protocol === "SCTP" ? undefined : readHostPort(raw, { port, protocol }, place),
	};
}

function readHostPort(raw: Raw, container: HostPort, { path, hostNetwork, report }: PortPlace): HostPort | undefined {
	const given = field(raw, "hostPort") ?? 0;
	// The API server writes it there for a Pod of its node's network; by hand nobody does.
	if (given === 0) return hostNetwork ? container : undefined;
	const at = (key: string) => ({ path: [...path, key], consequence: "its node does not open the port" });
	const port = report.read(PortNumber, given, at("hostPort"));
	if (port === undefined) return undefined;
	const ip = field(raw, "hostIP") ?? "";
	const open = { port, protocol: container.protocol };
	return ANY.has(typeof ip === "string" ? (parseIp(ip) ?? ip) : ip)
		? open
		: openAt(open, ip, { at: at("hostIP"), report });
}

/** Of spec.containers[].ports[].hostIP. */
const ANY: ReadonlySet<unknown> = new Set(["", "0.0.0.0", "::"]);

interface HostIpPlace {
	readonly at: Place;
	readonly report: Report;
}

function openAt(open: HostPort, given: unknown, { at, report }: HostIpPlace): HostPort | undefined {
	const ip = report.read(UnicastIp, given, at);
	return ip === undefined || ip === "::1" || ip.startsWith("127.") ? undefined : { ...open, ip };
}
