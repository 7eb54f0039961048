// Who a process is by the name of its cgroup: a pod's, a container's, or a unit of the host.

import { podUidIn } from "../model/pod_cgroup.ts";

/** What a cgroup's path tells; "" where it tells nothing. */
export interface CgroupClient {
	/** Of a static Pod: the hash of its configuration. */
	readonly podUid: string;
	/** As the runtime has it, 64 hexadecimal digits. Of a container in a pod's container: the pod's. */
	readonly containerId: string;
	/** Of a process of the host: the system's unit (of a user's unit `user@1000.service`). */
	readonly unit: string;
	/** It is neither a pod's nor a container's. False, too, where nothing is known. */
	readonly hostProcess: boolean;
}

/** Of a cgroup that is gone. */
export const UNKNOWN_CLIENT: CgroupClient = { podUid: "", containerId: "", unit: "", hostProcess: false };

/** What every kubelet has above its pods (`kubepods`, `kubelet-kubepods.slice`), or in the names of their slices. */
const KUBELET = /(?:^|-)kubepods(?:[-.]|$)/;
/** `<id>`, `crio-<id>`, `cri-containerd-<id>.scope`, `<slice>:cri-containerd:<id>`: containerd, CRI-O, docker and podman agree on ids. */
const CONTAINER = /^(?:.*[-_:])?([0-9a-f]{64})(?:\.scope)?$/;
/** CRI-O's and podman's watcher of a container has a cgroup beside it with its id, but is a process of the host. */
const WATCHER = /(?:^|-)conmon-/;
/** Units that have processes (systemd.unit(5)); a slice has none of its own. */
const UNIT = /\.(?:service|scope|socket|mount|swap)$/;

function containerIdIn(name: string): string {
	return WATCHER.test(name) ? "" : (CONTAINER.exec(name)?.[1] ?? "");
}

/** Where the innermost pod is, clusters being run in other clusters' pods; -1 if there is none. */
function podIn(names: readonly string[]): number {
	const kubelet = names.findIndex((name) => KUBELET.test(name));
	return kubelet < 0 ? -1 : names.findLastIndex((name, at) => at >= kubelet && podUidIn(name) !== "");
}

/** Takes a path from any level above the pods' on, of any hierarchy. */
export function readCgroupClient(path: string): CgroupClient {
	const names = path.split("/");
	const pod = podIn(names);
	const ids = names.slice(Math.max(0, pod)).map(containerIdIn);
	if (pod >= 0) {
		const containerId = ids.find((id) => id !== "") ?? "";
		return { ...UNKNOWN_CLIENT, podUid: podUidIn(names[pod] ?? ""), containerId };
	}
	const containerId = ids.findLast((id) => id !== "") ?? "";
	if (containerId !== "") return { ...UNKNOWN_CLIENT, containerId };
	return { ...UNKNOWN_CLIENT, unit: names.find((name) => UNIT.test(name)) ?? "", hostProcess: true };
}

/** What /proc/PID/cgroup says (cgroups(7)). */
export interface ProcessCgroups {
	/** Its path in v2, from the reader's cgroup namespace on; undefined where the kernel has none. */
	readonly v2: string | undefined;
	/** By the names of controllers, `name=systemd`: empty on a host of v2 only. */
	readonly v1: ReadonlyMap<string, string>;
}

export function readProcessCgroups(text: string): ProcessCgroups {
	const paths = new Map<string, string>();
	for (const line of text.split("\n")) {
		const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
		if (path !== undefined) paths.set(id === "0" ? "" : (controllers ?? ""), path);
	}
	const v2 = paths.get("");
	paths.delete("");
	return { v2, v1: paths };
}

/** What v1 adds to a path of v2 that tells of no container: on hybrid hosts pods are in v1 alone. */
export function addV1(client: CgroupClient, { v1 }: Pick<ProcessCgroups, "v1">): CgroupClient {
	const inside = [...v1.values()].map(readCgroupClient).filter(({ hostProcess }) => !hostProcess);
	const best = inside.find(({ containerId, podUid }) => containerId !== "" && podUid !== "") ?? inside[0];
	if (best !== undefined) return best;
	const unit = client.unit || readCgroupClient(v1.get("name=systemd") ?? "").unit;
	return { ...UNKNOWN_CLIENT, unit, hostProcess: true };
}
