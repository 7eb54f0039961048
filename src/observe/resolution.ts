// A resolution as people and log pipelines read it.

import type { Ip, Protocol } from "../model/address.ts";
import type { FrontendMode } from "../plan/plan_types.ts";

/** What the kernel reported. */
export interface Resolution {
	readonly result: "success" | "failure";
	/** Why there is no backend; "" where there is one. */
	readonly reason: string;
	/** A local redirect had reached its limit: the connection went on to who has the address next, or as it was. */
	readonly redirectHitLimit: boolean;
	/** What kind of frontend it was: ServiceClusterIP, localRedirectService, balancingPod, ... */
	readonly mode: FrontendMode;
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

/** Who a client was, as people know it; "" where it is not known, or is none of that. */
export interface ClientNames {
	/** A process of neither a pod nor a container. False, too, where nothing is known of it. */
	readonly hostProcess: boolean;
	/** Its name. */
	readonly pod: string;
	readonly namespace: string;
	/** What its cgroup is named after: of a static Pod the hash of its configuration. */
	readonly podUid: string;
	/** Its name in the Pod. */
	readonly container: string;
	readonly containerId: string;
	/** Of a process of the host: systemd's unit. */
	readonly unit: string;
}

/** What the agent adds. */
export interface ResolutionContext {
	readonly client: ClientNames;
	/** `namespace/name:port` of a Service's frontend, `name:port` of a policy's; "" if it is gone already. */
	readonly name: string;
	/** Of the policy: its annotation. Absent: it has none, or is no policy. */
	readonly serviceId?: number;
	readonly node: string;
	/** Milliseconds since the epoch. */
	readonly time: number;
}

/** What `nat.type` of an event says of the frontend. */
export type NatType = "service" | "localRedirect" | "balancing";

export function natTypeOf(mode: FrontendMode): NatType {
	if (mode.startsWith("localRedirect")) return "localRedirect";
	return mode.startsWith("balancing") ? "balancing" : "service";
}

/** `demo/web` of `demo/web:http`. */
export function objectOf(name: string): string {
	const colon = name.lastIndexOf(":");
	return colon < 0 ? name : name.slice(0, colon);
}

/** The fields of a `resolution` log line (names: interface of the predecessor, kept). */
export function resolutionRecord(event: Resolution, { name, node, time, serviceId, client }: ResolutionContext) {
	const { result, reason, mode, protocol, original, backend, frontendId, pid, tid, uid, comm, cgroupId } = event;
	return {
		time: new Date(time).toISOString(),
		node,
		result,
		reason,
		original,
		backend: backend ?? null,
		protocol,
		nat: { type: natTypeOf(mode), mode },
		object: objectOf(name),
		serviceId: serviceId ?? frontendId,
		redirectHitLimit: event.redirectHitLimit,
		client: { pid, tid, uid, comm, cgroupId: Number(cgroupId), ...client },
	};
}
