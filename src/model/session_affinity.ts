// Service -> SessionAffinity: whether a client goes on to the backend that it has had, and for how long.

import type { ClientIdentity, SessionAffinity } from "./cluster.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { AffinitySeconds, SessionAffinityType } from "./schemas.ts";

/** v1.DefaultClientIPServiceAffinitySeconds: three hours. */
const DEFAULT_SECONDS = 10_800;

const CONFIG = ["spec", "sessionAffinityConfig"];

/** Undefined for None, whose configuration the API drops. */
export function readAffinity(spec: Raw, client: ClientIdentity, report: Report): SessionAffinity | undefined {
	const place = { path: ["spec", "sessionAffinity"], consequence: "None is used" };
	const type = report.read(SessionAffinityType, field(spec, "sessionAffinity"), place);
	if (type !== "ClientIP") return undefined;
	return { seconds: readSeconds(field(spec, "sessionAffinityConfig"), report), client };
}

function readSeconds(config: unknown, report: Report): number {
	const consequence = `${DEFAULT_SECONDS} seconds are used`;
	const path = [...CONFIG, "clientIP", "timeoutSeconds"];
	const clientIp = readObject(config, CONFIG, report);
	const limits = readObject(clientIp && field(clientIp, "clientIP"), [...CONFIG, "clientIP"], report);
	const given = limits && field(limits, "timeoutSeconds");
	return report.read(AffinitySeconds, given, { path, consequence }) ?? DEFAULT_SECONDS;
}

function readObject(value: unknown, path: readonly string[], report: Report): Raw | undefined {
	if (value === undefined || value === null) return undefined;
	if (isRaw(value)) return value;
	report.add(
		path,
		"InvalidObject",
		`${show(value)} is not an object: give clientIP.timeoutSeconds; ${DEFAULT_SECONDS} seconds are used`,
	);
	return undefined;
}
