// What goes into a list of endpoints comes out of it.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseIp } from "./address.ts";
import type { Endpoint } from "./cluster.ts";
import { endpointsIn, listEndpoints, NO_ENDPOINTS } from "./endpoint_list.ts";

const name = fc.stringMatching(/^[a-z0-9]([-.a-z0-9]{0,20}[a-z0-9])?$/);
const names = fc.array(name, { maxLength: 3 });
const ip = fc
	.oneof(fc.ipV4(), fc.ipV6())
	.map((text) => parseIp(text))
	.filter((parsed) => parsed !== undefined);

const endpoint: fc.Arbitrary<Endpoint> = fc
	.record({
		ip,
		ready: fc.boolean(),
		serving: fc.boolean(),
		terminating: fc.boolean(),
		nodeName: fc.oneof(name, fc.constant("")),
		nodes: names,
		zones: names,
	})
	.map(({ nodes, zones, ...rest }) =>
		nodes.length + zones.length === 0 ? rest : { ...rest, hints: { nodes, zones } },
	);

describe("endpointsIn()", () => {
	test("gives back what listEndpoints() took", () => {
		fc.assert(
			fc.property(fc.array(endpoint, { maxLength: 5 }), (endpoints) => {
				expect(endpointsIn(listEndpoints(endpoints))).toEqual(endpoints);
			}),
		);
	});

	test("gives the same hints to all that have them", () => {
		const hints = { nodes: ["n1"], zones: ["a", "b"] };
		const one = { ip: parseIp("10.0.0.1") ?? expect.unreachable(), ready: true, serving: true, terminating: false };
		const endpoints = endpointsIn(listEndpoints([1, 2].map(() => ({ ...one, nodeName: "n1", hints }))));
		expect(endpoints[0]?.hints).toEqual(hints);
		expect(endpoints[0]?.hints).toBe(endpoints[1]?.hints);
	});
});

test.each<[string, Partial<Endpoint>, string]>([
	["ready", { ready: true, serving: true, nodeName: "node-a" }, "10.0.0.1 3 node-a\n"],
	["of no node", { terminating: true }, "10.0.0.1 4 \n"],
	["with hints", { nodeName: "n1", hints: { nodes: ["n1", "n2"], zones: [] } }, "10.0.0.1 0 n1 n1,n2 \n"],
])("listEndpoints() writes one that is %s", (_, fields, text) => {
	const plain = { ready: false, serving: false, terminating: false, nodeName: "" };
	expect<string>(listEndpoints([{ ip: parseIp("10.0.0.1") ?? expect.unreachable(), ...plain, ...fields }])).toBe(text);
});

test("listEndpoints() of none is NO_ENDPOINTS", () => {
	expect(listEndpoints([])).toBe(NO_ENDPOINTS);
	expect(endpointsIn(NO_ENDPOINTS)).toEqual([]);
});
