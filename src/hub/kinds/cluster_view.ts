// Objects as they come and go -> snapshots: what did not change is the identical value in the next one.

import { assertNever } from "../../lib/assert_never.ts";
import { isSameList } from "../../lib/equal.ts";
import { createLayeredMap, type LayeredMap } from "../../lib/layered_map.ts";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Node, type Service } from "../../model/cluster.ts";
import type { Problem } from "../../model/problem.ts";
import { API_SERVER, createApiServerGuard } from "./api_server_guard.ts";
import type { Known } from "./needs.ts";
import { replaceSlice } from "./slice_list.ts";

export interface ClusterView {
	/** An object came (`before` undefined), changed, or went (`after` undefined). */
	change(before: Known | undefined, after: Known | undefined): void;
	/** What is wrong with one object, or with a kind; replaces what was said under this key. */
	complain(key: string, problems: readonly Problem[]): void;
	/** The identical value as before if nothing changed. */
	snapshot(): Cluster;
}

const CLEAN = { services: false, slices: false, nodes: false, problems: false };

export function createClusterView(): ClusterView {
	const services = createLayeredMap<Service>();
	const slices = createLayeredMap<readonly EndpointSlice[]>();
	const nodes = createLayeredMap<Node>();
	const problems = new Map<string, readonly Problem[]>();
	const guard = createApiServerGuard();
	let last: Cluster = EMPTY_CLUSTER;
	/** Which parts differ from the last snapshot. */
	let dirty = { ...CLEAN };

	function changeService(key: string, after: Service | undefined): void {
		// Without it clients in this cluster, we among them, would lose the API server.
		if (after === undefined && key === API_SERVER) return;
		if (after === undefined) services.delete(key);
		else services.set(key, after);
		dirty.services = true;
	}

	function changeSlice(before: EndpointSlice | undefined, after: EndpointSlice | undefined): void {
		if (before !== undefined && before.service !== after?.service) setSlice(before.service, before.key, undefined);
		if (after !== undefined) setSlice(after.service, after.key, after);
	}

	function setSlice(service: string, key: string, after: EndpointSlice | undefined): void {
		const old = slices.get(service) ?? [];
		const next = service === API_SERVER ? guard.replace(old, key, after) : replaceSlice(old, key, after);
		if (isSameList(next, old)) return;
		if (next.length === 0) slices.delete(service);
		else slices.set(service, next);
		dirty.slices = true;
	}

	return {
		change(before, after) {
			const kind = (after ?? before)?.kind;
			if (kind === undefined) return;
			switch (kind) {
				case "Service": {
					const key = serviceOf(after ?? before)?.key;
					if (key !== undefined) changeService(key, serviceOf(after));
					return;
				}
				case "EndpointSlice":
					changeSlice(sliceOf(before), sliceOf(after));
					return;
				case "Node":
					replaceNode(nodes, nodeOf(before), nodeOf(after));
					dirty.nodes = true;
					return;
				default:
					assertNever(kind);
			}
		},
		complain(key, found) {
			if (found.length === 0 && !problems.delete(key)) return;
			if (found.length > 0) problems.set(key, found);
			dirty.problems = true;
		},
		snapshot() {
			if (!Object.values(dirty).includes(true)) return last;
			last = {
				...last,
				services: dirty.services ? services.snapshot() : last.services,
				slices: dirty.slices ? slices.snapshot() : last.slices,
				nodes: dirty.nodes ? nodes.snapshot() : last.nodes,
				problems: dirty.problems ? [...problems.values()].flat() : last.problems,
			};
			dirty = { ...CLEAN };
			return last;
		},
	};
}

function replaceNode(nodes: LayeredMap<Node>, before: Node | undefined, after: Node | undefined): void {
	if (after !== undefined) nodes.set(after.name, after);
	else if (before !== undefined) nodes.delete(before.name);
}

function serviceOf(known: Known | undefined): Service | undefined {
	return known?.kind === "Service" ? known.service : undefined;
}

function sliceOf(known: Known | undefined): EndpointSlice | undefined {
	return known?.kind === "EndpointSlice" ? known.slice : undefined;
}

function nodeOf(known: Known | undefined): Node | undefined {
	return known?.kind === "Node" ? known.node : undefined;
}
