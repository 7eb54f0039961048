// Whether lists come from the cloud: a MetaServer that cannot reach it answers from its own store, and does not say so.

import type { Log } from "../../lib/log.ts";
import { field, isRaw } from "../../model/raw.ts";
import { API_SERVER } from "../kinds/api_server_guard.ts";
import type { Scope } from "../kinds/scopes.ts";

/**
 * Whether a list, without its items, can only be the API server's own. KubeEdge's store writes its key (`/core/v1/services`) into
 * metadata.selfLink, where Kubernetes writes nothing since 1.20, and no metadata at all when it has nothing
 * (kubeedge edge/pkg/metamanager/metaserver/kubernetes/storage/sqlite/store.go).
 */
export function isFromCloud(frame: unknown, scope: Scope, has: (key: string) => boolean): boolean {
	const metadata = isRaw(frame) ? field(frame, "metadata") : undefined;
	if (!isRaw(metadata)) return false;
	const version = field(metadata, "resourceVersion");
	const link = field(metadata, "selfLink") ?? "";
	if (typeof version !== "string" || version === "" || version === "0") return false;
	if (typeof link !== "string" || (link !== "" && !link.startsWith("/api"))) return false;
	return isNarrow(scope) || has(API_SERVER);
}

/**
 * Every cluster has default/kubernetes, a Service and a slice: a list of everything without it is not the cluster's. Lists of
 * other kinds, and of a part, have no such mark.
 */
function isNarrow({ need, namespace, labelSelector }: Scope): boolean {
	return !OF_API_SERVER.has(need.kind) || namespace !== undefined || labelSelector !== need.labels.join(",");
}

const OF_API_SERVER: ReadonlySet<string> = new Set(["Service", "EndpointSlice"]);

export interface CloudLink {
	/** A list of a kind came; `proved` if from the cloud. */
	answered(kind: string, proved: boolean): void;
	/** Nobody asks for that kind any more. */
	leave(kind: string): void;
	/** When a list came from the store for the first time since the cloud answered for that kind; null if no kind's did. */
	lostSince(): Date | null;
}

export function createCloudLink(log: Log): CloudLink {
	const since = new Map<string, Date>();
	return {
		answered(kind, proved) {
			if (proved) {
				const isLast = since.delete(kind) && since.size === 0;
				if (isLast) log.info({}, "The cloud answers the MetaServer again");
				return;
			}
			if (since.size === 0) log.warn({ kind }, "The MetaServer answers from its own store, without the cloud");
			if (!since.has(kind)) since.set(kind, new Date());
		},
		leave: (kind) => void since.delete(kind),
		lostSince: () => [...since.values()].sort((a, b) => a.getTime() - b.getTime())[0] ?? null,
	};
}
