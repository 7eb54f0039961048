// Network namespaces of a test's own, and wires between them.

import { must } from "./command.ts";
import { testName } from "./names.ts";
import { untilSync } from "./wait.ts";

export interface Netns extends Disposable {
	readonly name: string;
	/** `ip` inside. */
	ip(...words: readonly string[]): string;
}

/** A namespace with its loopback interface up. */
export function netns(): Netns {
	const name = testName();
	must("ip", "netns", "add", name);
	const ip = (...words: readonly string[]) => must("ip", "-n", name, ...words);
	// An IPv6 address would wait a second for others who have it, and first packets with it.
	must("ip", "netns", "exec", name, "sysctl", "-q", "net.ipv6.conf.default.accept_dad=0");
	ip("link", "set", "lo", "up");
	return { name, ip, [Symbol.dispose]: () => void must("ip", "netns", "delete", name) };
}

/** A veth pair: its two ends are both called `name`, each with its addresses (with prefix lengths). */
export function wire(name: string, ...ends: readonly [WireEnd, WireEnd]): void {
	const [{ net: one }, { net: other }] = ends;
	must("ip", "link", "add", name, "netns", one.name, "type", "veth", "peer", "name", name, "netns", other.name);
	for (const { net, addresses } of ends) {
		for (const address of addresses) {
			// Duplicate address detection would keep an IPv6 address from being used for a second.
			const options = address.includes(":") ? ["nodad"] : [];
			net.ip("address", "add", address, "dev", name, ...options);
		}
		net.ip("link", "set", name, "up");
	}
	// The kernel looks after new carriers once a second; until then an end takes no IPv6 packet.
	for (const { net } of ends) {
		untilSync(`up: ${name} in ${net.name}`, () => net.ip("-oneline", "link", "show", name).includes(" state UP "));
	}
}

export interface WireEnd {
	readonly net: Netns;
	readonly addresses: readonly string[];
}
