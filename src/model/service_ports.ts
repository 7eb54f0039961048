// Service.spec.ports: which entries are taken, and which clash with one before them.

import type { ServicePort } from "./cluster.ts";
import { field, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { NamedPort } from "./schemas.ts";

/** A port that was taken, and where it stands in spec.ports. */
export interface PortEntry {
	readonly index: number;
	readonly port: ServicePort;
}

/** The acceptable ports; undefined if there is none though the API asks for one. `mayBeEmpty` for headless and ExternalName. */
export function readPortEntries(spec: Raw, mayBeEmpty: boolean, report: Report): readonly PortEntry[] | undefined {
	const path = ["spec", "ports"];
	const list = report.list(field(spec, "ports"), { path, consequence: "the Service has no ports" });
	if (list === undefined) return mayBeEmpty ? [] : undefined;
	if (list.length === 0 && !mayBeEmpty) {
		report.add(path, "InvalidObject", "Missing: give at least one port; the Service is left out");
	}
	const entries: PortEntry[] = [];
	const taken: Taken = { names: new Set(), numbers: new Set(), alone: list.length === 1 };
	for (const [index, raw] of list.entries()) {
		const port = takePort(raw, { index, taken, report });
		if (port !== undefined) entries.push({ index, port });
	}
	return taken.names.size > 0 || mayBeEmpty ? entries : undefined;
}

interface Taken {
	readonly names: Set<string>;
	readonly numbers: Set<string>;
	readonly alone: boolean;
}

interface PortPlace {
	readonly index: number;
	readonly taken: Taken;
	readonly report: Report;
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

function findClash(name: string, number: string, taken: Taken): string | undefined {
	if (name === "" && !taken.alone) return "No name: give each port a name where there are several";
	if (taken.names.has(name)) return `A second port named ${show(name)}: give each its own name`;
	if (taken.numbers.has(number)) return `A second port ${number}: keep one of them`;
	return undefined;
}
