// Canonical addresses: equal means same, they print as they are read, they key a Map.

declare const brand: unique symbol;

/** An IP address in canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it. A v4-mapped address is the IPv4 one. */
export type Ip = string & { readonly [brand]: "Ip" };
/** A TCP or UDP port, 1 to 65535. */
export type Port = number & { readonly [brand]: "Port" };
/** A layer-4 protocol that Balancing translates. */
export type Protocol = "TCP" | "UDP";
/** `10.96.0.1:80/TCP` or `[fd00::1]:53/UDP`. */
export type L4Address = string & { readonly [brand]: "L4Address" };

/** The parts of an L4Address. */
export interface L4Parts {
	readonly ip: Ip;
	readonly port: Port;
	readonly protocol: Protocol;
}
