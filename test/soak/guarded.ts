// Pods that redirects must not catch: one with a client in it, in a network namespace of its own, and some without a process.

import { netnsCookie } from "bun-ffi-libbpf";
import type { Frontend, Plan } from "../../src/plan/plan_types.ts";
import { cgroupMount } from "../support/cgroup.ts";
import { type Client, client } from "../support/client.ts";
import { type Lab, SERVICES } from "../support/lab.ts";
import { netns, wire } from "../support/netns.ts";
import { type PodCgroup, podCgroup } from "../support/pod_cgroup.ts";
import type { SteadyPod } from "./objects.ts";
import { uidOf } from "./policies.ts";

/** By a pod's uid all that the kernel knows it by: `cgroup ID level LEVEL`, `netns COOKIE`. */
export type Identities = ReadonlyMap<string, readonly string[]>;

export interface Guarded {
	/** In the pod whose own connections are looked at. */
	readonly walker: Client;
	readonly looker: Client;
	readonly identities: Identities;
}

/** One of those behind the steady Service's redirects. */
export const OURS: SteadyPod = "p901";
/** As the drivers of kubelets name them. */
const CGROUPS: readonly (readonly [pod: string, folderOf: (uid: string) => string])[] = [
	[OURS, systemdFolder],
	["p902", (uid) => `kubepods/besteffort/pod${uid}`],
	["p0", (uid) => `kubepods/burstable/pod${uid}`],
	["p1", systemdFolder],
	["p4", (uid) => `kubepods/pod${uid}`],
	["p6", (uid) => `kubepods.slice/kubepods-pod${uid.replaceAll("-", "_")}.slice`],
	["p8", (uid) => `kubelet/kubepods/guaranteed/pod${uid}`],
];

function systemdFolder(uid: string): string {
	return `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`;
}

/** Below the cgroup that the agent is given. */
export function guardedPods({ servers }: Lab, root: string, stack: AsyncDisposableStack): Guarded {
	const network = stack.use(netns());
	wire(
		"pod",
		{ net: network, addresses: ["10.203.0.1/24", "fd00:203::1/64"] },
		{ net: servers, addresses: ["10.203.0.2/24", "fd00:203::2/64"] },
	);
	network.ip("route", "add", "default", "via", "10.203.0.2");
	network.ip("-6", "route", "add", "default", "via", "fd00:203::2");
	network.ip("route", "add", "unreachable", SERVICES.v4);
	network.ip("-6", "route", "add", "unreachable", SERVICES.v6);
	const groups = CGROUPS.map(([pod, folderOf]) => {
		const uid = uidOf(pod);
		return { pod, uid, group: stack.use(podCgroup(root, folderOf(uid))) };
	});
	const own = groups.find(({ pod }) => pod === OURS);
	if (own === undefined) throw new Error(`Cannot find ${OURS}`);
	const where = { netns: network.name, cgroup: own.group.container };
	const [walker, looker] = [stack.use(client(where)), stack.use(client(where))];
	const cookie = netnsCookie({ netns: `/run/netns/${network.name}` });
	const identities = new Map(
		groups.map(({ pod, uid, group }) => {
			const netnsToo = pod === OURS ? [`netns ${cookie}`] : [];
			return [uid, [describe(group), ...netnsToo]] as const;
		}),
	);
	return { walker, looker, identities };
}

/** As the kernel counts: folders below the mount, which is of the hierarchy's root. */
function describe({ path, id }: PodCgroup): string {
	return `cgroup ${id} level ${path.slice(cgroupMount().length + 1).split("/").length}`;
}

/** What the client finds where a redirect is to a pod that is its own: who would have the address without it. */
export function behindOwnRedirects({ guards }: Plan, frontends: readonly Frontend[]): readonly Frontend[] {
	return frontends.flatMap(({ redirect }) => {
		const isOwn = guards.get(redirect?.guard ?? "")?.some(({ uid }) => uid === uidOf(OURS));
		return isOwn && redirect?.next !== undefined ? [redirect.next] : [];
	});
}
