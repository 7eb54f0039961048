// The agent on an API server: what it says gets into the kernel, stays there when it is gone, and follows when it is back.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { type AgentPlace, agentPlace, programmed, serviceYaml } from "../support/agent_place.ts";
import { agentRights } from "../support/follow_hub.ts";
import { rulesOf } from "../support/hub/access.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { podPolicy, policyPod } from "../support/policies.ts";
import { until } from "../support/wait.ts";

const ANNOTATOR = join(import.meta.dir, "../../edge/kubernetes/node_annotations/node_annotator.yaml");

test("the agent follows an API server beside a folder of manifests, and keeps what it knows while the server is gone", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig());
	place.write("own", serviceYaml("own", "10.96.0.8", ["10.1.0.8"]));
	server.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.1", "10.1.0.2"]));
	await using agent = place.start({ flags: [`--kubeconfig=${kubeconfig}`] });
	await agent.ready();
	const kernel = async () => programmed((await place.run("frontends", "-o", "json")).out);
	const status = async () => JSON.parse((await agent.page("/status"))?.body ?? "{}");
	expect(await kernel()).toMatchObject({
		"10.96.0.8:80/TCP": ["10.1.0.8:8080/TCP"],
		"10.96.0.9:80/TCP": ["10.1.0.1:8080/TCP", "10.1.0.2:8080/TCP"],
	});
	expect((await status()).hubs).toMatchObject([
		{ name: `manifests ${place.manifests}`, synced: true, staleSince: null, troubles: [] },
		{ name: `Kubernetes, current context of ${kubeconfig}`, synced: true, staleSince: null, troubles: [] },
	]);

	await server.kill();
	await until("stale", async () => (await status()).hubs[1].staleSince !== null);
	expect(await kernel()).toHaveProperty(["10.96.0.9:80/TCP"]);
	expect((await status()).ready).toBe(true);
	const text = await place.run("status");
	expect(text.out).toMatch(/Kubernetes, current context of .*: synced, last change .*, STALE since .*: Cannot watch /);
	expect((await agent.page("/metrics"))?.body).toMatch(
		/balancing_hub_stale_seconds\{hub="Kubernetes, .*"\} 0?\.?[1-9]/,
	);

	server.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.3"]));
	server.apply(serviceYaml("new", "10.96.0.10", ["10.1.0.4"]));
	await server.restart();
	await until("followed again", async () => (await status()).hubs[1].staleSince === null);
	await until("the changes of meanwhile", async () => {
		const now = await kernel();
		return String(now["10.96.0.9:80/TCP"]) === "10.1.0.3:8080/TCP" && now["10.96.0.10:80/TCP"] !== undefined;
	});
	expect(await agent.stop("SIGTERM")).toBe(0);
}, 60_000);

test("policies and their Pods get from the API server into the kernel, and back from the copy after a boot without it", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig());
	const policy = podPolicy("canary", { app: "a" });
	const pod = (name: string, app: string, ip: string) => policyPod(name, { labels: { app }, node: "other", ip });
	server.apply([policy, pod("a1", "a", "10.1.0.1"), pod("b1", "b", "10.1.0.2")]);
	const address = `${Reflect.get(policy, "spec").frontend.addressMatcher.ip}:80/TCP`;
	const leadsTo = (wanted: string) =>
		until(`${address} leads to ${wanted}`, async () => String((await held(place))[address]) === wanted);
	const flags = [`--kubeconfig=${kubeconfig}`];
	{
		await using agent = place.start({ flags });
		await agent.ready();
		expect(String((await held(place))[address])).toBe("10.1.0.1:80/TCP");
		server.apply(podPolicy("canary", { app: "b" }));
		await leadsTo("10.1.0.2:80/TCP");
		server.apply(pod("b2", "b", "10.1.0.3"));
		await leadsTo("10.1.0.2:80/TCP,10.1.0.3:80/TCP");
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	await server.kill();
	expect((await place.run("detach")).code).toBe(0);
	await using agent = place.start({ flags });
	await leadsTo("10.1.0.2:80/TCP,10.1.0.3:80/TCP");
	await server.restart();
	server.delete("BalancingPolicy", undefined, "canary");
	await agent.ready();
	await until("gone", async () => (await held(place))[address] === undefined);
}, 60_000);

/** Lets an agent read one Service from the server and stop; the flags to start another one with. */
async function programOnce(server: TestHub, place: AgentPlace): Promise<readonly string[]> {
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig());
	server.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.1"]));
	const flags = [`--kubeconfig=${kubeconfig}`];
	await using agent = place.start({ flags });
	await agent.ready();
	expect(await agent.stop("SIGTERM")).toBe(0);
	return flags;
}

test("the agent without its API server is not ready, says why, and takes nothing from the kernel", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const flags = await programOnce(server, place);
	await server.kill();
	await using agent = place.start({ flags });
	// The other hub, the place's folder of manifests, is read in a moment.
	const reasons = async () => (await agent.page("/readyz"))?.body ?? "";
	await until("an answer", async () => {
		const body = await reasons();
		return body.includes("ECONNREFUSED") && !body.includes("manifests");
	});
	expect(await reasons()).toMatch(
		/^not ready\nKubernetes, current context of .* has not been read yet: Cannot watch .* at https:\/\/127\.0\.0\.1:\d+: /,
	);
	expect(programmed((await place.run("frontends", "-o", "json")).out)).toHaveProperty(["10.96.0.9:80/TCP"]);
}, 60_000);

/** What the kernel holds, by frontend. */
async function held(place: AgentPlace): Promise<Readonly<Record<string, unknown>>> {
	const { code, out } = await place.run("frontends", "-o", "json");
	// Nothing is pinned yet.
	return code === 0 ? programmed(out) : {};
}

test("after a boot without its API server an agent serves from the copy, and follows when the server is back", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const flags = await programOnce(server, place);
	await server.kill();
	// All that a boot takes away.
	expect((await place.run("detach")).code).toBe(0);
	await using agent = place.start({ flags });
	await until("the copy in the kernel", async () => (await held(place))["10.96.0.9:80/TCP"] !== undefined);
	const { code, out } = await place.run("status");
	expect(code).toBe(1);
	expect(out).toMatch(/ not read yet, serving the copy of 20\S+: /);
	const copied = JSON.parse((await agent.page("/status"))?.body ?? "{}").hubs[1];
	expect(Date.parse(copied.copyOf)).toBeLessThan(Date.now());
	expect(copied.staleSince).toBe(copied.copyOf);
	const metrics = async () => (await agent.page("/metrics"))?.body ?? "";
	expect(await metrics()).toContain(
		`hub_copy_timestamp_seconds{hub="${copied.name}"} ${Date.parse(copied.copyOf) / 1000}\n`,
	);
	expect(await metrics()).toMatch(/hub_stale_seconds\{hub="Kubernetes, .*"\} 0?\.?[1-9]/);
	await server.restart();
	server.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.2"]));
	await agent.ready();
	expect(String((await held(place))["10.96.0.9:80/TCP"])).toBe("10.1.0.2:8080/TCP");
	expect(await metrics()).not.toContain("hub_copy_timestamp_seconds");
}, 60_000);

test("after a boot the copy of one cluster does not stand in for another one that has come under its context", async () => {
	await using server = await startHub({ kubernetes: false });
	await using other = await startHub({ kubernetes: false });
	using place = agentPlace();
	const flags = await programOnce(server, place);
	await server.kill();
	await other.kill();
	expect((await place.run("detach")).code).toBe(0);
	writeFileSync(`${place.folder}/kubeconfig`, other.kubeconfig());
	await using agent = place.start({ flags });
	await until("a word about the copy", () =>
		agent.log().some(({ msg }) => msg === "The hub's copy on disk cannot be used"),
	);
	const line = agent.log().find(({ msg }) => msg === "The hub's copy on disk cannot be used");
	expect(JSON.stringify(line)).toContain(`it is of another cluster, ${server.url}, CA `);
	expect(JSON.stringify(line)).toContain(`and this one is ${other.url}, CA `);
	await until("an answer", async () => (await agent.page("/readyz"))?.body.includes("ECONNREFUSED") === true);
	expect(await held(place)).toEqual({});
	expect((await place.run("status")).out).not.toContain("copy");
}, 60_000);

test("a kernel that holds something is not taken back to an older copy", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const flags = await programOnce(server, place);
	{
		// Killed before it keeps what it has just read.
		await using agent = place.start({ flags });
		await agent.ready();
		server.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.2"]));
		await until("the change", async () => String((await held(place))["10.96.0.9:80/TCP"]) === "10.1.0.2:8080/TCP");
		await agent.stop("SIGKILL");
	}
	await server.kill();
	await using agent = place.start({ flags });
	await until("an answer", async () => (await agent.page("/readyz"))?.body.includes("ECONNREFUSED") === true);
	expect((await place.run("status")).out).not.toContain("copy");
	expect(String((await held(place))["10.96.0.9:80/TCP"])).toBe("10.1.0.2:8080/TCP");
}, 60_000);

test("an agent that is started without the right to see Nodes serves on with those it knew", async () => {
	const rights = agentRights("nodes");
	const all = agentRights();
	await using server = await startHub({ kubernetes: false, users: { edge: { credentials: "token", rules: all } } });
	using place = agentPlace();
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig({ user: "edge" }));
	server.apply(NODE_PORT);
	const flags = [`--kubeconfig=${kubeconfig}`, "--node-name=n1"];
	const addresses = async () => (await place.run("maps", "addresses")).out;
	let before = "";
	{
		await using agent = place.start({ flags });
		await agent.ready();
		before = await addresses();
		expect(before).toContain("203.0.113.1");
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	server.setRules("edge", rights);
	await using agent = place.start({ flags });
	await agent.ready();
	expect(await addresses()).toBe(before);
	expect((await place.run("status")).out).toContain("grant list and watch on nodes in a ClusterRole");
}, 60_000);

const NODE_PORT = `
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 203.0.113.1 }] }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
status: { addresses: [{ type: InternalIP, address: 203.0.113.2 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec: { type: NodePort, clusterIPs: ["10.96.0.9"], ports: [{ name: http, port: 80, nodePort: 30080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: demo, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
endpoints: [{ addresses: ["10.1.0.1"], nodeName: n1, conditions: { ready: true } }]
ports: [{ name: http, port: 8080 }]
`;

test("the agent annotates its own Node with the delivered rights, and does without them (A-36)", async () => {
	await using server = await startHub({ kubernetes: false, users: { edge: { credentials: "token", rules: [] } } });
	using place = agentPlace();
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig({ user: "edge" }));
	const addresses = [{ type: "InternalIP", address: "192.0.2.1" }];
	server.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "own" }, status: { addresses } });
	server.setRules("edge", agentRights());
	const flags = [`--kubeconfig=${kubeconfig}`, "--node-name=own"];
	const annotations = () => server.get("Node", undefined, "own")?.metadata.annotations ?? {};
	{
		await using agent = place.start({ flags });
		await agent.ready();
		await until("refused", () => server.count({ verb: "get", resource: "nodes", code: 403 }) > 0);
		expect(annotations()).toEqual({});
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	const role = parseAllDocuments(readFileSync(ANNOTATOR, "utf8")).map((document) => document.toJS());
	server.setRules("edge", [...agentRights(), ...rulesOf(role.find(({ kind }) => kind === "ClusterRole"))]);
	{
		await using agent = place.start({ flags: [...flags, "--annotate-node=off"] });
		await agent.ready();
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	expect(server.count({ verb: "patch" })).toBe(0);
	await using agent = place.start({ flags });
	await until("annotated", () => Object.keys(annotations()).length === 2);
	expect(annotations()).toMatchObject({ "balancing.elf.io/nodeProxyIpv4": "192.0.2.1" });
	expect(await agent.stop("SIGTERM")).toBe(0);
}, 60_000);
