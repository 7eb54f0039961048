// What the cgroups of pods are called, wherever a kubelet and its driver put them.

/**
 * The end of a cgroup's name by which a pod is known: `pod<uid>` as the cgroupfs driver writes it, `pod<uid>.slice` with `_`
 * for `-` as systemd's does. What stands before it (`kubelet-kubepods-burstable-`) is the kubelet's own affair.
 */
export function podCgroupEnds(uid: string): readonly string[] {
	return [`pod${uid}`, `pod${uid.replaceAll("-", "_")}.slice`];
}

/**
 * What may be such an end. A runtime that disagrees with the kubelet about the driver makes folders that are called
 * `kubepods-burstable-pod<uid>.slice:cri-containerd:<id>`, one for each container.
 */
export function podCgroupEnd(name: string): { readonly end: string; readonly isWhole: boolean } {
	const [group = "", ...rest] = name.split(":");
	return {
		end: group.endsWith(".slice") ? group.slice(group.lastIndexOf("-") + 1) : group,
		isWhole: rest.length === 0,
	};
}

/** The uid that such a name may have; "" if it has none. Others have such names as well: what is above must be a kubelet's. */
export function podUidIn(name: string): string {
	const { end } = podCgroupEnd(name);
	const [, uid = ""] = /^pod([A-Za-z0-9_-]{1,64})(?:\.slice)?$/.exec(end) ?? [];
	return end.endsWith(".slice") ? uid.replaceAll("_", "-") : uid;
}
