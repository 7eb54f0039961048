// Who a process is by its cgroup, in the layouts that are in use.

import { describe, expect, test } from "bun:test";
import { addV1, type CgroupClient, readCgroupClient, readProcessCgroups, UNKNOWN_CLIENT } from "./cgroup_client.ts";

const UID = "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11";
const OTHER = "11111111-2222-3333-4444-555555555555";
const [SLICE, OTHER_SLICE] = [UID, OTHER].map((uid) => uid.replaceAll("-", "_"));
/** Of a static Pod: the hash of its configuration. */
const HASH = "0123456789abcdef0123456789abcdef";
const [ID, NODE] = ["0a1b".repeat(16), "4f5a".repeat(16)] as const;

function client(fields: Partial<CgroupClient>): CgroupClient {
	return { ...UNKNOWN_CLIENT, ...fields };
}

const IN_POD = { podUid: UID, containerId: ID };

describe("readCgroupClient()", () => {
	test.each<[string, string, Partial<CgroupClient>]>([
		[
			"containerd, systemd, burstable",
			`/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE}.slice/cri-containerd-${ID}.scope`,
			IN_POD,
		],
		[
			"CRI-O, systemd, best effort, its own folder in it",
			`/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${SLICE}.slice/crio-${ID}.scope/container`,
			IN_POD,
		],
		[
			"containerd, systemd, Guaranteed",
			`/kubepods.slice/kubepods-pod${SLICE}.slice/cri-containerd-${ID}.scope`,
			IN_POD,
		],
		["docker, systemd, Guaranteed", `/kubepods.slice/kubepods-pod${SLICE}.slice/docker-${ID}.scope`, IN_POD],
		["containerd, cgroupfs, burstable", `/kubepods/burstable/pod${UID}/${ID}`, IN_POD],
		["containerd, cgroupfs, Guaranteed", `/kubepods/pod${UID}/${ID}`, IN_POD],
		["CRI-O, cgroupfs", `/kubepods/besteffort/pod${UID}/crio-${ID}`, IN_POD],
		[
			"a static pod, systemd",
			`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${HASH}.slice/cri-containerd-${ID}.scope`,
			{ podUid: HASH, containerId: ID },
		],
		["a static pod, cgroupfs", `/kubepods/burstable/pod${HASH}/${ID}`, { podUid: HASH, containerId: ID }],
		[
			"drivers that disagree",
			`/system.slice/containerd.service/kubepods-burstable-pod${SLICE}.slice:cri-containerd:${ID}`,
			IN_POD,
		],
		["drivers that disagree, at the top", `/kubepods-pod${SLICE}.slice:cri-containerd:${ID}`, IN_POD],
		["kind, cgroupfs", `/docker/${NODE}/kubelet/kubepods/burstable/pod${UID}/${ID}`, IN_POD],
		[
			"docker by systemd, kind in it",
			`/system.slice/docker-${NODE}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${SLICE}.slice/cri-containerd-${ID}.scope`,
			IN_POD,
		],
		["a cluster in another's pod", `/kubepods/pod${OTHER}/${NODE}/kubelet/kubepods/burstable/pod${UID}/${ID}`, IN_POD],
		[
			"the same by systemd",
			`/kubepods.slice/kubepods-pod${OTHER_SLICE}.slice/cri-containerd-${NODE}.scope/kubelet-kubepods-pod${SLICE}.slice/crio-${ID}.scope`,
			IN_POD,
		],
		["docker in a pod's container", `/kubepods/pod${UID}/${ID}/docker/${NODE}`, IN_POD],
		["systemd in a pod's container", `/kubepods/pod${UID}/${ID}/system.slice/web.service`, IN_POD],
		["a pod's own cgroup", `/kubepods/burstable/pod${UID}`, { podUid: UID }],
		["CRI-O's watcher", `/kubepods.slice/kubepods-pod${SLICE}.slice/crio-conmon-${ID}.scope`, { podUid: UID }],
		["docker, cgroupfs", `/docker/${ID}`, { containerId: ID }],
		["docker, systemd", `/system.slice/docker-${ID}.scope`, { containerId: ID }],
		["podman", `/machine.slice/libpod-${ID}.scope/container`, { containerId: ID }],
		["containerd's own", `/k8s.io/${ID}`, { containerId: ID }],
		["docker in docker", `/docker/${NODE}/docker/${ID}`, { containerId: ID }],
		["a unit in a container", `/docker/${ID}/system.slice/kubelet.service`, { containerId: ID }],
		["a container of a kubelet without a pod", `/kubepods/${ID}`, { containerId: ID }],
		["a service", "/system.slice/sshd.service", { unit: "sshd.service", hostProcess: true }],
		[
			"a template's instance in a slice of its own",
			"/system.slice/system-getty.slice/getty@tty1.service",
			{ unit: "getty@tty1.service", hostProcess: true },
		],
		["a kubelet", "/kubelet.slice/kubelet.service", { unit: "kubelet.service", hostProcess: true }],
		["a service's own folder", "/system.slice/a.service/kubepods", { unit: "a.service", hostProcess: true }],
		["a session", "/user.slice/user-1000.slice/session-3.scope", { unit: "session-3.scope", hostProcess: true }],
		[
			"a user's unit",
			"/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
			{ unit: "user@1000.service", hostProcess: true },
		],
		["PID 1", "/init.scope", { unit: "init.scope", hostProcess: true }],
		[
			"the watcher of a podman container",
			`/machine.slice/libpod-conmon-${ID}.scope`,
			{
				unit: `libpod-conmon-${ID}.scope`,
				hostProcess: true,
			},
		],
		["the root", "/", { hostProcess: true }],
		["a host without systemd", "/podman/web", { hostProcess: true }],
		["a name like a pod's, of no kubelet", `/batch/pod${UID}`, { hostProcess: true }],
		["an id that is too short", "/docker/0a1b2c", { hostProcess: true }],
	])("%s", (_, path, expected) => {
		expect(readCgroupClient(path)).toEqual(client(expected));
	});
});

test("readProcessCgroups() tells v2 from v1", () => {
	const text = "12:cpu,cpuacct:/kubepods\n1:name=systemd:/a:b\n0::/system.slice/x.service\n";
	expect(readProcessCgroups(text)).toEqual({
		v2: "/system.slice/x.service",
		v1: new Map([
			["cpu,cpuacct", "/kubepods"],
			["name=systemd", "/a:b"],
		]),
	});
	expect(readProcessCgroups("0::/\n")).toEqual({ v2: "/", v1: new Map() });
	expect(readProcessCgroups("4:pids:/\n")).toEqual({ v2: undefined, v1: new Map([["pids", "/"]]) });
	expect(readProcessCgroups("")).toEqual({ v2: undefined, v1: new Map() });
});

describe("addV1()", () => {
	const RUNTIME = client({ unit: "containerd.service", hostProcess: true });
	test.each<[string, Record<string, string>, Partial<CgroupClient>]>([
		["a pod, whose runtime's v2 it has", { cpu: "/", pids: `/kubepods/burstable/pod${UID}/${ID}` }, IN_POD],
		[
			"a pod that a hierarchy knows better",
			{ cpuset: `/docker/${ID}`, cpu: `/kubepods/pod${UID}`, pids: `/kubepods/pod${UID}/${ID}` },
			IN_POD,
		],
		["a container", { pids: `/docker/${ID}` }, { containerId: ID }],
		[
			"a unit",
			{ pids: "/", "name=systemd": "/system.slice/x.service" },
			{ unit: "containerd.service", hostProcess: true },
		],
		["nothing", {}, { unit: "containerd.service", hostProcess: true }],
	])("says %s", (_, v1, expected) => {
		expect(addV1(RUNTIME, { v1: new Map(Object.entries(v1)) })).toEqual(client(expected));
	});

	test("takes the unit of v1 where v2 has none", () => {
		const v1 = new Map([["name=systemd", "/system.slice/x.service"]]);
		expect(addV1(client({ hostProcess: true }), { v1 })).toEqual(client({ unit: "x.service", hostProcess: true }));
	});
});
