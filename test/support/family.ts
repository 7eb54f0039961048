// The three ways to reach an address: an IPv4 socket, an IPv6 socket, and an IPv6 socket with a v4-mapped address.

export interface Family {
	readonly name: string;
	/** The word of client.c. */
	readonly domain: "inet" | "inet6";
	/** The client's own address. */
	readonly client: string;
	/** The nth address of a Service, from 1 to 250. */
	vip(n: number): string;
	/** The nth address of a backend, from 1. */
	backend(n: number): string;
	/** The address as the socket names it. */
	dial(ip: string): string;
	/** `ADDRESS:PORT/PROTOCOL` */
	l4(ip: string, port: number, protocol: "TCP" | "UDP"): string;
}

const v4 = {
	client: "10.201.0.1",
	vip: (n: number) => `10.96.0.${n}`,
	backend: (n: number) => `10.202.${Math.floor((n - 1) / 250)}.${((n - 1) % 250) + 1}`,
	l4: (ip: string, port: number, protocol: string) => `${ip}:${port}/${protocol}`,
} as const;

const v6 = {
	client: "fd00:201::1",
	vip: (n: number) => `fd00:96::${n.toString(16)}`,
	backend: (n: number) => `fd00:202::${n.toString(16)}`,
	l4: (ip: string, port: number, protocol: string) => `[${ip}]:${port}/${protocol}`,
} as const;

export const V4: Family = { name: "IPv4", domain: "inet", dial: (ip) => ip, ...v4 };
export const V6: Family = { name: "IPv6", domain: "inet6", dial: (ip) => ip, ...v6 };
export const MAPPED: Family = { name: "v4-mapped", domain: "inet6", dial: (ip) => `::ffff:${ip}`, ...v4 };

export const FAMILIES: readonly Family[] = [V4, V6, MAPPED];
