// toPorts of a policy: which entries are taken, and which clash with one before them.

import * as v from "valibot";
import { type Port, parsePort } from "./address.ts";
import type { FieldPath } from "./field_path.ts";
import type { PolicyPort } from "./policy.ts";
import { type At, LEFT_OUT } from "./policy_fields.ts";
import { MAX_PORTS, PROTOCOLS } from "./policy_limits.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Report, show, wrong } from "./report.ts";
import { OptionalName } from "./schemas.ts";

/** As text in the CRD; as a number it is as clear. */
const PortText = v.pipe(
	v.custom<string | number>((value) => parsePort(value) !== undefined, wrong("a port", 'give "1" to "65535"')),
	v.transform((value): Port => parsePort(value) ?? (value as Port)),
);
const PolicyProtocol = v.picklist(PROTOCOLS, wrong("a protocol that is translated", `use ${PROTOCOLS.join(" or ")}`));

const PORT_FIELDS = ["name", "port", "protocol"];
const NO_PORT = "the port is left out";

/** Ports that clients open are each one frontend; those of backends may be the same twice. */
export type PortSide = "frontend" | "backend";

/** The acceptable ports of `owner`; undefined if there is none, after Problems. */
export function readPolicyPorts(owner: Raw, side: PortSide, at: At): readonly PolicyPort[] | undefined {
	const path = [...at.path, "toPorts"];
	const list = at.report.list(field(owner, "toPorts"), { path, consequence: LEFT_OUT }, MAX_PORTS);
	if (list?.length === 0) at.report.add(path, "InvalidObject", `Missing: give at least one port; ${LEFT_OUT}`);
	const taken: Taken = { ports: [], side, isAlone: list?.length === 1 };
	for (const [index, raw] of (list ?? []).entries())
		takePort(raw, taken, { path: [...path, index], report: at.report });
	return taken.ports.length === 0 ? undefined : taken.ports;
}

/** As `readPolicyPorts`, and none if none is listed. */
export function readOptionalPorts(owner: Raw, at: At): readonly PolicyPort[] | undefined {
	const given = field(owner, "toPorts") ?? [];
	return Array.isArray(given) && given.length === 0 ? [] : readPolicyPorts(owner, "frontend", at);
}

interface Taken {
	readonly ports: PolicyPort[];
	readonly side: PortSide;
	/** It needs no name. */
	readonly isAlone: boolean;
}

function takePort(raw: unknown, taken: Taken, { path, report }: At): void {
	const port = readPort(raw, path, report);
	if (port === undefined) return;
	const fault = whyNot(port, taken);
	if (fault === undefined) taken.ports.push(port);
	else report.add(path, "InvalidObject", `${fault}; ${NO_PORT}`);
}

function readPort(raw: unknown, path: FieldPath, report: Report): PolicyPort | undefined {
	if (!isRaw(raw)) {
		report.add(path, "InvalidObject", `${show(raw)} is not a port: give port, protocol and name; ${NO_PORT}`);
		return undefined;
	}
	const read = <Schema extends v.GenericSchema>(schema: Schema, key: string) =>
		report.read(schema, field(raw, key), { path: [...path, key], consequence: NO_PORT });
	const name = read(OptionalName, "name");
	const port = read(PortText, "port");
	const protocol = read(PolicyProtocol, "protocol");
	for (const key of Object.keys(raw)) {
		if (PORT_FIELDS.includes(key)) continue;
		const message = `Unknown field: use ${PORT_FIELDS.join(", ")}; it is left out`;
		report.add([...path, key.slice(0, 100)], "InvalidObject", message);
	}
	return name === undefined || port === undefined || protocol === undefined ? undefined : { name, port, protocol };
}

function whyNot({ name, port, protocol }: PolicyPort, { ports, side, isAlone }: Taken): string | undefined {
	if (name === "" && !isAlone) return "No name, and it is one of several: give each a name";
	if (ports.some((other) => other.name === name)) return `A second port named ${show(name)}: give each its own name`;
	const isTwice = ports.some((other) => other.port === port && other.protocol === protocol);
	return side === "frontend" && isTwice ? `A second port ${port}/${protocol}: keep one of them` : undefined;
}
