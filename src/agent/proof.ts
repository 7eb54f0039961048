// Proves that our programs run where they should: by a connect() that only they can answer in this way.

import { udpConnect } from "bun-ffi-libbpf";
import type { Log } from "../lib/log.ts";
import { ipBytes, l4Parts } from "../model/address.ts";
import { CANARY } from "../plan/canary.ts";

const ECONNREFUSED = 111;

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
}

/**
 * Connecting a UDP socket sends nothing and never gives ECONNREFUSED by itself. The canaries' frontends have no backend,
 * so an ECONNREFUSED comes from our program and from nowhere else.
 */
export function createProof({ cgroup, log }: ProofOptions): Proof {
	let reason: string | null = "not tried yet";

	function attempt(): string | null {
		for (const { address } of CANARY.frontends) {
			const { ip, port } = l4Parts(address);
			const errno = udpConnect(ipBytes(ip), port, cgroup === undefined ? {} : { cgroup });
			if (errno !== ECONNREFUSED) return `canary connect to ${address} gave errno ${errno} instead of ECONNREFUSED`;
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
			if (reason === null) log.info({}, "attachment proved");
			else log.warn({ reason }, "attachment not proved: connections may go untranslated");
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
