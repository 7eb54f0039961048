// Writes to this host's own Node what others read there: its id and its proxy addresses, where it has none.

import type { Config } from "../config.ts";
import {
	createObjects,
	isConflict,
	isForbidden,
	metaOf,
	type ObjectPlace,
	type Objects,
} from "../hub/request/objects.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createRunner } from "../lib/runner.ts";
import { ipFamily, parseIp } from "../model/address.ts";
import type { Cluster, Node } from "../model/cluster.ts";
import { NODE_ID, PROXY_IPS } from "../model/node.ts";
import { field, isRaw, type Raw } from "../model/raw.ts";
import type { HubSnapshot } from "../plan/plan_types.ts";
import type { HubSource } from "./hub_sources.ts";

export interface NodeAnnotations {
	/** There is another snapshot. */
	call(): void;
	/** Settles when the signal is aborted. */
	readonly stopped: Promise<void>;
}

export interface NodeAnnotationOptions {
	readonly nodeName: string;
	/** The newest of the hub; undefined as long as it was not read. */
	readonly cluster: () => Cluster | undefined;
	readonly objects: Objects;
	/** From 0 up to 1. */
	readonly random: () => number;
	readonly clock: Clock;
	readonly log: Log;
	readonly signal: AbortSignal;
}

const MAX_UINT32 = 2 ** 32 - 1;
const SHORTEST = 1000;
const RETRY = 30_000;
const TRIES = 5;
/** Milliseconds until a Node is looked at again that has not changed: that is what a snapshot is for. */
const LONGEST = 6 * 3_600_000;

/** Starts at once, and does nothing as long as the hub has no Node of this name. */
export function annotateNode(options: NodeAnnotationOptions): NodeAnnotations {
	const { nodeName, cluster, objects, clock, log, signal } = options;
	const place: ObjectPlace = { kind: "Node", apiVersion: "v1", resource: "nodes", name: nodeName };
	/** For this Node, as it was projected, everything is done that can be. */
	let settled: Node | undefined;
	let complained = "";

	async function write(nodes: Cluster["nodes"]): Promise<void> {
		const object = await objects.get(place);
		const annotations = object === undefined ? {} : missingIn(object, nodes, options.random);
		if (object === undefined || Object.keys(annotations).length === 0) return;
		const metadata = { resourceVersion: metaOf(object, "resourceVersion"), annotations };
		await objects.patch(place, { type: "merge", body: { metadata } });
		log.info({ node: nodeName, annotations }, "Annotated the Node");
	}

	/** False after a conflict: the kubelet writes as well. */
	async function writeOnce(nodes: Cluster["nodes"], tries: number): Promise<boolean> {
		try {
			await write(nodes);
			return true;
		} catch (error) {
			if (tries < TRIES && isConflict(error)) return false;
			throw error;
		}
	}

	/** Whether it is to be tried again: another time it may have the right. */
	function complain(err: unknown): "done" | "again" {
		if (signal.aborted) return "again";
		const hint = isForbidden(err)
			? { hint: "allow it by edge/kubernetes/node_annotations, or give --annotate-node off" }
			: {};
		if (String(err) !== complained)
			log.warn({ err, node: nodeName, ...hint }, "Cannot annotate the Node; nothing else needs it");
		complained = String(err);
		return isForbidden(err) ? "done" : "again";
	}

	const runner = createRunner({
		async run() {
			const known = cluster();
			const node = known?.nodes.get(nodeName);
			if (known === undefined || node === undefined || node === settled) return "done";
			try {
				for (let tries = 1; !(await writeOnce(known.nodes, tries)); tries++);
			} catch (err) {
				if (complain(err) === "again") return "again";
			}
			settled = node;
			return "done";
		},
		shortest: SHORTEST,
		retry: RETRY,
		longest: LONGEST,
		signal,
		clock,
	});
	return runner;
}

export interface AnnotatingOptions {
	readonly config: Pick<Config, "annotate-node" | "node-name">;
	readonly sources: readonly HubSource[];
	/** Of each source, in their order. */
	readonly snapshots: () => readonly HubSnapshot[];
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** In each hub that takes it. */
export function annotateNodes({ config, sources, snapshots, log, signal }: AnnotatingOptions): NodeAnnotations {
	const nodeName = config["node-name"];
	const all = sources.flatMap(({ api }, index) => {
		if (api === undefined || config["annotate-node"] === "off") return [];
		const cluster = (): Cluster | undefined => snapshots()[index]?.cluster;
		const objects = createObjects(api, signal);
		return annotateNode({ nodeName, cluster, objects, random: Math.random, clock: systemClock, log, signal });
	});
	return {
		call() {
			for (const one of all) one.call();
		},
		stopped: Promise.all(all.map(({ stopped }) => stopped)).then(() => {}),
	};
}

/** What an administrator has set, even to something wrong, stays. */
function missingIn(object: Raw, nodes: Cluster["nodes"], random: () => number): Readonly<Record<string, string>> {
	const meta = field(object, "metadata");
	const given = isRaw(meta) ? field(meta, "annotations") : undefined;
	const has = (key: string): boolean => isRaw(given) && (field(given, key) ?? undefined) !== undefined;
	const proxies = PROXY_IPS.flatMap(([key, family]) => {
		const ip = has(key) ? undefined : firstAddress(object, family);
		return ip === undefined ? [] : [[key, ip] as const];
	});
	const id = has(NODE_ID) ? [] : [[NODE_ID, String(newId(nodes, random))] as const];
	return Object.fromEntries([...id, ...proxies]);
}

/** From 1 to 2^32 - 1, none that a Node has. */
function newId(nodes: Cluster["nodes"], random: () => number): number {
	const taken = new Set([...nodes.values()].map(({ id }) => id));
	let id = 1 + Math.floor(random() * MAX_UINT32);
	while (taken.has(id)) id = 1 + (id % MAX_UINT32);
	return id;
}

/** The first in status.addresses, of whatever type; names are none. */
function firstAddress(object: Raw, family: "IPv4" | "IPv6"): string | undefined {
	const status = field(object, "status");
	const addresses = isRaw(status) ? field(status, "addresses") : undefined;
	for (const entry of Array.isArray(addresses) ? addresses : []) {
		const text = isRaw(entry) ? field(entry, "address") : undefined;
		const ip = typeof text === "string" ? parseIp(text) : undefined;
		if (ip !== undefined && ipFamily(ip) === family) return ip;
	}
	return undefined;
}
