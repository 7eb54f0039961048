// The three ways to reach an address, over an address of each family.

import type { Pair } from "./objects.ts";
import type { FamilyName } from "./row.ts";

export interface Family {
	readonly name: FamilyName;
	/** The word of client.c. */
	readonly domain: "inet" | "inet6";
	/** Which of the two is meant, as objects and servers write it. */
	pick(pair: Pair): string;
	/** The same as a socket of this family names it. */
	dial(ip: string): string;
	/** This host, for itself. */
	readonly loopback: string;
}

const FAMILIES: Readonly<Record<FamilyName, Family>> = {
	IPv4: { name: "IPv4", domain: "inet", pick: ({ v4 }) => v4, dial: (ip) => ip, loopback: "127.0.0.1" },
	IPv6: { name: "IPv6", domain: "inet6", pick: ({ v6 }) => v6, dial: (ip) => ip, loopback: "::1" },
	"v4-mapped": {
		name: "v4-mapped",
		domain: "inet6",
		pick: ({ v4 }) => v4,
		dial: (ip) => `::ffff:${ip}`,
		loopback: "127.0.0.1",
	},
};

export function familyNamed(name: FamilyName): Family {
	return FAMILIES[name];
}
