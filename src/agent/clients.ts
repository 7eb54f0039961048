// Who made a resolution: the Pod and the container of a client, or the host's unit.

import type { Cluster } from "../model/cluster.ts";
import type { Pod } from "../model/pod.ts";
import { containersIn } from "../model/pod_containers.ts";
import { addV1, type CgroupClient, readCgroupClient, UNKNOWN_CLIENT } from "../observe/cgroup_client.ts";
import type { ClientNames, Resolution } from "../observe/resolution.ts";
import type { ClientCgroups } from "./client_cgroups.ts";

export interface ClientsOptions {
	readonly cgroups: ClientCgroups;
	/** The own node's name. */
	readonly node: string;
	/** What each hub knows, in the order in which they win. */
	readonly clusters: () => readonly Cluster[];
}

/** Tells who a client was: "" for what is not known. Never throws. */
export type Clients = (client: Pick<Resolution, "cgroupId" | "pid">) => ClientNames;

interface Index {
	readonly byUid: ReadonlyMap<string, Pod>;
	readonly byContainer: ReadonlyMap<string, Pod>;
}

/** A uid is one node's alone, but for those of static Pods that somebody has written by hand. */
function indexPods(pods: Cluster["pods"], node: string): Index {
	const byUid = new Map<string, Pod>();
	const byContainer = new Map<string, Pod>();
	for (const pod of pods.values()) {
		if (pod.nodeName !== "" && pod.nodeName !== node) continue;
		if (pod.uid !== "") byUid.set(pod.uid, pod);
		for (const id of containersIn(pod.containers ?? "").keys()) byContainer.set(id, pod);
	}
	return { byUid, byContainer };
}

/** Nothing is read before the first client. */
export function createClients({ cgroups, node, clusters }: ClientsOptions): Clients {
	/** Of each hub's Pods, as long as they are the identical ones. */
	const indices = new WeakMap<Cluster["pods"], Index>();

	function indexOf(pods: Cluster["pods"]): Index {
		const index = indices.get(pods) ?? indexPods(pods, node);
		indices.set(pods, index);
		return index;
	}

	function findPod({ podUid, containerId }: CgroupClient): Pod | undefined {
		if (podUid === "" && containerId === "") return undefined;
		for (const { pods } of clusters()) {
			const { byUid, byContainer } = indexOf(pods);
			const pod = podUid === "" ? byContainer.get(containerId) : byUid.get(podUid);
			if (pod !== undefined) return pod;
		}
		return undefined;
	}

	function look({ cgroupId, pid }: Pick<Resolution, "cgroupId" | "pid">): CgroupClient {
		const path = cgroups.pathOf(cgroupId, pid);
		const client = path === "" ? UNKNOWN_CLIENT : readCgroupClient(path);
		if (!cgroups.hasV1 || client.podUid !== "" || client.containerId !== "") return client;
		// What inherited its runtime's cgroup of v2 would pass for the host's own, if nobody can be asked any more.
		const process = cgroups.processIn(cgroupId, pid);
		return process === undefined ? UNKNOWN_CLIENT : addV1(client, process);
	}

	return (event) => {
		const client = look(event);
		const pod = findPod(client);
		return {
			hostProcess: client.hostProcess,
			pod: pod?.key.slice(pod.namespace.length + 1) ?? "",
			namespace: pod?.namespace ?? "",
			podUid: client.podUid || (pod?.uid ?? ""),
			container: containersIn(pod?.containers ?? "").get(client.containerId) ?? "",
			containerId: client.containerId,
			unit: client.unit,
		};
	};
}
