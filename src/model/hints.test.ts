// For whom an endpoint is meant.

import { describe, expect, test } from "bun:test";
import { endpointsIn } from "./endpoint_list.ts";
import { projectEndpointSlice } from "./endpoint_slice.ts";
import type { Projection } from "./report.ts";

function project(...hints: readonly unknown[]) {
	const { value, problems } = projectEndpointSlice({
		metadata: { name: "web-1", namespace: "demo", labels: { "kubernetes.io/service-name": "web" } },
		addressType: "IPv4",
		ports: [{ port: 80 }],
		endpoints: hints.map((each, index) => ({ addresses: [`10.1.0.${index + 1}`], hints: each })),
	});
	return { value: value && { ...value, endpoints: endpointsIn(value.endpoints) }, problems };
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

const names = (...list: readonly string[]) => list.map((name) => ({ name }));

describe("projectEndpointSlice() reads hints:", () => {
	test.each<[string, unknown, unknown]>([
		["absent", undefined, undefined],
		["null", null, undefined],
		["empty", {}, undefined],
		["empty lists", { forZones: [], forNodes: null }, undefined],
		["zones, each once", { forZones: names("a", "b_C", "a") }, { nodes: [], zones: ["a", "b_C"] }],
		["nodes", { forNodes: names("n1.example") }, { nodes: ["n1.example"], zones: [] }],
		["both", { forZones: names("a"), forNodes: names("n1") }, { nodes: ["n1"], zones: ["a"] }],
	])("%s", (_, hints, expected) => {
		const projection = project(hints);
		expect(complaints(projection)).toEqual([]);
		const endpoint = projection.value?.endpoints[0];
		expect(endpoint?.hints).toEqual(expected as never);
		expect(Object.hasOwn(endpoint ?? {}, "hints")).toBe(expected !== undefined);
	});

	test.each<[string, unknown, string, unknown]>([
		["no object", "a", 'hints: "a" is not an object: give forZones or forNodes; it is left out', undefined],
		["no list", { forZones: "a" }, 'hints.forZones: "a" is not a list: give a list; it is left out', undefined],
		[
			"one of two",
			{ forZones: names("a b", "b") },
			'hints.forZones[0].name: "a b" is not a zone\'s name: use up to 63 of letters, digits, -, _ and .; the hint is left out',
			{ nodes: [], zones: ["b"] },
		],
		[
			"no name",
			{ forNodes: ["n1"] },
			"hints.forNodes[0].name: Missing: use up to 253 of a-z, 0-9, - and ., each part beginning and ending with a letter or digit; the hint is left out",
			undefined,
		],
	])("an endpoint is as good without: %s", (_, hints, problem, expected) => {
		const projection = project(hints);
		expect(complaints(projection)).toEqual([`InvalidObject endpoints[0].${problem}`]);
		expect(projection.value?.endpoints.map((endpoint) => endpoint.hints)).toEqual([expected as never]);
	});

	test("more than the API's eight are left out", () => {
		const projection = project({ forZones: names("a", "b", "c", "d", "e", "f", "g", "h", "i") });
		expect(projection.value?.endpoints[0]?.hints?.zones).toHaveLength(8);
		expect(complaints(projection)).toEqual([
			"TooLarge endpoints[0].hints.forZones: 9 entries: give at most 8; the others are left out",
		]);
	});

	test("endpoints with equal hints have the identical value", () => {
		const [first, second, other] =
			project(
				{ forZones: names("a"), forNodes: names("n1") },
				{ forNodes: names("n1"), forZones: names("a") },
				{ forZones: names("n1"), forNodes: names("a") },
			).value?.endpoints ?? [];
		expect(first?.hints).toBe(second?.hints);
		expect(first?.hints).not.toEqual(other?.hints);
	});
});
