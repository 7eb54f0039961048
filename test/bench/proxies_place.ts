// Two nodes with a pod each, alike but for nftables on one of them, and servers that both reach by a wire.

import { cgroup, cgroupMount } from "../support/cgroup.ts";
import { must } from "../support/command.ts";
import { compiled } from "../support/compile.ts";
import { lines } from "../support/lines.ts";
import { type Netns, netns, wire } from "../support/netns.ts";
import { ENDPOINT_PORT } from "./services.ts";

/** The network of the pods' addresses. */
export const PODS = "10.202.0.0/16";

/** Where a client may be, and its address there. */
export interface Spot {
	readonly netns: string;
	readonly ip: string;
}

export interface Node {
	readonly host: Spot;
	readonly pod: Spot;
	/** Connections that conntrack knows. */
	tracked(): number;
}

export interface Place extends Disposable {
	readonly plain: Node;
	readonly nat: Node;
	/** For the programs. */
	readonly inside: string;
	readonly outside: string;
}

function node(servers: Netns, index: number): Node & Disposable {
	using stack = new DisposableStack();
	const [host, pod] = [stack.use(netns()), stack.use(netns())];
	const [uplink, podNetwork] = [`10.201.${index}`, `10.202.${index}`];
	wire(`node${index}`, { net: host, addresses: [`${uplink}.1/24`] }, { net: servers, addresses: [`${uplink}.2/24`] });
	wire("pod", { net: host, addresses: [`${podNetwork}.1/24`] }, { net: pod, addresses: [`${podNetwork}.2/24`] });
	host.ip("route", "add", "default", "via", `${uplink}.2`);
	pod.ip("route", "add", "default", "via", `${podNetwork}.1`);
	servers.ip("route", "add", `${podNetwork}.0/24`, "via", `${uplink}.1`);
	must("ip", "netns", "exec", host.name, "sysctl", "-q", "net.ipv4.ip_forward=1");
	const held = stack.move();
	return {
		host: { netns: host.name, ip: `${uplink}.1` },
		pod: { netns: pod.name, ip: `${podNetwork}.2` },
		tracked: () => Number(must("ip", "netns", "exec", host.name, "cat", "/proc/sys/net/netfilter/nf_conntrack_count")),
		[Symbol.dispose]: () => held.dispose(),
	};
}

/** The server runs on `processor` and answers on every endpoint's address. */
export async function place(processor: string): Promise<Place> {
	using stack = new DisposableStack();
	const servers = stack.use(netns());
	const [plain, nat] = [stack.use(node(servers, 1)), stack.use(node(servers, 2))];
	servers.ip("route", "add", "local", "10.128.0.0/15", "dev", "lo");
	// What is not translated there has nowhere to go.
	for (const { host, pod } of [plain]) {
		for (const spot of [host, pod]) must("ip", "-n", spot.netns, "route", "add", "unreachable", "10.96.0.0/15");
	}
	const server = stack.use(
		lines([compiled("test/bench/proxies_server.c"), servers.name, processor, String(ENDPOINT_PORT)]),
	);
	const said = await server.read();
	if (said !== "ready") throw new Error(`Cannot start the server: ${said}`);
	const inside = stack.use(cgroup()).path;
	const held = stack.move();
	return { plain, nat, inside, outside: cgroupMount(), [Symbol.dispose]: () => held.dispose() };
}
