// Backends: one process that serves any number of addresses of its network namespace (server.c).

import { compiled } from "./compile.ts";
import { lines } from "./lines.ts";

/** Where a server was reached, and from where, as it says itself; `ADDRESS PORT` each. */
export interface Answer {
	readonly server: string;
	readonly client: string;
	/** What was sent, if it was a datagram. */
	readonly text: string;
}

/** Serves TCP and UDP, IPv4 and IPv6 on these ports of all addresses of the namespace. */
export async function server(netns: string, ports: readonly number[]): Promise<Disposable> {
	const child = lines([compiled("test/support/server.c"), netns, ...ports.map(String)]);
	const line = await child.read();
	if (line !== "ready") throw new Error(`Cannot start a server in ${netns}: ${line}`);
	return child;
}

/** What server.c answered. */
export function parseAnswer(answer: string): Answer {
	const [address, port, from, fromPort, text = ""] = answer.split(" ");
	if (fromPort === undefined) throw new Error(`Cannot understand what a server said: ${answer}`);
	return { server: `${address} ${port}`, client: `${from} ${fromPort}`, text };
}
