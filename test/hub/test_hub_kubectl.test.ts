// kubectl works against the test hub: that keeps the hub honest.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../support/hub/ask.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { at } from "../support/hub/object.ts";
import { until } from "../support/wait.ts";

const KUBECTL = Bun.which("kubectl");
const title =
	KUBECTL === null
		? "kubectl on the hub (skipped: no kubectl; Debian's package is kubernetes-client)"
		: "kubectl on the hub";

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: { name: api, namespace: demo }
spec:
  selector: { app: api }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: dns, port: 53, protocol: UDP }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: api-1, namespace: demo, labels: { kubernetes.io/service-name: api } }
addressType: IPv4
endpoints: [{ addresses: [10.1.1.1], conditions: { ready: true } }, { addresses: [10.1.1.2] }]
ports: [{ name: http, port: 8080 }]
---
apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: p1 }
spec: { config: { enableOutCluster: true }, frontend: { serviceMatcher: { serviceName: api, namespace: demo } } }
`;

describe.skipIf(KUBECTL === null)(title, () => {
	let hub: TestHub;
	let folder: string;
	const spawn = (args: readonly string[], user = "admin") => {
		const config = join(folder, `${user}.yaml`);
		writeFileSync(config, hub.kubeconfig({ user }));
		const env = { ...process.env, KUBECONFIG: config, HOME: folder };
		return Bun.spawn(["kubectl", "--cache-dir", join(folder, "cache"), ...args], {
			env,
			stdout: "pipe",
			stderr: "pipe",
		});
	};
	const kubectl = async (...args: readonly string[]) => {
		const child = spawn(args);
		const [out, err, code] = await Promise.all([
			new Response(child.stdout).text(),
			new Response(child.stderr).text(),
			child.exited,
		]);
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${err}`);
		return out;
	};
	const file = (name: string, text: string) => {
		const path = join(folder, name);
		writeFileSync(path, text);
		return path;
	};
	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-kubectl-`));
		hub = await startHub({ users: { edge: { credentials: "token", rules: [] } } });
		hub.apply("{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
	});
	afterAll(async () => {
		await hub.close();
		rmSync(folder, { recursive: true });
	});

	test("api-resources lists built-in and custom kinds", async () => {
		const lines = (await kubectl("api-resources", "--no-headers"))
			.split("\n")
			.map((line) => line.split(/\s+/).join(" "));
		expect(lines).toContain("services svc v1 true Service");
		expect(lines).toContain("endpointslices discovery.k8s.io/v1 true EndpointSlice");
		expect(lines).toContain("balancingpolicies bl balancing.elf.io/v1beta1 false BalancingPolicy");
	});

	test("apply creates, changes, and leaves alone; get shows it; delete removes it", async () => {
		const path = file("m.yaml", MANIFEST);
		const created = await kubectl("apply", "-f", path);
		expect(created.split("\n").map((line) => line.split(" ").at(-1))).toEqual(["created", "created", "created", ""]);
		const table = await kubectl("get", "service,endpointslice", "-n", "demo");
		expect(table).toMatch(/service\/api\s+ClusterIP\s+10\.96\.\d+\.\d+\s+<none>\s+80\/TCP,53\/UDP\s+\d+s/);
		expect(table).toMatch(/api-1\s+IPv4\s+8080\s+10\.1\.1\.1,10\.1\.1\.2/);
		expect(await kubectl("get", "bl", "p1")).toMatch(/p1\s+api\s+demo/);

		file(
			"m.yaml",
			MANIFEST.replace("targetPort: 8080", "targetPort: 9090").replace(
				"enableOutCluster: true",
				"enableOutCluster: false",
			),
		);
		expect(await kubectl("apply", "-f", path)).toContain("service/api configured");
		const ports = JSON.parse(
			await kubectl("get", "svc", "api", "-n", "demo", "-o", "jsonpath={.spec.ports}"),
		) as object[];
		// The list was merged by port, so the defaults of the ports stay.
		expect(ports).toEqual([
			{ name: "http", port: 80, protocol: "TCP", targetPort: 9090 },
			{ name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
		]);
		expect(await kubectl("get", "bl", "p1", "-o", "yaml")).toContain("generation: 2");
		expect(await kubectl("apply", "-f", path)).toContain("service/api unchanged");

		file("m.yaml", MANIFEST.replace(/ {4}- \{ name: dns.*\n/, ""));
		await kubectl("apply", "-f", path);
		expect(await kubectl("get", "svc", "api", "-n", "demo", "-o", "jsonpath={.spec.ports[*].name}")).toBe("http");

		expect((await kubectl("delete", "-f", path)).trim().split("\n")).toHaveLength(3);
		expect(hub.list("Service").map(({ metadata }) => metadata.name)).toEqual(["kubernetes"]);
	});

	test("server-side apply owns its fields", async () => {
		const path = file("s.yaml", MANIFEST);
		await kubectl("apply", "--server-side", "-f", path);
		await kubectl("apply", "--server-side", "-f", path);
		file("s.yaml", MANIFEST.replace("enableOutCluster: true", "enableOutCluster: false"));
		const other = spawn(["apply", "--server-side", "--field-manager=other", "-f", path]);
		expect(await other.exited).toBe(1);
		expect(await new Response(other.stderr).text()).toContain('conflict with "kubectl": .spec.config.enableOutCluster');
		await kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", path);
		expect(await kubectl("get", "bl", "p1", "-o", "jsonpath={.spec.config.enableOutCluster}")).toBe("false");
		await kubectl("delete", "-f", path);
	});

	test("label, annotate, patch and selectors", async () => {
		hub.apply("{apiVersion: v1, kind: Node, metadata: {name: n1}}");
		await kubectl("label", "node", "n1", "zone=a");
		await kubectl("annotate", "node", "n1", "example.com/x=1");
		// kubectl itself patches subresources since 1.24 only.
		await ask(hub, "/api/v1/nodes/n1/status", {
			method: "PATCH",
			headers: { "content-type": "application/merge-patch+json" },
			body: { status: { conditions: [{ type: "Ready", status: "True" }] } },
		});
		expect(await kubectl("get", "nodes", "-l", "zone=a", "--no-headers")).toMatch(/^n1\s+Ready/);
		expect(await kubectl("get", "nodes", "-l", "zone!=a", "-o", "name")).toBe("");
		await kubectl("label", "node", "n1", "zone-");
		expect(await kubectl("get", "nodes", "-l", "zone=a", "-o", "name")).toBe("");
		expect(await kubectl("get", "nodes", "--field-selector", "metadata.name=n1", "-o", "name")).toBe("node/n1\n");
	});

	test("nodes: made with their status, which an update leaves alone", async () => {
		const text = (address: string) => `
apiVersion: v1
kind: Node
metadata: { name: n7, labels: { node-role.kubernetes.io/edge: "", topology.kubernetes.io/zone: a } }
status: { addresses: [{ type: InternalIP, address: ${address} }, { type: Hostname, address: n7 }] }
`;
		const path = file("n.yaml", text("10.0.0.7"));
		expect(await kubectl("apply", "-f", path)).toContain("node/n7 created");
		expect(await kubectl("get", "nodes", "n7", "-o", "wide", "--no-headers")).toMatch(
			/^n7\s+Unknown\s+edge\s+\d+s\s+10\.0\.0\.7\s+<none>/,
		);
		file("n.yaml", text("10.0.0.8"));
		await kubectl("apply", "-f", path);
		const ip = "jsonpath={.status.addresses[0].address}";
		expect(await kubectl("get", "node", "n7", "-o", ip)).toBe("10.0.0.7");
		expect(await kubectl("get", "nodes", "-l", "topology.kubernetes.io/zone=a", "-o", "name")).toBe("node/n7\n");
		const watching = spawn(["get", "nodes", "n7", "-w", "-o", ip]);
		const heartbeat = (time: string) =>
			hub.apply({
				apiVersion: "v1",
				kind: "Node",
				metadata: { name: "n7" },
				status: {
					addresses: [{ type: "InternalIP", address: "10.0.0.9" }],
					conditions: [{ type: "Ready", lastHeartbeatTime: time }],
				},
			});
		await until("kubectl watches", () => hub.watches({ resource: "nodes" }).length > 0);
		heartbeat("2026-11-20T12:00:00Z");
		heartbeat("2026-11-20T12:05:00Z");
		const reader = watching.stdout.getReader();
		const decoder = new TextDecoder();
		let seen = "";
		await until("both reports came", async () => {
			seen += decoder.decode((await reader.read()).value);
			return seen.endsWith("10.0.0.910.0.0.9");
		});
		watching.kill();
		await watching.exited;
		expect(seen).toBe("10.0.0.710.0.0.910.0.0.9");
		expect(await kubectl("delete", "-f", path)).toContain('node "n7" deleted');
	});

	test("the status of a Service: its ingress has a mode", async () => {
		hub.apply({
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "lb", namespace: "demo" },
			spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
			status: {
				loadBalancer: { ingress: [{ ip: "192.0.2.1" }, { ip: "192.0.2.2", ipMode: "Proxy" }, { hostname: "a" }] },
			},
		});
		expect(
			await kubectl("get", "svc", "lb", "-n", "demo", "-o", "jsonpath={.status.loadBalancer.ingress[*].ipMode}"),
		).toBe("VIP Proxy");
		expect(await kubectl("get", "svc", "lb", "-n", "demo", "--no-headers")).toMatch(
			/LoadBalancer\s+\S+\s+192\.0\.2\.1,192\.0\.2\.2/,
		);
		hub.delete("Service", "demo", "lb");
	});

	test("apply changes one field of a container in a template", async () => {
		const text = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: demo }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      containers:
        - { name: agent, image: "example/agent:1", env: [{ name: A, value: "1" }, { name: B, value: "2" }] }
`;
		const path = file("ds.yaml", text);
		await kubectl("apply", "-f", path);
		file("ds.yaml", text.replace('value: "2"', 'value: "3"'));
		expect(await kubectl("apply", "-f", path)).toBe("daemonset.apps/agent configured\n");
		const containers = hub.get("DaemonSet", "demo", "agent");
		expect(at(containers, "spec", "template", "spec", "containers")).toEqual([
			{
				name: "agent",
				image: "example/agent:1",
				env: [
					{ name: "A", value: "1" },
					{ name: "B", value: "3" },
				],
			},
		]);
	});

	test("get -w shows what changes", async () => {
		const child = spawn(["get", "svc", "-n", "demo", "-w", "--no-headers"]);
		await until("kubectl watches", () => hub.watches({ resource: "services", namespace: "demo" }).length > 0);
		hub.apply("{apiVersion: v1, kind: Service, metadata: {name: seen, namespace: demo}, spec: {ports: [{port: 7}]}}");
		hub.delete("Service", "demo", "seen");
		let out = "";
		const decoder = new TextDecoder();
		const reader = child.stdout.getReader();
		await until("two lines came", async () => {
			out += decoder.decode((await reader.read()).value);
			return out.split("\n").length > 2;
		});
		child.kill();
		await child.exited;
		expect(out.split("\n").map((line) => line.split(/\s+/).slice(0, 5).join(" "))).toEqual([
			expect.stringMatching(/^seen ClusterIP [\d.]+ <none> 7\/TCP$/),
			expect.stringMatching(/^seen ClusterIP [\d.]+ <none> 7\/TCP$/),
			"",
		]);
	});

	test("a definition that is applied is served, and gone when it is deleted", async () => {
		const definition = {
			apiVersion: "apiextensions.k8s.io/v1",
			kind: "CustomResourceDefinition",
			metadata: { name: "things.example.com" },
			spec: {
				group: "example.com",
				names: { kind: "Thing", plural: "things", singular: "thing" },
				scope: "Namespaced",
				versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
			},
		};
		await kubectl("apply", "-f", file("crd.json", JSON.stringify(definition)));
		await kubectl("wait", "--for=condition=Established", "crd/things.example.com");
		await kubectl(
			"apply",
			"-f",
			file("t.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: { name: t, namespace: demo }\n"),
		);
		expect(await kubectl("get", "things", "-A", "--no-headers")).toMatch(/^demo\s+t\s/);
		await kubectl("delete", "crd", "things.example.com");
		const gone = spawn(["get", "things", "-A"]);
		expect(await gone.exited).toBe(1);
	});

	test("a namespace takes what is in it along", async () => {
		hub.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: short}}");
		await kubectl("delete", "namespace", "short");
		expect(hub.list("ConfigMap")).toEqual([]);
	});

	test("who may not is told so", async () => {
		const child = spawn(["get", "svc"], "edge");
		expect(await child.exited).toBe(1);
		expect(await new Response(child.stderr).text()).toContain(
			'services is forbidden: User "edge" cannot list resource "services" in API group "" in the namespace "default"',
		);
	});
});
