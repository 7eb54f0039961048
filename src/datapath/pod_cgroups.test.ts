// Where kubelets and runtimes put pods, by the layouts that are in use.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testName } from "../../test/support/names.ts";
import { findPodCgroups, isPopulated, processesIn } from "./pod_cgroups.ts";

const UID = "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11";
const OTHER = "11111111-2222-3333-4444-555555555555";
const SLICE = UID.replaceAll("-", "_");
/** Of a static Pod: the hash of its configuration. */
const HASH = "0123456789abcdef0123456789abcdef";

let root: string;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), `${testName()}-`));
});
afterEach(() => rmSync(root, { recursive: true }));

function make(...folders: readonly string[]): void {
	for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
}

describe("findPodCgroups()", () => {
	test.each([
		["systemd, burstable", `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE}.slice`],
		["systemd, best effort", `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${SLICE}.slice`],
		["systemd, guaranteed", `kubepods.slice/kubepods-pod${SLICE}.slice`],
		["cgroupfs, burstable", `kubepods/burstable/pod${UID}`],
		["cgroupfs, guaranteed", `kubepods/pod${UID}`],
		[
			"kind, systemd",
			`docker/4f5a/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${SLICE}.slice`,
		],
		["kind, cgroupfs", `docker/4f5a/kubelet/kubepods/burstable/pod${UID}`],
		[
			"docker by systemd, kind in it",
			`system.slice/docker-4f5a.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${SLICE}.slice`,
		],
		["a cluster in another's pod", `kubepods/pod${OTHER}/4f5a/kubelet/kubepods/pod${UID}`],
	])("finds a pod: %s", (_, folder) => {
		make(`${folder}/cri-containerd-0a1b.scope`, "system.slice/sshd.service", `kubepods/burstable/pod${OTHER}`);
		expect(findPodCgroups(root, [UID])).toEqual(new Map([[UID, [join(root, folder)]]]));
	});

	test.each([
		["systemd", `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${HASH}.slice`],
		["cgroupfs", `kubepods/burstable/pod${HASH}`],
	])("finds a static pod: %s", (_, folder) => {
		make(folder);
		expect(findPodCgroups(root, [HASH])).toEqual(new Map([[HASH, [join(root, folder)]]]));
	});

	test("finds each container of a runtime that takes the systemd driver's names for folders", () => {
		const name = `kubepods-burstable-pod${SLICE}.slice`;
		make(`${name}:cri-containerd:0a`, `system.slice/containerd.service/${name}:cri-containerd:0b`);
		const found = findPodCgroups(root, [UID]).get(UID) ?? [];
		expect([...found].sort()).toEqual([
			join(root, `${name}:cri-containerd:0a`),
			join(root, `system.slice/containerd.service/${name}:cri-containerd:0b`),
		]);
	});

	test("tells pods apart, and leaves out what is not there", () => {
		make(`kubepods/burstable/pod${UID}`, `kubepods/burstable/pod${OTHER}`, `kubepods/burstable/pod${UID}0`);
		expect(findPodCgroups(root, [OTHER, UID, HASH])).toEqual(
			new Map([
				[UID, [join(root, `kubepods/burstable/pod${UID}`)]],
				[OTHER, [join(root, `kubepods/burstable/pod${OTHER}`)]],
			]),
		);
	});

	test("finds nothing for a pod without a uid, or where there is nothing", () => {
		make("kubepods/burstable/pod", "kubepods-pod.slice");
		expect(findPodCgroups(root, [""]).size).toBe(0);
		expect(findPodCgroups(join(root, "no"), [UID]).size).toBe(0);
	});
});

test("processesIn() has those of all levels, without those of other PID namespaces", () => {
	make("pod/container/inner");
	writeFileSync(join(root, "pod/cgroup.procs"), "");
	writeFileSync(join(root, "pod/container/cgroup.procs"), "12\n0\n13\n");
	writeFileSync(join(root, "pod/container/inner/cgroup.procs"), "14\n");
	expect([...processesIn(join(root, "pod"))].sort()).toEqual(["12", "13", "14"]);
	expect(processesIn(join(root, "no"))).toEqual([]);
});

test.each([
	["populated 1\nfrozen 0\n", true],
	["populated 0\nfrozen 0\n", false],
])("isPopulated() of %j", (text, expected) => {
	writeFileSync(join(root, "cgroup.events"), text);
	expect(isPopulated(root)).toBe(expected);
	expect(isPopulated(join(root, "no"))).toBe(false);
});
