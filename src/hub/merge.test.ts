// Several hubs as one: the first one that declares an object has it.

import { describe, expect, test } from "bun:test";
import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";
import { mergeClusters } from "./merge.ts";

function service(key: string): Service {
	return {
		key,
		type: "ClusterIP",
		clusterIps: [],
		ports: [],
		internalTrafficPolicy: "Cluster",
		otherProxy: false,
		peerAddress: "frontend",
		created: "",
	};
}

function slice(key: string, of: string): EndpointSlice {
	return { key, service: of, addressType: "IPv4", endpoints: [], ports: [] };
}

function cluster(...keys: readonly string[]): Cluster {
	return {
		services: new Map(keys.map((key) => [key, service(key)])),
		slices: new Map(keys.map((key) => [key, [slice(`${key}-1`, key)]])),
		problems: [{ object: `of ${keys.join()}`, reason: "Unreadable", message: "x" }],
	};
}

describe("mergeClusters()", () => {
	test("of none is empty", () => {
		expect(mergeClusters([])).toEqual({ services: new Map(), slices: new Map(), problems: [] });
	});

	test("of one is that one", () => {
		const only = cluster("a/a");
		expect(mergeClusters([only])).toBe(only);
	});

	test("has the services, slices and problems of all, as they are", () => {
		const [one, two] = [cluster("a/a", "a/b"), cluster("b/a")];
		const merged = mergeClusters([one, two]);
		expect([...merged.services.keys()]).toEqual(["a/a", "a/b", "b/a"]);
		for (const part of [one, two]) {
			for (const [key, value] of part.services) expect(merged.services.get(key)).toBe(value);
			for (const [key, value] of part.slices) expect(merged.slices.get(key)).toBe(value);
		}
		expect(merged.problems.map(({ object }) => object)).toEqual(["of a/a,a/b", "of b/a"]);
	});

	test("keeps the first of two with the same name, with its own slices, and says so", () => {
		const [one, two] = [cluster("a/a"), cluster("a/a")];
		const merged = mergeClusters([one, two]);
		expect(merged.services.get("a/a")).toBe(one.services.get("a/a"));
		expect(merged.slices.get("a/a")).toBe(one.slices.get("a/a"));
		expect(merged.problems.at(-1)).toEqual({
			object: "Service a/a",
			reason: "Duplicate",
			message: "An earlier source has the same Service, whose endpoints are used: rename or remove one of them",
		});
	});

	test("gives the second one's slices to nobody where the first one has none", () => {
		const one: Cluster = { ...cluster("a/a"), slices: new Map() };
		expect(mergeClusters([one, cluster("a/a")]).slices.size).toBe(0);
	});

	test("takes as many problems as there may be", () => {
		const problem = { object: "x", reason: "Unreadable", message: "x" } as const;
		const many: Cluster = { ...cluster("a/a"), problems: new Array(300_000).fill(problem) };
		expect(mergeClusters([many, cluster("b/b")]).problems).toHaveLength(300_001);
	});
});
