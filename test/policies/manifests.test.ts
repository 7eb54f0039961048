// Manifests that users know, and our own examples, through the manifests hub: each is read as it stands.

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readManifests } from "../../src/hub/manifests/manifests.ts";

const TOP = join(import.meta.dir, "../..");
const EXAMPLES = readdirSync(join(TOP, "edge/examples")).filter((name) => name.endsWith(".yaml"));

test.each<[string, readonly string[]]>([
	[
		"test/policies/handbook.yaml",
		["test-addr", "test-service-hostport", "test-service-nodeproxy", "test-service-podendpoint"],
	],
	[
		"test/policies/shapes.yaml",
		["dns-to-local-cache", "legacy-db", "metadata-proxy", "shop-canary", "shop-hostport", "shop-nodeproxy"],
	],
])("%s is read without a Problem", async (file, names) => {
	const { policies, problems } = await readManifests(join(TOP, file));
	expect(problems).toEqual([]);
	expect([...policies.values()].map(({ name }) => name).sort()).toEqual([...names]);
});

test.each<[string, readonly string[], readonly string[]]>([
	["canary.yaml", ["BalancingPolicy api-canary"], ["shop/api"]],
	["external-database.yaml", ["BalancingPolicy legacy-db"], []],
	["node-local-dns.yaml", ["LocalRedirectPolicy dns-to-local-cache"], []],
	["service-without-selector.yaml", [], ["demo/database"]],
	["vm-host-port.yaml", ["BalancingPolicy shop-host-port"], ["shop/api-ext"]],
	["vm-node-proxy.yaml", ["BalancingPolicy shop-node-proxy"], ["shop/api-edge"]],
	["web.yaml", [], ["demo/web"]],
])("the example %s is read without a Problem", async (file, policies, services) => {
	const cluster = await readManifests(join(TOP, "edge/examples", file));
	expect(cluster.problems).toEqual([]);
	expect<unknown>([...cluster.policies.keys()]).toEqual([...policies]);
	expect([...cluster.services.keys()]).toEqual([...services]);
});

test("no example is without a test, and all of them get along", async () => {
	expect(EXAMPLES.sort()).toEqual([
		"canary.yaml",
		"external-database.yaml",
		"node-local-dns.yaml",
		"service-without-selector.yaml",
		"vm-host-port.yaml",
		"vm-node-proxy.yaml",
		"web.yaml",
	]);
	const { policies, problems } = await readManifests(join(TOP, "edge/examples"));
	expect(problems).toEqual([]);
	expect(policies.size).toBe(5);
});
