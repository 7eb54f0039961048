// What our examples come to on a node and on a VM outside of the cluster, planned as an agent there would.

import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readManifests } from "../../src/hub/manifests/manifests.ts";
import { planFresh } from "../../src/plan/plan.ts";
import { renderPlan } from "../../src/plan/render.ts";

const TOP = join(import.meta.dir, "../..");
const CLUSTER = join(import.meta.dir, "cluster/cluster.yaml");

/** The plan's lines of policies, and its Problems. */
async function plan(example: string, nodeName: string): Promise<readonly string[]> {
	const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-examples-`));
	try {
		copyFileSync(CLUSTER, join(folder, "cluster.yaml"));
		copyFileSync(join(TOP, "edge/examples", example), join(folder, "example.yaml"));
		const cluster = await readManifests(folder, nodeName);
		const wanted = planFresh([{ name: "folder", cluster }], { nodeName, reach: "auto", addresses: [] });
		expect(wanted.problems).toEqual([]);
		return renderPlan(wanted)
			.split("\n")
			.filter((line) => /^POLICY|^GUARD|^PROBE| (?:localRedirect|balancing)[A-Z]|^ +NEXT/.test(line));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test.each<[example: string, host: string, lines: readonly string[]]>([
	[
		"node-local-dns.yaml",
		"node-a",
		[
			"FRONTEND 10.96.0.10:53/TCP dns-to-local-cache:dns-tcp localRedirectService -> 10.244.1.3:8053",
			"  NEXT kube-system/kube-dns:dns-tcp ServiceClusterIP -> 10.244.2.2:53",
			"FRONTEND 10.96.0.10:53/UDP dns-to-local-cache:dns localRedirectService -> 10.244.1.3:8053",
			"  NEXT kube-system/kube-dns:dns ServiceClusterIP -> 10.244.2.2:53",
			"POLICY LocalRedirectPolicy dns-to-local-cache: frontends 2, backends 2",
			"GUARD LocalRedirectPolicy dns-to-local-cache: kube-system/dns-cache-a",
		],
	],
	["node-local-dns.yaml", "node-b", ["POLICY LocalRedirectPolicy dns-to-local-cache: not for this host"]],
	["node-local-dns.yaml", "vm", ["POLICY LocalRedirectPolicy dns-to-local-cache: not for this host"]],
	...["node-a", "vm"].map((host): [string, string, readonly string[]] => [
		"canary.yaml",
		host,
		[
			"FRONTEND 10.96.0.40:80/TCP api-canary:http balancingPod -> 10.244.1.4:8080 x3 10.244.2.4:8080",
			"POLICY BalancingPolicy api-canary: frontends 1, backends 2",
		],
	]),
	...["node-b", "vm"].map((host): [string, string, readonly string[]] => [
		"external-database.yaml",
		host,
		[
			"FRONTEND 169.254.50.50:5432/TCP legacy-db:postgres balancingAddress -> 192.0.2.11:5432 x3 192.0.2.12:5432",
			"POLICY BalancingPolicy legacy-db: frontends 1, backends 2",
			"PROBE 192.0.2.11:5432/TCP tcp interval=5s timeout=1s fails=3 passes=2 panic=0%",
			"PROBE 192.0.2.12:5432/TCP tcp interval=5s timeout=1s fails=3 passes=2 panic=0%",
		],
	]),
	["vm-host-port.yaml", "node-a", ["POLICY BalancingPolicy shop-host-port: not for this host"]],
	[
		"vm-host-port.yaml",
		"vm",
		[
			"FRONTEND 10.96.0.41:80/TCP shop-host-port:http balancingHostPort -> 10.0.0.1:31080 10.0.0.2:31080",
			"POLICY BalancingPolicy shop-host-port: frontends 1, backends 2",
		],
	],
	["vm-node-proxy.yaml", "node-b", ["POLICY BalancingPolicy shop-node-proxy: not for this host"]],
	[
		"vm-node-proxy.yaml",
		"vm",
		[
			"FRONTEND 10.96.0.42:80/TCP shop-node-proxy:http balancingNodeProxy -> 198.51.100.7:30080 198.51.100.8:30080",
			"POLICY BalancingPolicy shop-node-proxy: frontends 1, backends 2",
		],
	],
])("%s on %s", async (example, host, lines) => {
	expect(await plan(example, host)).toEqual([...lines]);
});
