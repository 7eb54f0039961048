// A resolution as people and log pipelines read it.

import type { Ip, Protocol } from "../model/address.ts";

/** What the kernel reported. */
export interface Resolution {
	readonly result: "success" | "failure";
	/** Why there is no backend; "" where there is one. */
	readonly reason: string;
	/** What kind of address the client used: ServiceClusterIP, ServiceNodeport, ... */
	readonly mode: string;
	readonly protocol: Protocol;
	readonly frontendId: number;
	readonly original: { readonly ip: Ip; readonly port: number };
	readonly backend: { readonly ip: Ip; readonly port: number } | undefined;
	readonly pid: number;
	readonly tid: number;
	readonly uid: number;
	readonly comm: string;
	readonly cgroupId: bigint;
}

/** What the agent adds. */
export interface ResolutionContext {
	/** `namespace/name:port` of the frontend; "" if it is gone already. */
	readonly name: string;
	readonly node: string;
	/** Milliseconds since the epoch. */
	readonly time: number;
}

/** The fields of a `resolution` log line (names: interface of the predecessor, kept). */
export function resolutionRecord(event: Resolution, { name, node, time }: ResolutionContext) {
	const { result, reason, mode, protocol, original, backend, frontendId, pid, tid, uid, comm, cgroupId } = event;
	const colon = name.lastIndexOf(":");
	return {
		time: new Date(time).toISOString(),
		node,
		result,
		reason,
		original,
		backend: backend ?? null,
		protocol,
		nat: { type: "service", mode },
		object: colon < 0 ? name : name.slice(0, colon),
		serviceId: frontendId,
		redirectHitLimit: false,
		client: { pid, tid, uid, comm, cgroupId: Number(cgroupId) },
	};
}
