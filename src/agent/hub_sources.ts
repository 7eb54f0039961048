// Which hubs a configuration means, and each of them as a source of snapshots.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { type CredentialSource, SERVICE_ACCOUNT } from "../hub/kubernetes/credentials.ts";
import { type KubernetesStatus, watchKubernetes } from "../hub/kubernetes/kubernetes.ts";
import { watchManifests } from "../hub/manifests/manifests.ts";
import { createOfflineStore, type OfflineStore } from "../hub/offline_store.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "../model/cluster.ts";
import { getVersion } from "../version.ts";

/** One hub. */
export interface HubSource {
	/** `manifests PATH`, `Kubernetes in-cluster`. */
	readonly name: string;
	/** For one reader; what it is made of starts with the reading. */
	readonly snapshots: AsyncIterable<Cluster>;
	readonly health: () => HubHealth;
	/** Where its newest snapshot is kept for a start without it; undefined where the hub itself is on this machine. */
	readonly store: OfflineStore | undefined;
}

export interface HubHealth {
	/** The hub is not being followed since; null if it is. */
	readonly staleSince: Date | null;
	/** What is the matter, one sentence each. */
	readonly troubles: readonly string[];
}

interface Following {
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** In the order in which they win: manifests, then the API server. */
export function openHubs(config: Config, following: Following): readonly HubSource[] {
	const source = kubernetesSource(config);
	return [
		...config.manifests.map((path) => openManifests(path, following)),
		...(source === undefined ? [] : [openKubernetes(source, config, following)]),
	];
}

function openManifests(path: string, following: Following): HubSource {
	return {
		name: `manifests ${path}`,
		snapshots: watchManifests({ path, ...following }),
		// A path that is gone is a Problem of its own.
		health: () => ({ staleSince: null, troubles: [] }),
		store: undefined,
	};
}

function openKubernetes(source: CredentialSource, config: Config, following: Following): HubSource {
	const { namespaces, selector, surroundings } = config;
	const hub = watchKubernetes({
		...following,
		source,
		apiServer: config["api-server"],
		namespaces,
		...(selector === undefined ? {} : { selector }),
		proxies: surroundings.proxies,
		userAgent: `balancing/${getVersion().version}`,
	});
	const name = `Kubernetes, ${hub.status().name}`;
	const file = join(config["state-dir"], "hubs", `${fileName(name, namespaces, selector)}.json`);
	return {
		name,
		snapshots: hub,
		health: () => healthOf(hub.status()),
		store: createOfflineStore(file, following.log),
	};
}

/** Another hub, or another part of one, is another copy. */
function fileName(...identity: readonly unknown[]): string {
	return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 16);
}

function healthOf({ staleSince, kinds }: KubernetesStatus): HubHealth {
	return { staleSince, troubles: [...new Set(kinds.flatMap(({ problem }) => problem ?? []))] };
}

/**
 * What to log in with; undefined if no API server is meant: with --manifests and without --kubeconfig, --context and --api-server, or
 * if there is nothing to log in with.
 */
export function kubernetesSource(
	config: Config,
	exists: (path: string) => boolean = existsSync,
): CredentialSource | undefined {
	const { kubeconfig, context, manifests, surroundings } = config;
	if (kubeconfig !== undefined) return { kind: "kubeconfig", files: [kubeconfig], context };
	const apiServer = config["api-server"];
	if (manifests.length > 0 && context === undefined && apiServer === undefined) return undefined;
	const files = surroundings.kubeconfig.split(":").filter((file) => file !== "");
	if (files.length > 0) return { kind: "kubeconfig", files, context };
	const { serviceHost, servicePort, home } = surroundings;
	const reachable = serviceHost !== "" || apiServer !== undefined;
	if (context === undefined && reachable && exists(join(SERVICE_ACCOUNT, "token"))) {
		return { kind: "in-cluster", host: serviceHost, port: servicePort };
	}
	const own = join(home, ".kube", "config");
	return home !== "" && exists(own) ? { kind: "kubeconfig", files: [own], context } : undefined;
}
