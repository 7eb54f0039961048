// Proves that our programs run where they should: by a connect() that only they can answer in this way.

import { errnoName, errnoNumber, udpConnect } from "bun-ffi-libbpf";
import type { Log } from "../lib/log.ts";
import { type Ip, ipBytes, ipFamily, l4Parts } from "../model/address.ts";
import { CANARY, CANARY_IPV4 } from "../plan/canary.ts";

const ECONNREFUSED = errnoNumber("ECONNREFUSED");
/** socket(2) on a kernel that was booted without IPv6: nobody can connect by it, so nothing is to be proved. */
const EAFNOSUPPORT = errnoNumber("EAFNOSUPPORT");

export interface Proof {
	/** Tries now; true if every family's canary was refused by our programs. */
	prove(): boolean;
	readonly proved: boolean;
	/** Null if proved. */
	readonly reason: string | null;
}

export interface ProofOptions {
	/** The cgroup to connect from; undefined where this process is in the attached one itself (the root). */
	readonly cgroup: string | undefined;
	readonly log: Log;
	/** As bun-ffi-libbpf's, which it is unless a test gives another one. */
	readonly connect?: typeof udpConnect;
}

/** 4 bytes of IPv4, so that an AF_INET socket connects: v4-mapped, it would be IPv6's program again. */
function socketBytes(ip: Ip): Uint8Array {
	return ipFamily(ip) === "IPv4" ? ipBytes(ip).slice(12) : ipBytes(ip);
}

function isRefusal(errno: number, ip: Ip): boolean {
	return errno === ECONNREFUSED || (errno === EAFNOSUPPORT && ipFamily(ip) === "IPv6");
}

/** The canary that every kernel can be asked by, for connects of this very process. */
export function ownCanary(): { readonly ip: Uint8Array; readonly port: number } {
	const { ip, port } = l4Parts(CANARY_IPV4);
	return { ip: socketBytes(ip), port };
}

function describe(address: string, errno: number): string {
	const fact = errno === 0 ? "succeeded" : `gave ${errnoName(errno)}`;
	return `the canary connect to ${address} ${fact} instead of ECONNREFUSED: our programs did not see it`;
}

/**
 * Connecting a UDP socket sends nothing and never gives ECONNREFUSED by itself. The canaries' frontends have no backend,
 * so an ECONNREFUSED comes from our program and from nowhere else.
 */
export function createProof({ cgroup, log, connect = udpConnect }: ProofOptions): Proof {
	let reason: string | null = "not tried yet";

	function attempt(): string | null {
		for (const { address } of CANARY.frontends) {
			const { ip, port } = l4Parts(address);
			const errno = connect(socketBytes(ip), port, cgroup === undefined ? {} : { cgroup });
			if (!isRefusal(errno, ip)) return describe(address, errno);
		}
		return null;
	}

	return {
		prove() {
			const before = reason;
			try {
				reason = attempt();
			} catch (error) {
				reason = error instanceof Error ? error.message : String(error);
			}
			if (reason === before) return reason === null;
			if (reason === null) log.info({}, "Attachment proved");
			else log.warn({ reason }, "Attachment not proved: connections may go untranslated");
			return reason === null;
		},
		get proved() {
			return reason === null;
		},
		get reason() {
			return reason;
		},
	};
}
