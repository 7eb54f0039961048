// Nodes of a hub that does not show them.

import { expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import type { KindStatus } from "../hub/kinds/kind_state.ts";
import { type Cluster, EMPTY_CLUSTER, type Node } from "../model/cluster.ts";
import { projectNode } from "../model/node.ts";
import { recallNodes } from "./recalled_nodes.ts";

function clusterOf(...names: readonly string[]): Cluster {
	const nodes = names.map((name): readonly [string, Node] => {
		const { value } = projectNode({ metadata: { name } });
		if (value === undefined) throw new Error("Cannot project the test's own Node");
		return [name, value];
	});
	return { ...EMPTY_CLUSTER, nodes: new Map(nodes) };
}

function status(kind: KindStatus["kind"], isGivenUp: boolean): KindStatus {
	return { kind, title: `${kind}s`, isGivenUp, synced: true, lastEvent: null, staleSince: null, problem: null };
}

/** Snapshots, each with whether Nodes were given up then, and what becomes of them. */
async function recall(given: readonly (readonly [Cluster, boolean])[], copy: Cluster | undefined) {
	const log = recordingLog();
	let now = false;
	let reads = 0;
	async function* snapshots(): AsyncGenerator<Cluster, void> {
		for (const [cluster, isGivenUp] of given) {
			now = isGivenUp;
			yield cluster;
		}
	}
	const read = (): Cluster | undefined => {
		reads += 1;
		return copy;
	};
	const kinds = () => [status("Service", false), status("Node", now)];
	const shown = await Array.fromAsync(recallNodes(snapshots(), { kinds, read, log }));
	return { shown, names: shown.map(({ nodes }) => [...nodes.keys()]), messages: log.messages(), reads: () => reads };
}

test("recallNodes() leaves alone what a hub shows, though it has no Nodes", async () => {
	const cluster = clusterOf();
	const { shown, reads } = await recall([[cluster, false]], clusterOf("n1"));
	expect(shown[0]).toBe(cluster);
	expect(reads()).toBe(0);
});

test("recallNodes() has those of the copy as long as the hub does not show any, the identical ones", async () => {
	const given = [
		[clusterOf(), true],
		[clusterOf(), true],
		[clusterOf("n2"), false],
	] as const;
	const { shown, names, messages, reads } = await recall(given, clusterOf("n1"));
	expect(names).toEqual([["n1"], ["n1"], ["n2"]]);
	expect(shown[0]?.nodes).toBe(shown[1]?.nodes as never);
	expect(reads()).toBe(1);
	expect(messages).toEqual(["warn Nodes are as the copy on disk has them"]);
});

test("recallNodes() goes without where there is no copy, or none of them in it", async () => {
	for (const copy of [undefined, clusterOf()]) {
		const cluster = clusterOf();
		const { shown, messages, reads } = await recall(
			[
				[cluster, true],
				[cluster, true],
			],
			copy,
		);
		expect(shown[1]).toBe(cluster);
		expect(messages).toEqual([]);
		expect(reads()).toBe(1);
	}
});
