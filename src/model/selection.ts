// core/v1 Service -> Selection: which Pods a Service selects and where they listen; what an EndpointSlice controller reads of it.

import type { Port, Protocol } from "./address.ts";
import { project, readStrings } from "./metadata.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { createReport, type Projection, type Report, show } from "./report.ts";
import { Flag, PortName, PortNumber, TrafficDistribution } from "./schemas.ts";
import { type PortsDuty, readPortEntries } from "./service_ports.ts";

/** A port of a Service and the port of its Pods. */
export interface TargetPort {
	/** Where it stands in spec.ports. */
	readonly index: number;
	readonly name: string;
	readonly protocol: Protocol;
	/** The number, or the name of a container's port. */
	readonly target: Port | string;
}

/** How a Service with a selector finds its Pods. */
export interface Selection {
	/** Never empty: an empty selector selects nothing. */
	readonly labels: ReadonlyMap<string, string>;
	/** spec.publishNotReadyAddresses. */
	readonly publishNotReady: boolean;
	/** spec.trafficDistribution: `zone` for PreferSameZone and its older name PreferClose, `node` for PreferSameNode. */
	readonly prefer: "any" | "zone" | "node";
	readonly ports: readonly TargetPort[];
}

const ANY_PORTS: PortsDuty = { mayBeEmpty: true, nodePorts: "ignored" };

/** Reads the selector of an object that `projectService` has accepted; nothing if it has none. */
export function projectSelection(object: unknown): Projection<Selection> {
	return project("Service", object, readSelection);
}

function readSelection(object: Raw, report: Report): Selection | undefined {
	const spec = field(object, "spec");
	if (!isRaw(spec) || field(spec, "type") === "ExternalName") return undefined;
	const selector = field(spec, "selector") ?? {};
	if (!isRaw(selector)) {
		report.add(
			["spec", "selector"],
			"InvalidObject",
			`${show(selector)} is not an object: give labels as keys and strings; no Pod is selected`,
		);
		return undefined;
	}
	const labels = readStrings(selector, { path: ["spec", "selector"], consequence: "no Pod is selected" }, report);
	// With a label left out, more Pods would match than were meant.
	if (labels.size === 0 || labels.size !== Object.keys(selector).length) return undefined;
	const flag = report.read(Flag, field(spec, "publishNotReadyAddresses"), {
		path: ["spec", "publishNotReadyAddresses"],
		consequence: "false is used",
	});
	return {
		labels,
		publishNotReady: flag ?? false,
		prefer: readPreference(spec, report),
		ports: readTargets(spec, report),
	};
}

function readPreference(spec: Raw, report: Report): Selection["prefer"] {
	const place = { path: ["spec", "trafficDistribution"], consequence: "no endpoint is preferred" };
	const distribution = report.read(TrafficDistribution, field(spec, "trafficDistribution"), place);
	if (distribution === undefined) return "any";
	return distribution === "PreferSameNode" ? "node" : "zone";
}

function readTargets(spec: Raw, report: Report): readonly TargetPort[] {
	const targets: TargetPort[] = [];
	const list = field(spec, "ports");
	// `projectService` has reported what is wrong with the entries themselves.
	for (const { index, port } of readPortEntries(spec, ANY_PORTS, createReport("")) ?? []) {
		const raw: unknown = Array.isArray(list) ? list[index] : undefined;
		const target = isRaw(raw)
			? readTarget(raw, { path: ["spec", "ports", index, "targetPort"], port: port.port, report })
			: undefined;
		if (target !== undefined) targets.push({ index, name: port.name, protocol: port.protocol, target });
	}
	return targets;
}

function readTarget(
	raw: Raw,
	at: { readonly path: readonly (string | number)[]; readonly port: Port; readonly report: Report },
): Port | string | undefined {
	const { path, port, report } = at;
	const target = field(raw, "targetPort") ?? 0;
	if (target === 0 || target === "") return port;
	if (typeof target === "number")
		return report.read(PortNumber, target, { path, consequence: "no Pod serves this port" });
	if (typeof target === "string" && /^\d+$/.test(target)) {
		report.add(
			path,
			"InvalidObject",
			`${show(target)} in quotes is a name: write the number without quotes; no Pod serves this port`,
		);
		return undefined;
	}
	return report.read(PortName, target, { path, consequence: "no Pod serves this port" });
}
