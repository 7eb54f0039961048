// Three nodes and their pods, each a network namespace, on one wire: what is not translated finds nobody, or the node that it names.

import { client } from "../support/client.ts";
import { must } from "../support/command.ts";
import { type Netns, netns } from "../support/netns.ts";
import { server } from "../support/server.ts";
import { until } from "../support/wait.ts";

/** A node or a pod: a network namespace with an address of each family. */
export interface Host {
	readonly name: HostName;
	/** The node that it is, or that it runs on; the machine itself outside. */
	readonly node: MachineName;
	/** In its network namespace. */
	readonly v4: string;
	readonly v6: string;
}

export type NodeName = "node-1" | "node-2" | "node-3";
export type MachineName = NodeName | OutsideName;
/** Pods are called by a letter and the number of their node. */
export type PodName = "a1" | "b1" | "a2" | "b2" | "a3";
/** A machine that is no node of the cluster. */
export type OutsideName = "out-1";
export type HostName = NodeName | PodName | OutsideName;

/** A node of the cluster. */
interface NodeHost extends Host {
	readonly node: NodeName;
}

function host<M extends MachineName>(name: HostName, node: M, place: string): Host & { readonly node: M } {
	return { name, node, v4: `10.210.${place}`, v6: `fd00:210::${place.replace(".", ":").replace(/^0:/, "")}` };
}

export const NODES: readonly NodeHost[] = [
	host("node-1", "node-1", "0.1"),
	host("node-2", "node-2", "0.2"),
	host("node-3", "node-3", "0.3"),
];
const PODS: readonly Host[] = [
	host("a1", "node-1", "1.1"),
	host("b1", "node-1", "1.2"),
	host("a2", "node-2", "2.1"),
	host("b2", "node-2", "2.2"),
	host("a3", "node-3", "3.1"),
];
const OUTSIDE = host("out-1", "out-1", "9.1");
const HOSTS: readonly Host[] = [...NODES, ...PODS, OUTSIDE];

/** A node's second addresses, of type ExternalIP. */
export function externalIps({ node: name }: Host): { readonly v4: string; readonly v6: string } {
	const number = name.slice(-1);
	return { v4: `10.210.100.${number}`, v6: `fd00:210::100:${number}` };
}

export function hostNamed(name: HostName): Host {
	const found = HOSTS.find((each) => each.name === name);
	if (found === undefined) throw new Error(`Cannot find the host ${name}`);
	return found;
}

/** What pods and nodes serve; other ports are refused. */
export const SERVED = [8080, 8081, 9090] as const;

export interface Network extends AsyncDisposable {
	/** The network namespace of a node or a pod. */
	netns(name: HostName): string;
	/** Serves one more port there, of every address: what a node port would be to packets that come to that node. */
	serve(name: HostName, port: number): Promise<Disposable>;
}

function addressesOf(one: Host): readonly string[] {
	const more = NODES.some(({ name }) => name === one.name) ? Object.values(externalIps(one)) : [];
	return [one.v4, one.v6, ...more].map((ip) => `${ip}/${ip.includes(":") ? 64 : 16}`);
}

function sysctl(net: Netns, ...settings: readonly string[]): void {
	must("nsenter", `--net=/run/netns/${net.name}`, "sysctl", "-q", ...settings);
}

/** On the wire; every other destination is unreachable, so that what leaks shows itself at once. */
function join(one: Host, net: Netns, fabric: Netns): void {
	const port = `port-${one.name}`;
	must("ip", "link", "add", "wire", "netns", net.name, "type", "veth", "peer", "name", port, "netns", fabric.name);
	fabric.ip("link", "set", port, "master", "bridge", "up");
	for (const [index, address] of addressesOf(one).entries()) {
		// Only the first address of IPv6 is taken as a source by itself.
		const options = address.includes(":") ? [...(index > 1 ? ["preferred_lft", "0"] : []), "nodad"] : [];
		net.ip("address", "add", address, "dev", "wire", ...options);
	}
	net.ip("link", "set", "wire", "up");
	net.ip("route", "add", "unreachable", "default");
	net.ip("-6", "route", "add", "unreachable", "default");
	// A port without a server says so each time.
	sysctl(net, "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0");
}

/** A host's word that it hears the farthest one, in both families. */
async function hears(from: Netns, to: Host): Promise<void> {
	await using asker = client({ netns: from.name });
	for (const ip of [to.v4, to.v6]) {
		await until(`a way from ${from.name} to ${ip}`, async () =>
			(await asker.run(`storm tcp 1 ${ip} ${SERVED[0]}`)).includes("0>"),
		);
	}
}

/** `first` is the namespace of node-1, which is there already; it stays. */
export async function openNetwork(first: string): Promise<Network> {
	await using stack = new AsyncDisposableStack();
	const fabric = stack.use(netns());
	fabric.ip("link", "add", "bridge", "type", "bridge");
	fabric.ip("link", "set", "bridge", "up");
	const spaces = new Map<HostName, Netns>();
	for (const each of HOSTS) {
		const net = each.name === "node-1" ? existing(first) : stack.use(netns());
		spaces.set(each.name, net);
		join(each, net, fabric);
	}
	const spaceOf = (name: HostName): Netns => {
		const net = spaces.get(name);
		if (net === undefined) throw new Error(`Cannot find the network namespace of ${name}`);
		return net;
	};
	for (const { name } of HOSTS) stack.use(await server(spaceOf(name).name, SERVED));
	for (const each of HOSTS) {
		await hears(spaceOf("node-1"), each);
		await hears(spaceOf(each.name), hostNamed("a3"));
	}
	const held = stack.move();
	return {
		netns: (name) => spaceOf(name).name,
		serve: (name, port) => server(spaceOf(name).name, [port]),
		[Symbol.asyncDispose]: () => held.disposeAsync(),
	};
}

function existing(name: string): Netns {
	return { name, ip: (...words) => must("ip", "-n", name, ...words), [Symbol.dispose]: () => {} };
}
