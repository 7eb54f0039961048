// What a copy of a hub looks like on disk: a header, a line for each entry, and a checksum of all that is before it.

import { createHash } from "node:crypto";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Node, type Service } from "../model/cluster.ts";
import type { Pod } from "../model/pod.ts";
import type { Policy, PolicyKey } from "../model/policy.ts";

/** Changes whenever the shape of what is kept does (src/model/); a test holds the two together. */
export const STORE_FORMAT = 7;

/** Where a snapshot comes from. */
export interface Provenance {
	/** Which cluster it is of, in words that are no other cluster's: `https://10.0.0.1:6443, CA 0123456789abcdef`. */
	readonly origin: string;
	readonly now: Date;
}

export interface Decoded {
	readonly cluster: Cluster;
	readonly savedAt: Date;
}

interface Header {
	readonly format: number;
	readonly savedAt: string;
	readonly origin: string;
}

type Entry =
	| readonly ["service", string, Service]
	| readonly ["slices", string, readonly EndpointSlice[]]
	| readonly ["node", string, Node]
	| readonly ["pod", string, Pod]
	| readonly ["policy", PolicyKey, Policy];

/** Characters of one piece, at least: the whole never sits in memory. */
const PIECE = 65_536;

/** The text of a copy, piece by piece. */
export function* encodeCopy(cluster: Cluster, { origin, now }: Provenance): Generator<string, undefined> {
	const hash = createHash("sha256");
	const header: Header = { format: STORE_FORMAT, savedAt: now.toISOString(), origin };
	let piece = `${JSON.stringify(header)}\n`;
	for (const entry of entriesOf(cluster)) {
		piece += `${JSON.stringify(entry)}\n`;
		if (piece.length < PIECE) continue;
		hash.update(piece);
		yield piece;
		piece = "";
	}
	hash.update(piece);
	yield `${piece}${hash.digest("hex")}\n`;
}

function* entriesOf({ services, slices, nodes, pods, policies }: Cluster): Generator<Entry, undefined> {
	for (const [key, service] of services) yield ["service", key, service];
	for (const [key, list] of slices) yield ["slices", key, list];
	for (const [name, node] of nodes) yield ["node", name, node];
	for (const [key, pod] of pods) yield ["pod", key, pod];
	for (const [key, policy] of policies) yield ["policy", key, policy];
}

/** Throws with the reason if it is not, to the letter, what a version with this format wrote about this origin. */
export function decodeCopy(text: string, wanted: string): Decoded {
	const { format, savedAt, origin }: Partial<Header> = JSON.parse(text.slice(0, text.indexOf("\n")));
	if (format !== STORE_FORMAT) throw new Error(`format ${format} instead of ${STORE_FORMAT}`);
	const end = text.lastIndexOf("\n", text.length - 2) + 1;
	const sum = createHash("sha256").update(text.slice(0, end)).digest("hex");
	if (savedAt === undefined || origin === undefined || text.slice(end) !== `${sum}\n`) {
		throw new Error("the checksum is wrong");
	}
	if (origin !== wanted) throw new Error(`it is of another cluster, ${origin}, and this one is ${wanted}`);
	return { cluster: decodeEntries(text, end), savedAt: new Date(savedAt) };
}

function decodeEntries(text: string, end: number): Cluster {
	const services = new Map<string, Service>();
	const slices = new Map<string, readonly EndpointSlice[]>();
	const nodes = new Map<string, Node>();
	const pods = new Map<string, Pod>();
	const policies = new Map<PolicyKey, Policy>();
	for (let at = text.indexOf("\n") + 1; at < end; ) {
		const next = text.indexOf("\n", at) + 1;
		const entry: Entry = JSON.parse(text.slice(at, next));
		if (entry[0] === "service") services.set(entry[1], entry[2]);
		else if (entry[0] === "slices") slices.set(entry[1], entry[2]);
		else if (entry[0] === "node") nodes.set(entry[1], entry[2]);
		else if (entry[0] === "pod") pods.set(entry[1], entry[2]);
		else policies.set(entry[1], entry[2]);
		at = next;
	}
	return { ...EMPTY_CLUSTER, services, slices, nodes, pods, policies };
}
