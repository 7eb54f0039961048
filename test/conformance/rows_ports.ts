// Rows S10 to S16 and those of node ports: addresses for clients outside, and Services that change their type.

import type { Case, TestService } from "./case.ts";
import { externalIps, type HostName, hostNamed, NODES } from "./network.ts";
import { EVERYWHERE, LOCAL } from "./places.ts";
import { type Row, row } from "./row.ts";

export function nodePortService(c: Case, number: number, name = "web"): TestService {
	return c.service(name, { type: "NodePort", ports: [c.port(80, { nodePort: number })] });
}

async function nodePorts(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	for (const node of NODES) {
		await c.reach(EVERYWHERE, c.target(node, number), ["b1", "b2"]);
		await c.reach(EVERYWHERE, c.target(externalIps(node), number), ["b1", "b2"]);
	}
}

async function nodePortOfLoopback(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(["node-1"], c.target(c.family.loopback, number), ["b1", "b2"]);
	await c.reach(["node-1"], c.target({ v4: "0.0.0.0", v6: "::" }, number), ["b1", "b2"]);
	// A pod's loopback is its own.
	await c.closed(["a1"], c.target(c.family.loopback, number));
}

async function externalIp(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const web = c.service("web", { spec: { externalIPs: [external.v4, external.v6] } });
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(EVERYWHERE, c.target(external, 80), ["b1", "b2"]);
	await c.untouched(LOCAL, c.target(external, 81));
	await c.apply(web.slices([]));
	await c.refused(LOCAL, c.target(external, 80));
	await c.apply(web.object({ spec: {} }), web.slices(["b1"]));
	await c.untouched(LOCAL, c.target(external, 80));
	await c.reach(LOCAL, web.at(), ["b1"]);
}

async function onePortBothProtocols(c: Case): Promise<void> {
	const nodePort = c.nodePort();
	const ports = [
		c.port(80, { name: "tcp", protocol: "TCP", nodePort }),
		c.port(80, { name: "udp", protocol: "UDP", nodePort }),
	];
	const web = c.service("web", { type: "NodePort", ports });
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	const port = c.protocol === "TCP" ? 8080 : 8081;
	for (const node of ["node-1", "node-2"] as const)
		await c.reach(LOCAL, c.target(hostNamed(node), nodePort), [
			{ host: "b1", port },
			{ host: "b2", port },
		]);
}

/** Its addresses are up, or none of them is. */
async function isUp(c: Case, web: TestService, nodePort?: number): Promise<void> {
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
	if (nodePort === undefined) return;
	for (const node of ["node-1", "node-2"] as const)
		await c.reach(LOCAL, c.target(hostNamed(node), nodePort), ["b1", "b2"]);
}

async function isDown(c: Case, web: TestService, nodePort?: number): Promise<void> {
	await c.untouched(LOCAL, web.at());
	if (nodePort === undefined) return;
	for (const node of ["node-1", "node-2"] as const) await c.closed(LOCAL, c.target(hostNamed(node), nodePort));
}

async function changeType(c: Case, to: "ClusterIP" | "NodePort", isFirst: boolean): Promise<void> {
	const nodePort = to === "NodePort" ? c.nodePort() : undefined;
	const web = nodePort === undefined ? c.service() : nodePortService(c, nodePort);
	const external = () => web.object({ type: "ExternalName", ports: [] });
	const order = isFirst ? [web.object(), external()] : [external(), web.object()];
	await c.apply(web.slices(["b1", "b2"]));
	for (const object of order) {
		await c.apply(object);
		if (object === order[isFirst ? 0 : 1]) await isUp(c, web, nodePort);
		else await isDown(c, web, nodePort);
	}
}

async function nodePortGoes(c: Case): Promise<void> {
	const [first, second] = [c.nodePort(), c.nodePort()];
	const web = nodePortService(c, first);
	const at = (number: number, node: HostName = "node-1") => c.target(hostNamed(node), number);
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	await c.reach(LOCAL, at(first), ["b1", "a2"]);
	await c.apply(web.slices(["a2"]));
	await c.reach(LOCAL, at(first), ["a2"]);
	await c.apply(web.object({ ports: [c.port(80, { nodePort: second })] }));
	await c.reach(LOCAL, at(second), ["a2"]);
	await c.closed(LOCAL, at(first));
	await c.apply(web.object({ type: "ClusterIP", ports: [c.port(80)] }));
	await c.closed(LOCAL, at(second));
	await c.closed(LOCAL, at(second, "node-2"));
	await c.reach(LOCAL, web.at(), ["a2"]);
	await c.apply(web.object());
	await c.reach(LOCAL, at(first), ["a2"]);
	await c.remove(web);
	await c.closed(LOCAL, at(first));
}

async function hostNetworkByNodePort(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object(), web.slices(["node-1", "node-2"]));
	for (const node of NODES) await c.reach(EVERYWHERE, c.target(node, number), ["node-1", "node-2"]);
}

export const PORT_ROWS: readonly Row[] = [
	row(["S10a", "serves node ports on all addresses of all nodes", "service.go:1287"], nodePorts),
	row(["S10b", "serves node ports on the host's loopback, to the host alone", "service.go:1287"], nodePortOfLoopback),
	row(["S11", "serves external IPs that no node has", "service.go:1313"], externalIp),
	row(["S12", "serves one node port over both protocols", "service.go:1350"], onePortBothProtocols),
	row(["S13", "changes from ExternalName to ClusterIP", "service.go:1423"], (c) => changeType(c, "ClusterIP", false)),
	row(["S14", "changes from ExternalName to NodePort", "service.go:1462"], (c) => changeType(c, "NodePort", false)),
	row(["S15", "changes from ClusterIP to ExternalName", "service.go:1500"], (c) => changeType(c, "ClusterIP", true)),
	row(["S16", "changes from NodePort to ExternalName", "service.go:1540"], (c) => changeType(c, "NodePort", true)),
	row(["S24b", "updates and ends node ports", "networking.go:358, :391"], nodePortGoes),
	row(["S26b", "reaches endpoints on the host's network by node ports", "networking.go:471"], hostNetworkByNodePort),
];
