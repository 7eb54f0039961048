// Which of the host's addresses are its own as a node.

import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { createOwnAddresses } from "./own_addresses.ts";

type Interfaces = ReturnType<typeof networkInterfaces>;

function interfaces(table: Readonly<Record<string, readonly string[]>>): Interfaces {
	const entry = (address: string) => ({ address, netmask: "", mac: "", internal: false, cidr: null });
	return Object.fromEntries(
		Object.entries(table).map(([name, addresses]) => [
			name,
			addresses.map((address) =>
				address.includes(":")
					? { ...entry(address), family: "IPv6" as const, scopeid: 0 }
					: { ...entry(address), family: "IPv4" as const },
			),
		]),
	);
}

test("createOwnAddresses() leaves out loopback, link-local, and what kube-proxy holds for IPVS", () => {
	const own = createOwnAddresses({
		read: () =>
			interfaces({
				lo: ["127.0.0.1", "127.8.8.8", "::1", "203.0.113.9"],
				eth0: ["192.168.0.1", "2001:db8::1", "fe80::1", "fe80::2%eth0", "febf::1", "169.254.7.7"],
				cni0: ["10.244.0.1", "192.168.0.1"],
				"kube-ipvs0": ["10.96.0.1"],
			}),
	});
	expect(own.current().map(String)).toEqual(["10.244.0.1", "192.168.0.1", "2001:db8::1", "203.0.113.9"]);
});

test("refresh() says whether something has changed, in whatever order it stands there, and reads once in a second", () => {
	let [read, time] = [interfaces({ a: ["10.0.0.1"], b: ["10.0.0.2"] }), 0];
	const own = createOwnAddresses({ read: () => read, now: () => time });
	const first = own.current();
	read = interfaces({ b: ["10.0.0.2"], a: ["10.0.0.1"] });
	time = 1000;
	expect(own.refresh()).toBe(false);
	expect(own.current()).toBe(first);
	read = interfaces({ b: ["10.0.0.2"] });
	time = 1999;
	expect(own.refresh()).toBe(false);
	time = 2000;
	expect(own.refresh()).toBe(true);
	expect(own.current().map(String)).toEqual(["10.0.0.2"]);
});

test("createOwnAddresses() reads this host's", () => {
	const all = Object.values(networkInterfaces()).flatMap((entries = []) => entries.map(({ address }) => address));
	for (const ip of createOwnAddresses().current()) expect(all).toContain(ip);
});
