// What a modelled API server has, and how it says so: few small objects, each of which counts for as many bytes as a real cluster has.

import { needsOf } from "../../src/hub/kinds/needs.ts";
import { AUDIENCE } from "./reconnect_meter.ts";

/** One kind of a cluster with 1,000 Services of 10 endpoints and 100 Nodes, as the test hub answers it over the network. Bytes. */
export interface Size {
	/** As JSON: in streaming lists, which are never compressed. */
	readonly raw: number;
	/** Of a list with gzip. */
	readonly packed: number;
	/** Objects. */
	readonly count: number;
}

const SIZES: Readonly<Record<string, Size>> = {
	services: { raw: 968_793, packed: 51_560, count: 1000 },
	endpointslices: { raw: 3_525_509, packed: 448_000, count: 1000 },
	nodes: { raw: 1_007_821, packed: 39_766, count: 100 },
};
/** Of Pods, those of the agent's node, and of policies there are none: they are few. */
const KINDS: Readonly<Record<string, string>> = Object.fromEntries(
	needsOf(AUDIENCE).map(({ resource, kind }) => [resource, kind]),
);
/** Of each kind. */
const NAMES = ["a", "b", "c"];

export interface Objects {
	version(): number;
	/** Watches from an older version are answered with 410. */
	floor(): number;
	/** Every object changes. */
	change(): void;
	/** Forgets the past. */
	compact(): void;
	/** `{"type":"ADDED",...}` lines of all. */
	added(resource: string): string;
	/** Lines of what changed after a version. */
	missed(resource: string, version: number): string;
	bookmark(resource: string, complete: boolean): string;
	/** A list, whole. */
	list(resource: string): string;
	size(resource: string): Size;
}

export const EXPIRED = `${JSON.stringify({
	type: "ERROR",
	object: { kind: "Status", status: "Failure", message: "too old resource version", reason: "Expired", code: 410 },
})}\n`;

export function createObjects(): Objects {
	let version = 1000;
	let floor = 0;
	let edits = 0;
	let edited = 0;

	function metadataOf(name: string): { readonly namespace: string; readonly [field: string]: string } {
		return { name, namespace: "demo", resourceVersion: String(version) };
	}

	function service(name: string, index: number): object {
		const ip = `10.96.${index}.1`;
		return {
			apiVersion: "v1",
			kind: "Service",
			metadata: metadataOf(name),
			spec: { clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80 + (edits % 1000), protocol: "TCP" }] },
		};
	}

	function slice(name: string, index: number): object {
		return {
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { ...metadataOf(`${name}-1`), labels: { "kubernetes.io/service-name": name } },
			addressType: "IPv4",
			endpoints: [{ addresses: [`10.${index + 1}.${edits % 250}.1`], conditions: { ready: true } }],
			ports: [{ name: "", port: 8080, protocol: "TCP" }],
		};
	}

	function node(name: string, index: number): object {
		const address = `10.200.${edits % 250}.${index + 1}`;
		const { namespace: _, ...metadata } = metadataOf(name);
		return { apiVersion: "v1", kind: "Node", metadata, status: { addresses: [{ type: "InternalIP", address }] } };
	}

	const made: Readonly<Record<string, (name: string, index: number) => object>> = {
		services: service,
		endpointslices: slice,
		nodes: node,
	};

	function all(resource: string): readonly object[] {
		const make = made[resource];
		return make === undefined ? [] : NAMES.map(make);
	}

	function lines(type: string, objects: readonly object[]): string {
		return objects.map((object) => `${JSON.stringify({ type, object })}\n`).join("");
	}

	function kindOf(resource: string): string {
		return KINDS[resource] ?? "";
	}

	return {
		version: () => version,
		floor: () => floor,
		change() {
			edits += 1;
			version += 1000;
			edited = version;
		},
		compact() {
			version += 1;
			floor = version;
		},
		added: (resource) => lines("ADDED", all(resource)),
		missed: (resource, from) => (from < edited ? lines("MODIFIED", all(resource)) : ""),
		bookmark(resource, complete) {
			const annotations = complete ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
			const metadata = { resourceVersion: String(version), ...annotations };
			return lines("BOOKMARK", [{ kind: kindOf(resource), metadata }]);
		},
		list: (resource) =>
			JSON.stringify({
				kind: `${kindOf(resource)}List`,
				metadata: { resourceVersion: String(version) },
				items: all(resource),
			}),
		size: (resource) => SIZES[resource] ?? { raw: 0, packed: 0, count: 0 },
	};
}
