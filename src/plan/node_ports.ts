// Where the frontends of node ports stand: one address for each hub and family, which is on no wire and no node.

import { type Ip, ipFamily, parseIp } from "../model/address.ts";

export type Family = ReturnType<typeof ipFamily>;

/**
 * Of the hub of this place (0 is the first). A node's address leads there (`Plan.addresses`), so that a node port is one frontend, however
 * many nodes there are. IPv4: in 0.0.0.0/8, no host's address (RFC 1122 section 3.2.1.3); IPv6: in 100::/64, discard-only (RFC 6666).
 */
export function nodePortsIp(rank: number, family: Family): Ip {
	const place = rank + 1;
	const ip = parseIp(family === "IPv4" ? `0.0.${place >> 8}.${place & 255}` : `100::${place.toString(16)}`);
	if (ip === undefined) throw new Error(`Cannot give the node ports of hub ${place} an address`);
	return ip;
}

/** Whether node ports of some hub may stand there: no Service can have such an address. */
export function isNodePortsIp(ip: Ip): boolean {
	return ipFamily(ip) === "IPv4" ? ip.startsWith("0.") : /^100::[0-9a-f]{1,3}$/.test(ip);
}
