// Service.spec.ports: which entries are taken, and which clash with one before them.

import type { Port } from "./address.ts";
import type { ServicePort } from "./cluster.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { NamedPort, PortNumber } from "./schemas.ts";

/** A port that was taken, and where it stands in spec.ports. */
export interface PortEntry {
	readonly index: number;
	readonly port: ServicePort;
}

/** Whether ports have a node port: each has one (`wanted`) or may (`kept`), none does (`refused`), or nobody would look at it. */
export type NodePortDuty = "wanted" | "kept" | "refused" | "ignored";

export interface PortsDuty {
	/** For headless and ExternalName. */
	readonly mayBeEmpty: boolean;
	readonly nodePorts: NodePortDuty;
}

/** The acceptable ports; undefined if there is none though the API asks for one. */
export function readPortEntries(
	spec: Raw,
	{ mayBeEmpty, nodePorts }: PortsDuty,
	report: Report,
): readonly PortEntry[] | undefined {
	const path = ["spec", "ports"];
	const list = report.list(field(spec, "ports"), { path, consequence: "the Service has no ports" });
	if (list === undefined) return mayBeEmpty ? [] : undefined;
	if (list.length === 0 && !mayBeEmpty) {
		report.add(path, "InvalidObject", "Missing: give at least one port; the Service is left out");
	}
	const taken: Taken = { names: new Set(), numbers: new Set(), nodePorts: new Set(), alone: list.length === 1 };
	const entries = list.flatMap((raw, index) => takeEntry(raw, { index, taken, nodePorts, report }));
	return taken.names.size > 0 || mayBeEmpty ? entries : undefined;
}

interface Taken {
	readonly names: Set<string>;
	readonly numbers: Set<string>;
	readonly nodePorts: Set<string>;
	readonly alone: boolean;
}

interface PortPlace {
	readonly index: number;
	readonly taken: Taken;
	readonly nodePorts: NodePortDuty;
	readonly report: Report;
}

function takeEntry(raw: unknown, place: PortPlace): readonly PortEntry[] {
	const port = takePort(raw, place);
	if (port === undefined) return [];
	const nodePort = place.nodePorts === "ignored" ? undefined : readNodePort(raw, port, place);
	return [{ index: place.index, port: nodePort === undefined ? port : { ...port, nodePort } }];
}

function takePort(raw: unknown, { index, taken, report }: PortPlace): ServicePort | undefined {
	const path = ["spec", "ports", index];
	const read = report.read(NamedPort, raw, { path, consequence: "the port is left out" });
	if (read === undefined) return undefined;
	const { name, port, protocol } = read;
	const clash = findClash(name, `${port}/${protocol}`, taken);
	if (clash !== undefined) {
		report.add(path, "InvalidObject", `${clash}; the port is left out`);
		return undefined;
	}
	taken.names.add(name);
	taken.numbers.add(`${port}/${protocol}`);
	if (protocol !== "SCTP") return { name, port, protocol };
	report.add([...path, "protocol"], "Unsupported", "SCTP is not balanced: use TCP or UDP; the port is left out");
	return undefined;
}

/** 0 is the same as none. */
function readNodePort(raw: unknown, { protocol }: ServicePort, place: PortPlace): Port | undefined {
	const { index, taken, nodePorts, report } = place;
	const path = ["spec", "ports", index, "nodePort"];
	const consequence = "the port has no node port";
	const given = isRaw(raw) ? (field(raw, "nodePort") ?? 0) : 0;
	if (given === 0) {
		const message = "Missing, and nobody here gives node ports: set one, as from 30000 to 32767";
		if (nodePorts === "wanted") report.add(path, "InvalidObject", `${message}; ${consequence}`);
		return undefined;
	}
	const nodePort = report.read(PortNumber, given, { path, consequence });
	if (nodePort === undefined) return undefined;
	const number = `${nodePort}/${protocol}`;
	const isTaken = taken.nodePorts.has(number);
	taken.nodePorts.add(number);
	if (nodePorts !== "refused" && !isTaken) return nodePort;
	const message = isTaken
		? `A second node port ${number}: give each its own`
		: "Type ClusterIP has no node ports: use NodePort or LoadBalancer, or leave it out";
	report.add(path, "InvalidObject", `${message}; ${consequence}`);
	return undefined;
}

function findClash(name: string, number: string, taken: Taken): string | undefined {
	if (name === "" && !taken.alone) return "No name: give each port a name where there are several";
	if (taken.names.has(name)) return `A second port named ${show(name)}: give each its own name`;
	if (taken.numbers.has(number)) return `A second port ${number}: keep one of them`;
	return undefined;
}
