// The place of most kernel tests: a client's network, the network of the backends, a wire, and a cgroup for the client.

import { type Cgroup, cgroup } from "./cgroup.ts";
import { type Client, client } from "./client.ts";
import { must } from "./command.ts";
import { type Netns, netns, wire } from "./netns.ts";
import { type PinPath, pinPath } from "./pin_path.ts";
import { server } from "./server.ts";

/** The client's own addresses. */
export const CLIENT = { v4: "10.201.0.1", v6: "fd00:201::1" } as const;
/** Every address of these networks is served. */
export const BACKENDS = { v4: "10.202.0.0/16", v6: "fd00:202::/64" } as const;
/** Nobody has an address of these networks. */
export const SERVICES = { v4: "10.96.0.0/16", v6: "fd00:96::/64" } as const;
/** Ports that the servers serve; the rest is refused. */
export const PORTS = [80, 5353, 8080, 8081] as const;

export interface Lab extends Disposable {
	readonly clients: Netns;
	readonly servers: Netns;
	readonly cgroup: Cgroup;
	readonly pins: PinPath;
	/** A new client inside the cgroup. */
	client(): Client;
	/** A new client outside of it. */
	outsider(): Client;
}

export async function lab(): Promise<Lab> {
	using stack = new DisposableStack();
	const clients = stack.use(netns());
	const servers = stack.use(netns());
	wire(
		"wire",
		{ net: clients, addresses: [`${CLIENT.v4}/24`, `${CLIENT.v6}/64`] },
		{ net: servers, addresses: ["10.201.0.2/24", "fd00:201::2/64"] },
	);
	clients.ip("route", "add", "default", "via", "10.201.0.2");
	clients.ip("-6", "route", "add", "default", "via", "fd00:201::2");
	// Local routes: the servers have every address of these networks, without a list.
	servers.ip("route", "add", "local", BACKENDS.v4, "dev", "lo");
	servers.ip("-6", "route", "add", "local", BACKENDS.v6, "dev", "lo");
	// What is not translated shows itself: EHOSTUNREACH.
	clients.ip("route", "add", "unreachable", SERVICES.v4);
	clients.ip("-6", "route", "add", "unreachable", SERVICES.v6);
	must("ip", "netns", "exec", clients.name, "sysctl", "-q", "net.ipv4.ping_group_range=0 2147483647");
	stack.use(await server(servers.name, PORTS));
	const pins = stack.use(pinPath());
	const group = stack.use(cgroup());
	const all = stack.move();
	return {
		clients,
		servers,
		cgroup: group,
		pins,
		client: () => client({ netns: clients.name, cgroup: group.path }),
		outsider: () => client({ netns: clients.name }),
		[Symbol.dispose]: () => all.dispose(),
	};
}
