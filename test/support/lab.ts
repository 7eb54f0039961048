// The place of most kernel tests: a client's network, the network of the backends, a wire, and a cgroup for the client.

import { type Cgroup, cgroup } from "./cgroup.ts";
import { type Client, client } from "./client.ts";
import { type Netns, netns, wire } from "./netns.ts";
import { type PinPath, pinPath } from "./pin_path.ts";
import { server } from "./server.ts";

/** The client's own addresses. */
export const CLIENT = { v4: "10.201.0.1", v6: "fd00:201::1" } as const;
/** Every address of these networks is served. */
export const BACKENDS = { v4: "10.202.0.0/16", v6: "fd00:202::/64" } as const;
/** Ports that the servers serve; the rest is refused. */
export const PORTS = [80, 5353, 8080, 8081] as const;

export interface Lab extends Disposable {
	readonly clients: Netns;
	readonly servers: Netns;
	readonly cgroup: Cgroup;
	readonly pins: PinPath;
	/** A client inside the cgroup; it ends with the lab if not before. */
	client(): Client;
	/** A client outside of it. */
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
	stack.use(await server(servers.name, PORTS));
	const pins = stack.use(pinPath());
	const group = stack.use(cgroup());
	const all = stack.move();
	return {
		clients,
		servers,
		cgroup: group,
		pins,
		client: () => all.use(client({ netns: clients.name, cgroup: group.path })),
		outsider: () => all.use(client({ netns: clients.name })),
		[Symbol.dispose]: () => all.dispose(),
	};
}

/** The nth backend's address, from 0. */
export function backendIp(family: "v4" | "v6", n: number): string {
	return family === "v4" ? `10.202.${Math.floor(n / 250)}.${(n % 250) + 1}` : `fd00:202::${(n + 1).toString(16)}`;
}
