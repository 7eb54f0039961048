// Which hubs a configuration means, and each of them as a source of snapshots.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../config/command_line.ts";
import type { HubChoice, KubernetesChoice } from "../config/hub_choice.ts";
import type { Config, Surroundings } from "../config.ts";
import type { KubernetesStatus } from "../hub/kinds/kind_hub.ts";
import type { Audience } from "../hub/kinds/needs.ts";
import { watchKubernetes } from "../hub/kubernetes/kubernetes.ts";
import { type CredentialSource, nameSource, SERVICE_ACCOUNT } from "../hub/login/credentials.ts";
import { manifestsName, watchManifests } from "../hub/manifests/manifests.ts";
import { watchMetaServer } from "../hub/metaserver/metaserver.ts";
import { createOfflineStore, type OfflineStore } from "../hub/offline_store.ts";
import type { Api } from "../hub/request/api.ts";
import { assertNever } from "../lib/assert_never.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "../model/cluster.ts";
import { getVersion } from "../version.ts";
import type { AgentOwnWay } from "./own_way.ts";
import { recallKinds } from "./recalled_kinds.ts";
import { gatherTroubles } from "./troubles.ts";

/** One hub. */
export interface HubSource {
	/** `manifests PATH`, `Kubernetes in-cluster`. */
	readonly name: string;
	/** For one reader; what it is made of starts with the reading. */
	readonly snapshots: AsyncIterable<Cluster>;
	readonly health: () => HubHealth;
	/** Where its newest snapshot is kept for a start without it; undefined where the hub itself is on this machine. */
	readonly kept: KeptCopy | undefined;
	/** Other requests to it; undefined where it takes none. */
	readonly api: Api | undefined;
}

/** A copy on disk, and which cluster it must be of. */
export interface KeptCopy {
	readonly store: OfflineStore;
	/** Which cluster the snapshots come from. */
	readonly origin: () => string | undefined;
	/** Which cluster is meant, without asking it; rejects as long as that cannot be told. */
	readonly identify: () => Promise<string>;
}

export interface HubHealth {
	/** The hub is not being followed since; null if it is. */
	readonly staleSince: Date | null;
	/** What is the matter, one sentence each. */
	readonly troubles: readonly string[];
}

interface Following {
	/** One for each hub. */
	readonly ownWay: () => AgentOwnWay;
	/** Where there are several hubs each line says of which it speaks. */
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** `--kubeconfig in-cluster`: the cluster around this Pod, beside others; a file of that name is `./in-cluster`. */
const IN_CLUSTER = "in-cluster";

/** In the order in which they win. */
export function openHubs(config: Config, following: Following): readonly HubSource[] {
	return config.hubs.map((choice) => openHub(choice, config, following));
}

function openHub(choice: HubChoice, config: Config, following: Following): HubSource {
	switch (choice.kind) {
		case "manifests":
			return openManifests(choice.path, config, following);
		case "kubernetes":
			return openKubernetes(choice, config, following);
		case "metaserver":
			return openMetaServer(choice.url, config, following);
		default:
			return assertNever(choice);
	}
}

function openManifests(path: string, config: Config, following: Following): HubSource {
	const name = manifestsName(path);
	const log = logOf(name, config, following);
	return {
		name,
		snapshots: watchManifests({ path, nodeName: config["node-name"], log, signal: following.signal }),
		// A path that is gone is a Problem of its own.
		health: () => ({ staleSince: null, troubles: [] }),
		kept: undefined,
		api: undefined,
	};
}

function openKubernetes(choice: KubernetesChoice, config: Config, following: Following): HubSource {
	const { namespaces, selector, surroundings } = config;
	const source = demandSource(choice, surroundings);
	const name = `Kubernetes, ${nameSource(source)}`;
	const log = logOf(name, config, following);
	const ownWay = following.ownWay();
	const hub = watchKubernetes({
		audience: audienceOf(config),
		source,
		ownWay,
		log,
		signal: following.signal,
		apiServer: choice.apiServer,
		namespaces,
		...(selector === undefined ? {} : { selector }),
		proxies: surroundings.proxies,
		userAgent: `balancing/${getVersion().version}`,
	});
	const store = storeOf(name, config, log);
	const read = (): Cluster | undefined => {
		const origin = hub.origin();
		return origin === undefined ? undefined : store.read(origin)?.cluster;
	};
	return {
		name,
		snapshots: recallKinds(hub, { kinds: () => hub.status().kinds, read, nodeName: config["node-name"], log }),
		health: () => healthOf(hub.status(), ownWay),
		kept: { store, origin: hub.origin, identify: hub.identify },
		api: hub.api,
	};
}

function openMetaServer(url: string, config: Config, following: Following): HubSource {
	const { namespaces, selector } = config;
	const name = `MetaServer ${url}`;
	const log = logOf(name, config, following);
	const ownWay = following.ownWay();
	const store = storeOf(name, config, log);
	const hub = watchMetaServer({
		audience: audienceOf(config),
		url,
		ownWay,
		log,
		signal: following.signal,
		namespaces,
		...(selector === undefined ? {} : { selector }),
		// Not only after a boot: a MetaServer without the cloud may have forgotten what it told us before.
		baseline: store.read(name)?.cluster,
		userAgent: `balancing/${getVersion().version}`,
	});
	return {
		name,
		snapshots: hub,
		health() {
			const { withoutCloudSince, ...status } = hub.status();
			const { staleSince, troubles } = healthOf(status, ownWay);
			if (withoutCloudSince === null) return { staleSince, troubles };
			const since = withoutCloudSince.toISOString();
			return {
				staleSince,
				troubles: [...troubles, `It answers from its own store, without the cloud, since ${since}`],
			};
		},
		// Nothing tells one cluster's MetaServer from another's; what is not of this cluster goes once the cloud answers.
		kept: { store, origin: () => name, identify: async () => name },
		// Nodes are the cloud's to change.
		api: undefined,
	};
}

function audienceOf({ "node-name": nodeName }: Config): Audience {
	return { kind: "node", nodeName };
}

function logOf(hub: string, { hubs }: Config, { log }: Following): Log {
	if (hubs.length === 1) return log;
	return {
		debug: (fields, message) => log.debug({ hub, ...fields }, message),
		info: (fields, message) => log.info({ hub, ...fields }, message),
		warn: (fields, message) => log.warn({ hub, ...fields }, message),
		error: (fields, message) => log.error({ hub, ...fields }, message),
	};
}

/** Another hub, or another part of one, is another copy. */
function storeOf(name: string, { namespaces, selector, "state-dir": folder }: Config, log: Log): OfflineStore {
	const identity = createHash("sha256")
		.update(JSON.stringify([name, namespaces, selector]))
		.digest("hex");
	return createOfflineStore(join(folder, "hubs", `${identity.slice(0, 16)}.json`), log);
}

function healthOf({ staleSince, kinds }: KubernetesStatus, ownWay: AgentOwnWay): HubHealth {
	return { staleSince, troubles: gatherTroubles([ownWay.trouble(), ...kinds.map(({ problem }) => problem)]) };
}

/** Throws UsageError if one of the hubs is an API server that there is nothing to log in to with. */
export function demandHubs({ hubs, surroundings }: Config): void {
	for (const choice of hubs) if (choice.kind === "kubernetes") demandSource(choice, surroundings);
}

function demandSource(choice: KubernetesChoice, surroundings: Surroundings): CredentialSource {
	const { kubeconfig, context, apiServer } = choice;
	if (kubeconfig === IN_CLUSTER && context !== undefined) {
		throw new UsageError(`Cannot follow context ${context} of in-cluster: it has none; give a kubeconfig FILE`);
	}
	const source = kubernetesSource(choice, surroundings);
	if (source !== undefined) return source;
	if (kubeconfig === IN_CLUSTER) {
		const lacking = `${join(SERVICE_ACCOUNT, "token")} and $KUBERNETES_SERVICE_HOST are not both there`;
		throw new UsageError(`Cannot follow the cluster around this Pod: ${lacking}; give --kubeconfig FILE`);
	}
	if (context === undefined && apiServer === undefined) {
		throw new UsageError(
			"Cannot run without a source of Services: give --manifests PATH, --kubeconfig FILE or --metaserver URL",
		);
	}
	const asked = context === undefined ? `API server ${apiServer}` : `context ${context}`;
	throw new UsageError(`Cannot follow ${asked}: no kubeconfig was found to log in with; give --kubeconfig FILE`);
}

/** What to log in with; undefined if there is nothing. */
export function kubernetesSource(
	{ kubeconfig, context, apiServer }: KubernetesChoice,
	surroundings: Surroundings,
	exists: (path: string) => boolean = existsSync,
): CredentialSource | undefined {
	const { serviceHost, servicePort, home } = surroundings;
	const isInPod = (serviceHost !== "" || apiServer !== undefined) && exists(join(SERVICE_ACCOUNT, "token"));
	const around: CredentialSource = { kind: "in-cluster", host: serviceHost, port: servicePort };
	if (kubeconfig === IN_CLUSTER) return isInPod ? around : undefined;
	if (kubeconfig !== undefined) return { kind: "kubeconfig", files: [kubeconfig], context };
	const files = surroundings.kubeconfig.split(":").filter((file) => file !== "");
	if (files.length > 0) return { kind: "kubeconfig", files, context };
	if (context === undefined && isInPod) return around;
	const own = join(home, ".kube", "config");
	return home !== "" && exists(own) ? { kind: "kubeconfig", files: [own], context } : undefined;
}
