// Kinds of a hub that does not show them.

import { describe, expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import type { KindStatus } from "../hub/kinds/kind_state.ts";
import { projectBalancingPolicy } from "../model/balancing_policy.ts";
import { type Cluster, EMPTY_CLUSTER, type Node } from "../model/cluster.ts";
import { projectNode } from "../model/node.ts";
import { projectPod } from "../model/pod.ts";
import { policyKey } from "../model/policy.ts";
import { recallKinds } from "./recalled_kinds.ts";

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
	const shown = await Array.fromAsync(recallKinds(snapshots(), { kinds, read, nodeName: "own", log }));
	return { shown, names: shown.map(({ nodes }) => [...nodes.keys()]), messages: log.messages(), reads: () => reads };
}

test("recallKinds() leaves alone what a hub shows, though it has no Nodes", async () => {
	const cluster = clusterOf();
	const { shown, reads } = await recall([[cluster, false]], clusterOf("n1"));
	expect(shown[0]).toBe(cluster);
	expect(reads()).toBe(0);
});

test("recallKinds() has those of the copy as long as the hub does not show any, the identical ones", async () => {
	const given = [
		[clusterOf(), true],
		[clusterOf(), true],
		[clusterOf("n2"), false],
	] as const;
	const { shown, names, messages, reads } = await recall(given, clusterOf("n1"));
	expect(names).toEqual([["n1"], ["n1"], ["n2"]]);
	expect(shown[0]?.nodes).toBe(shown[1]?.nodes as never);
	expect(reads()).toBe(1);
	expect(messages).toEqual(["warn Kinds are as the copy on disk has them"]);
});

test("recallKinds() goes without where there is no copy, or none of them in it", async () => {
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

describe("recallKinds() of policies and Pods", () => {
	const TO_PORTS = [{ port: "80", protocol: "TCP" }];
	const policy = (name: string) =>
		projectBalancingPolicy({
			metadata: { name },
			spec: {
				frontend: { addressMatcher: { ip: "192.0.2.1", toPorts: TO_PORTS } },
				backend: { serviceEndpoint: { endpointSelector: { matchLabels: { app: "a" } }, toPorts: TO_PORTS } },
			},
		}).value;
	const pod = (name: string, nodeName: string) =>
		projectPod({ metadata: { name, namespace: "demo" }, spec: { nodeName } }).value;
	function clusterWith(policyNames: readonly string[], podNames: readonly (readonly [string, string])[]): Cluster {
		const policies = policyNames.flatMap((name) => policy(name) ?? []);
		const pods = podNames.flatMap(([name, node]) => pod(name, node) ?? []);
		return {
			...EMPTY_CLUSTER,
			policies: new Map(policies.map((each) => [policyKey(each), each])),
			pods: new Map(pods.map((each) => [each.key, each])),
		};
	}
	const COPY = clusterWith(
		["p"],
		[
			["old", "own"],
			["far", "other"],
		],
	);

	test.each<[string, readonly KindStatus["kind"][], Cluster, readonly string[]]>([
		["nothing is hidden", [], clusterWith([], []), []],
		["Pods are hidden", ["Pod"], clusterWith(["p"], []), ["BalancingPolicy p", "demo/old", "demo/far"]],
		// Pods of our own node are shown: one that is not there is gone.
		[
			"policies are hidden",
			["BalancingPolicy"],
			clusterWith([], [["new", "own"]]),
			["BalancingPolicy p", "demo/far", "demo/new"],
		],
		["the other policies are hidden", ["LocalRedirectPolicy"], clusterWith(["q"], []), ["BalancingPolicy q"]],
	])("where %s", async (_, hidden, cluster, expected) => {
		async function* snapshots(): AsyncGenerator<Cluster, void> {
			yield cluster;
			yield { ...cluster, services: new Map() };
		}
		const kinds = () =>
			(["Pod", "Pod", "BalancingPolicy", "LocalRedirectPolicy"] as const).map((kind) =>
				status(kind, hidden.includes(kind)),
			);
		const options = { kinds, read: () => COPY, nodeName: "own", log: recordingLog() };
		const [first, second] = await Array.fromAsync(recallKinds(snapshots(), options));
		expect([...(first?.policies.keys() ?? []), ...(first?.pods.keys() ?? [])].map(String)).toEqual([...expected]);
		expect(second?.pods).toBe(first?.pods as never);
		expect(second?.policies).toBe(first?.policies as never);
	});

	test("one of several watches of Pods that is shown is believed", async () => {
		async function* snapshots(): AsyncGenerator<Cluster, void> {
			yield clusterWith(["p"], []);
		}
		const kinds = () => [status("Pod", true), status("Pod", false)];
		const options = { kinds, read: () => COPY, nodeName: "own", log: recordingLog() };
		const [first] = await Array.fromAsync(recallKinds(snapshots(), options));
		expect(first?.pods.size).toBe(0);
	});
});
