// What a Service has for clients outside its cluster, field by field.

import { describe, expect, test } from "bun:test";
import type { Service } from "./cluster.ts";
import type { Projection } from "./report.ts";
import { projectService } from "./service.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A correct Service of this type with these fields replaced. */
function project(type: string, spec: Fields, ingress?: unknown): Projection<Service> {
	return projectService({
		metadata: { name: "web", namespace: "demo" },
		spec: { type, clusterIP: "10.96.0.1", ports: [{ port: 80, nodePort: type === "ClusterIP" ? 0 : 30080 }], ...spec },
		...(ingress === undefined ? {} : { status: { loadBalancer: { ingress } } }),
	});
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

const NODE_PORT_ONLY = { externalIps: [], ingressIps: [], trafficPolicy: "Cluster" };

describe("projectService() reads for clients outside", () => {
	test.each<[string, string, Fields, unknown, unknown]>([
		["nothing of a plain one", "ClusterIP", { externalIPs: [], externalTrafficPolicy: "" }, [], undefined],
		["that null is absent", "ClusterIP", { externalIPs: null, healthCheckNodePort: null }, null, undefined],
		["a node port", "NodePort", {}, undefined, NODE_PORT_ONLY],
		[
			"external IPs, each once",
			"ClusterIP",
			{ externalIPs: ["192.0.2.1", "2001:DB8::1", "192.0.2.1"], externalTrafficPolicy: "Local" },
			undefined,
			{ externalIps: ["192.0.2.1", "2001:db8::1"], ingressIps: [], trafficPolicy: "Local" },
		],
		[
			"ingress addresses of mode VIP",
			"LoadBalancer",
			{},
			[
				{ ip: "192.0.2.1" },
				{ ip: "192.0.2.2", ipMode: "VIP" },
				{ ip: "192.0.2.3", ipMode: "Proxy" },
				{ hostname: "a.example" },
				{ ip: "", hostname: "b.example" },
				{ ip: "2001:db8::1", ipMode: null, ports: [] },
				{ ip: "192.0.2.1" },
			],
			{ externalIps: [], ingressIps: ["192.0.2.1", "192.0.2.2", "2001:db8::1"], trafficPolicy: "Cluster" },
		],
		["no ingress of another type", "NodePort", {}, [{ ip: "192.0.2.1" }], NODE_PORT_ONLY],
		[
			"a load balancer without node ports",
			"LoadBalancer",
			{ ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false },
			[{ ip: "192.0.2.1" }],
			{ externalIps: [], ingressIps: ["192.0.2.1"], trafficPolicy: "Cluster" },
		],
		["a load balancer that has nothing yet", "LoadBalancer", { ports: [{ port: 80 }] }, undefined, undefined],
		[
			"a health check",
			"LoadBalancer",
			{ externalTrafficPolicy: "Local", healthCheckNodePort: 30999 },
			undefined,
			{ externalIps: [], ingressIps: [], trafficPolicy: "Local", healthCheckNodePort: 30999 },
		],
		[
			"a health check without any address",
			"LoadBalancer",
			{ ports: [{ port: 80 }], externalTrafficPolicy: "Local", healthCheckNodePort: 30999 },
			undefined,
			{ externalIps: [], ingressIps: [], trafficPolicy: "Local", healthCheckNodePort: 30999 },
		],
		["nothing of a headless one", "ClusterIP", { clusterIP: "None", externalIPs: ["x"] }, undefined, undefined],
		["nothing of an ExternalName", "ExternalName", { externalIPs: ["192.0.2.1"] }, undefined, undefined],
	])("%s", (_, ...row) => {
		const [type, spec, ingress, external] = row;
		const projection = project(type, spec, ingress);
		expect(complaints(projection)).toEqual([]);
		expect(projection.value?.external).toEqual(external as never);
		expect(Object.hasOwn(projection.value ?? {}, "external")).toBe(external !== undefined);
	});

	test.each<[string, string, Fields, unknown, string[], unknown]>([
		[
			"no list",
			"ClusterIP",
			{ externalIPs: "192.0.2.1" },
			undefined,
			['InvalidObject spec.externalIPs: "192.0.2.1" is not a list: give a list; it is left out'],
			undefined,
		],
		[
			"one address of two",
			"ClusterIP",
			{ externalIPs: ["10.0.0.300", "192.0.2.1"] },
			undefined,
			[
				'InvalidObject spec.externalIPs[0]: "10.0.0.300" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out',
			],
			{ externalIps: ["192.0.2.1"], ingressIps: [], trafficPolicy: "Cluster" },
		],
		[
			"addresses that are another host's on each host",
			"ClusterIP",
			{ externalIPs: ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "febf::1"] },
			undefined,
			["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "febf::1"].map(
				(ip, index) =>
					`InvalidObject spec.externalIPs[${index}]: ${ip} is a loopback or link-local address, another host on each host: give one that is routed; the address is left out`,
			),
			undefined,
		],
		[
			"a policy that concerns nothing",
			"ClusterIP",
			{ externalTrafficPolicy: "Local" },
			undefined,
			[
				"InvalidObject spec.externalTrafficPolicy: Nothing outside the cluster gets to this Service: leave it out, or use type NodePort or LoadBalancer",
			],
			undefined,
		],
		[
			"an unknown policy",
			"NodePort",
			{ externalTrafficPolicy: "local" },
			undefined,
			[
				'InvalidObject spec.externalTrafficPolicy: "local" is not a traffic policy: use Cluster, Local; Cluster is used',
			],
			NODE_PORT_ONLY,
		],
		[
			"a health check without Local",
			"LoadBalancer",
			{ healthCheckNodePort: 30999 },
			undefined,
			[
				"InvalidObject spec.healthCheckNodePort: Only type LoadBalancer with externalTrafficPolicy Local has one: leave it out, or set both; there is no health check",
			],
			NODE_PORT_ONLY,
		],
		[
			"a health check of another type",
			"NodePort",
			{ externalTrafficPolicy: "Local", healthCheckNodePort: 30999 },
			undefined,
			[
				"InvalidObject spec.healthCheckNodePort: Only type LoadBalancer with externalTrafficPolicy Local has one: leave it out, or set both; there is no health check",
			],
			{ ...NODE_PORT_ONLY, trafficPolicy: "Local" },
		],
		[
			"a health check that is no port",
			"LoadBalancer",
			{ externalTrafficPolicy: "Local", healthCheckNodePort: 70000 },
			undefined,
			[
				"InvalidObject spec.healthCheckNodePort: 70000 is not a port: give a whole number from 1 to 65535; there is no health check",
			],
			{ ...NODE_PORT_ONLY, trafficPolicy: "Local" },
		],
		[
			"ingress of any form",
			"LoadBalancer",
			{},
			[7, { ip: {} }, { ip: "127.0.0.1" }, { ip: "192.0.2.1", ipMode: "vip" }, { ip: "192.0.2.2" }],
			[
				"InvalidObject status.loadBalancer.ingress[0]: 7 is not an object: give ip; the address is left out",
				"InvalidObject status.loadBalancer.ingress[1].ip: an object is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out",
				"InvalidObject status.loadBalancer.ingress[2].ip: 127.0.0.1 is a loopback or link-local address, another host on each host: give one that is routed; the address is left out",
				'InvalidObject status.loadBalancer.ingress[3].ipMode: "vip" is not a mode of an ingress address: use VIP, Proxy; the address is left out',
			],
			{ externalIps: [], ingressIps: ["192.0.2.2"], trafficPolicy: "Cluster" },
		],
		[
			"no list of ingress",
			"LoadBalancer",
			{},
			{},
			["InvalidObject status.loadBalancer.ingress: an object is not a list: give a list; it is left out"],
			NODE_PORT_ONLY,
		],
		[
			"more addresses than fit",
			"ClusterIP",
			{ externalIPs: Array.from({ length: 1001 }, () => "192.0.2.1") },
			undefined,
			["TooLarge spec.externalIPs: 1001 entries: give at most 1000; the others are left out"],
			{ externalIps: ["192.0.2.1"], ingressIps: [], trafficPolicy: "Cluster" },
		],
	])("what remains of %s", (_, ...row) => {
		const [type, spec, ingress, problems, external] = row;
		const projection = project(type, spec, ingress);
		expect(complaints(projection)).toEqual(problems);
		expect(projection.value?.external).toEqual(external as never);
	});
});

describe("projectService() reads node ports:", () => {
	const HTTP = { name: "http", port: 80 };
	const DNS = { name: "dns", port: 53, protocol: "UDP" };

	test.each<[string, string, Fields, (number | undefined)[], string[]]>([
		["of a NodePort", "NodePort", { ports: [{ ...HTTP, nodePort: 30080 }] }, [30080], []],
		[
			"one number for two protocols",
			"NodePort",
			{
				ports: [
					{ ...HTTP, nodePort: 30053 },
					{ ...DNS, nodePort: 30053 },
				],
			},
			[30053, 30053],
			[],
		],
		[
			"of some ports of a LoadBalancer",
			"LoadBalancer",
			{ ports: [{ ...HTTP, nodePort: 30080 }, DNS] },
			[30080, undefined],
			[],
		],
		["outside the usual range", "NodePort", { ports: [{ ...HTTP, nodePort: 80 }] }, [80], []],
		["0 is none", "LoadBalancer", { ports: [{ ...HTTP, nodePort: 0 }] }, [undefined], []],
		["null is none", "ClusterIP", { ports: [{ ...HTTP, nodePort: null }] }, [undefined], []],
		["not for an ExternalName", "ExternalName", { ports: [{ ...HTTP, nodePort: 30080 }] }, [undefined], []],
		[
			"a NodePort without one",
			"NodePort",
			{ ports: [HTTP] },
			[undefined],
			[
				"InvalidObject spec.ports[0].nodePort: Missing, and nobody here gives node ports: set one, as from 30000 to 32767; the port has no node port",
			],
		],
		[
			"a ClusterIP with one",
			"ClusterIP",
			{ ports: [{ ...HTTP, nodePort: 30080 }] },
			[undefined],
			[
				"InvalidObject spec.ports[0].nodePort: Type ClusterIP has no node ports: use NodePort or LoadBalancer, or leave it out; the port has no node port",
			],
		],
		[
			"the same twice",
			"NodePort",
			{
				ports: [
					{ ...HTTP, nodePort: 30080 },
					{ name: "more", port: 81, nodePort: 30080 },
				],
			},
			[30080, undefined],
			[
				"InvalidObject spec.ports[1].nodePort: A second node port 30080/TCP: give each its own; the port has no node port",
			],
		],
		[
			"no port",
			"NodePort",
			{
				ports: [
					{ ...HTTP, nodePort: "30080" },
					{ ...DNS, nodePort: 65536 },
				],
			},
			[undefined, undefined],
			[
				'InvalidObject spec.ports[0].nodePort: "30080" is a string: write the port as a number without quotes; the port has no node port',
				"InvalidObject spec.ports[1].nodePort: 65536 is not a port: give a whole number from 1 to 65535; the port has no node port",
			],
		],
	])("%s", (_, ...row) => {
		const [type, spec, nodePorts, problems] = row;
		const projection = project(type, spec);
		expect(projection.value?.ports.map(({ nodePort }) => nodePort)).toEqual(nodePorts as never);
		expect(complaints(projection)).toEqual(problems);
	});

	test.each(["NodePort", "LoadBalancer"])("a headless %s is an error, and headless", (type) => {
		const projection = project(type, { clusterIP: "None" });
		expect(projection.value).toMatchObject({ clusterIps: [], ports: [{ port: 80 as never }] });
		expect(projection.value?.external).toBeUndefined();
		expect(complaints(projection)).toEqual([
			`InvalidObject spec.clusterIP: "None" is not possible with type ${type}: give it an address, or use type ClusterIP; the Service is headless`,
		]);
	});
});
