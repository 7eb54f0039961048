// The addresses of this host's own interfaces: where its node ports are, besides those that its Node object names.

import { networkInterfaces } from "node:os";
import { systemClock } from "../lib/clock.ts";
import { isSameList } from "../lib/equal.ts";
import { type Ip, parseIp } from "../model/address.ts";

type Interfaces = ReturnType<typeof networkInterfaces>;

/** kube-proxy in its IPVS mode gives this one all cluster IPs and external IPs: they are no addresses of a node. */
const NOT_OURS: ReadonlySet<string> = new Set(["kube-ipvs0"]);

/** Milliseconds between two readings at least: with hundreds of pods' interfaces one takes some 3 ms. */
const SHORTEST = 1000;

export interface OwnAddresses {
	/** As they were read last; the identical array as long as nothing changes. */
	current(): readonly Ip[];
	/** Reads them again, unless that was a moment ago; returns whether they are other ones now. */
	refresh(): boolean;
}

interface Source {
	readonly read?: () => Interfaces;
	/** Milliseconds of a clock that is never set. */
	readonly now?: () => number;
}

/**
 * Loopback and link-local addresses are left out: they mean another host in every network namespace, on every link. Those of other
 * kinds count even on `lo`, where routers put addresses that are to outlive a link.
 */
export function createOwnAddresses({ read = networkInterfaces, now = systemClock.now }: Source = {}): OwnAddresses {
	let addresses = addressesIn(read());
	let readAt = now();
	return {
		current: () => addresses,
		refresh() {
			if (now() - readAt < SHORTEST) return false;
			const next = addressesIn(read());
			readAt = now();
			if (isSameList(next, addresses)) return false;
			addresses = next;
			return true;
		},
	};
}

/** Sorted, distinct. */
function addressesIn(interfaces: Interfaces): readonly Ip[] {
	const ips = new Set<Ip>();
	for (const [name, entries = []] of Object.entries(interfaces)) {
		if (NOT_OURS.has(name)) continue;
		for (const { address } of entries) {
			const ip = parseIp(address.replace(/%.*$/, ""));
			if (ip !== undefined && !isOfOneLink(ip)) ips.add(ip);
		}
	}
	return [...ips].sort();
}

/** 127.0.0.0/8 and ::1; 169.254.0.0/16 and fe80::/10. */
function isOfOneLink(ip: Ip): boolean {
	return ip === "::1" || ip.startsWith("127.") || ip.startsWith("169.254.") || /^fe[89ab][0-9a-f]:/.test(ip);
}
