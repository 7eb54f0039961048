// EndpointSlice.endpoints[].hints -> Hints: one value for all endpoints that have the same, of which there are many.

import type { Hints } from "./cluster.ts";
import type { FieldPath } from "./field_path.ts";
import { field, isRaw, type Raw, sharedString } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { DnsSubdomain, ZoneName } from "./schemas.ts";

/** The API's limit for each of the lists. */
const MAX_HINTS = 8;
/** Hints that are remembered at once; then it begins anew. */
const MOST_SHARED = 5000;
const shared = new Map<string, Hints>();

/** Undefined if there are none. `raw` is the endpoint at `path`; a wrong name is left out, and the endpoint is as good as before. */
export function readHints(raw: Raw, path: FieldPath, report: Report): Hints | undefined {
	const hints = field(raw, "hints") ?? undefined;
	if (hints === undefined) return undefined;
	const at = [...path, "hints"];
	if (!isRaw(hints)) {
		report.add(at, "InvalidObject", `${show(hints)} is not an object: give forZones or forNodes; it is left out`);
		return undefined;
	}
	const nodes = readNames(hints, { path: [...at, "forNodes"], schema: DnsSubdomain, report });
	const zones = readNames(hints, { path: [...at, "forZones"], schema: ZoneName, report });
	return shareHints(nodes, zones);
}

/** The one value that stands for these hints; undefined for none. */
export function shareHints(nodes: readonly string[], zones: readonly string[]): Hints | undefined {
	if (nodes.length === 0 && zones.length === 0) return undefined;
	// Neither name may have a blank.
	const key = `${nodes.join(" ")}\n${zones.join(" ")}`;
	const known = shared.get(key);
	if (known !== undefined) return known;
	if (shared.size >= MOST_SHARED) shared.clear();
	const own: Hints = { nodes: nodes.map(sharedString), zones: zones.map(sharedString) };
	shared.set(key, own);
	return own;
}

interface Names {
	readonly path: FieldPath;
	readonly schema: typeof DnsSubdomain | typeof ZoneName;
	readonly report: Report;
}

function readNames(hints: Raw, { path, schema, report }: Names): readonly string[] {
	const consequence = "the hint is left out";
	const given = field(hints, String(path.at(-1)));
	const list = report.list(given, { path, consequence: "it is left out" }, MAX_HINTS) ?? [];
	const names = new Set<string>();
	for (const [index, entry] of list.entries()) {
		const name = isRaw(entry) ? field(entry, "name") : undefined;
		const read = report.read(schema, name, { path: [...path, index, "name"], consequence });
		if (read !== undefined) names.add(read);
	}
	return [...names];
}
