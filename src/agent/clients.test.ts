// Who a client was: cgroups by their ids, and Pods by what cgroups say.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testName } from "../../test/support/names.ts";
import { pod } from "../../test/support/snapshots.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import type { Pod } from "../model/pod.ts";
import type { ClientNames } from "../observe/resolution.ts";
import { createClientCgroups } from "./client_cgroups.ts";
import { createClients } from "./clients.ts";

const UID = "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11";
const [ONE, TWO] = ["0a".repeat(32), "0b".repeat(32)] as const;
const NOBODY: ClientNames = {
	hostProcess: false,
	pod: "",
	namespace: "",
	podUid: "",
	container: "",
	containerId: "",
	unit: "",
};

let root: string;
let proc: string;
let now: number;
beforeEach(() => {
	const folder = mkdtempSync(join(tmpdir(), `${testName()}-`));
	[root, proc, now] = [join(folder, "cgroup"), join(folder, "proc"), 0];
	mkdirSync(root);
});
afterEach(() => rmSync(join(root, ".."), { recursive: true }));

/** A cgroup's id. */
function make(folder: string): bigint {
	mkdirSync(join(root, folder), { recursive: true });
	return statSync(join(root, folder), { bigint: true }).ino;
}

function runs(pid: number | "self", text: string): void {
	mkdirSync(join(proc, String(pid)), { recursive: true });
	writeFileSync(join(proc, String(pid), "cgroup"), text);
}

function cgroups() {
	return createClientCgroups({ cgroup: root, proc, clock: { now: () => now } });
}

function clusterOf(...pods: readonly Pod[]): Cluster {
	return { ...EMPTY_CLUSTER, pods: new Map(pods.map((one) => [one.key, one])) };
}

describe("pathOf()", () => {
	test("asks the process, however new its cgroup is", () => {
		const known = cgroups();
		expect(known.pathOf(1n, 5)).toBe("");
		const id = make("kubepods/a");
		runs(5, "0::/kubepods/a\n");
		expect(known.pathOf(id, 5)).toBe(join(root, "kubepods/a"));
	});

	test("searches for a process that is gone, or has moved, or is another one: once a second", () => {
		const known = cgroups();
		const [first, second] = [make("a/b/c"), make("a/d")];
		runs(5, "0::/a/d\n");
		expect(known.pathOf(first, 5)).toBe(join(root, "a/b/c"));
		expect(known.pathOf(second, 6)).toBe(join(root, "a/d"));
		const late = make("a/e");
		now = 999;
		expect(known.pathOf(late, 6)).toBe("");
		now = 1000;
		expect(known.pathOf(late, 6)).toBe(join(root, "a/e"));
	});

	test("remembers what is gone, and what was there", () => {
		const known = cgroups();
		// Elsewhere until then: folders of disks get the numbers of those that went, which cgroups never do.
		const [gone, last, late] = [make("gone"), make("last"), make("../late")];
		rmSync(join(root, "gone"), { recursive: true });
		expect(known.pathOf(gone, 5)).toBe("");
		expect(known.pathOf(last, 5)).toBe(join(root, "last"));
		rmSync(join(root, "last"), { recursive: true });
		now = 5000;
		expect(known.pathOf(last, 5)).toBe(join(root, "last"));
		expect(known.pathOf(gone, 5)).toBe("");
		// Not even a search: it would have taken the second's.
		renameSync(join(root, "../late"), join(root, "late"));
		expect(known.pathOf(late, 5)).toBe(join(root, "late"));
	});

	test("finds nothing where there is nothing", () => {
		rmSync(root, { recursive: true });
		expect(cgroups().pathOf(7n, 0)).toBe("");
		mkdirSync(root);
	});
});

describe("createClients()", () => {
	const WEB = pod("demo/web ready here 10.0.0.1", { uid: UID, containers: `${ONE} app ${TWO} log` });

	function who(folder: string, ...clusters: readonly Cluster[]): ClientNames {
		const cgroupId = make(folder);
		return createClients({ cgroups: cgroups(), node: "here", clusters: () => clusters })({ cgroupId, pid: 5 });
	}

	const IN_WEB = { ...NOBODY, pod: "web", namespace: "demo", podUid: UID };

	test("names each of a Pod's containers", () => {
		const cluster = clusterOf(pod("demo/other ready here 10.0.0.2"), WEB);
		expect(who(`kubepods/pod${UID}/${ONE}`, cluster)).toEqual({ ...IN_WEB, container: "app", containerId: ONE });
		expect(who(`kubepods/pod${UID}/${TWO}`, cluster)).toEqual({ ...IN_WEB, container: "log", containerId: TWO });
	});

	test("knows a container by its id alone", () => {
		expect(who(`odd/${TWO}`, clusterOf(WEB))).toEqual({ ...IN_WEB, container: "log", containerId: TWO });
	});

	test("says what the cgroup says of Pods and containers that no hub knows", () => {
		const id = "0c".repeat(32);
		expect(who(`kubepods/pod${UID}/${id}`)).toEqual({ ...NOBODY, podUid: UID, containerId: id });
		expect(who(`kubepods/pod${UID}/${id}`, clusterOf(WEB))).toEqual({ ...IN_WEB, containerId: id });
	});

	test("takes the first hub that knows the Pod, and no other node's", () => {
		const there = clusterOf(pod("demo/there ready there 10.0.0.1", { uid: UID, containers: `${ONE} there` }));
		const second = clusterOf(pod("demo/second ready here 10.0.0.1", { uid: UID, containers: `${ONE} second` }));
		expect(who(`kubepods/pod${UID}/${ONE}`, there, clusterOf(WEB), second)).toMatchObject({
			pod: "web",
			container: "app",
		});
	});

	test("follows the Pods as they change", () => {
		const cgroupId = make(`kubepods/pod${UID}/${ONE}`);
		let cluster = clusterOf();
		const clients = createClients({ cgroups: cgroups(), node: "here", clusters: () => [cluster] });
		expect(clients({ cgroupId, pid: 5 })).toMatchObject({ pod: "", podUid: UID });
		cluster = clusterOf(WEB);
		expect(clients({ cgroupId, pid: 5 })).toMatchObject({ pod: "web", container: "app" });
	});

	test("a unit is the host's", () => {
		const unit = { ...NOBODY, unit: "sshd.service", hostProcess: true };
		expect(who("system.slice/sshd.service", clusterOf(WEB))).toEqual(unit);
	});

	describe("where v1 is in use", () => {
		const V2 = "0::/system.slice/containerd.service\n";
		beforeEach(() => runs("self", "4:pids:/\n0::/\n"));

		test("a Pod's process that has its runtime's cgroup of v2 is the Pod's", () => {
			runs(5, `4:pids:/kubepods/burstable/pod${UID}/${ONE}\n${V2}`);
			const expected = { ...IN_WEB, container: "app", containerId: ONE };
			expect(who("system.slice/containerd.service", clusterOf(WEB))).toEqual(expected);
		});

		test("the runtime itself is the host's", () => {
			runs(5, `4:pids:/\n${V2}`);
			const expected = { ...NOBODY, unit: "containerd.service", hostProcess: true };
			expect(who("system.slice/containerd.service", clusterOf(WEB))).toEqual(expected);
		});

		test.each([
			["is gone", undefined],
			["is another one by now", `4:pids:/kubepods/burstable/pod${UID}/${ONE}\n0::/other\n`],
		])("nothing is claimed of a process that %s", (_, text) => {
			make("other");
			if (text !== undefined) runs(5, text);
			expect(who("system.slice/containerd.service", clusterOf(WEB))).toEqual(NOBODY);
		});

		test("a cgroup of v2 that tells of a container needs no process", () => {
			expect(who(`kubepods/pod${UID}/${ONE}`, clusterOf(WEB))).toMatchObject({ pod: "web", container: "app" });
		});
	});
});
