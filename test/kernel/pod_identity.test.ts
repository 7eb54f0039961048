// By what the kernel knows a pod: real cgroups, network namespaces and processes.

import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { netnsCookie } from "bun-ffi-libbpf";
import { createGuarding } from "../../src/agent/guarding.ts";
import { cgroupLevel, cgroupV1Roots } from "../../src/datapath/cgroup.ts";
import type { WantedGuards } from "../../src/datapath/guards.ts";
import { createPodFinder } from "../../src/datapath/pod_identity.ts";
import { parseIp } from "../../src/model/address.ts";
import type { GuardedPod } from "../../src/plan/plan_types.ts";
import { cgroup, cgroupMount } from "../support/cgroup.ts";
import { type Client, client } from "../support/client.ts";
import { createJumpClock } from "../support/jump_clock.ts";
import { testName } from "../support/names.ts";
import { type Netns, netns } from "../support/netns.ts";
import { podCgroup } from "../support/pod_cgroup.ts";
import { until } from "../support/wait.ts";

const UID = "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11";
const SLICE = `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll("-", "_")}.slice`;
const IPV4 = "10.244.77.5";
const IPV6 = "fd00:244:77::5";

function ips(...texts: readonly string[]): GuardedPod["ips"] {
	return texts.map((text) => parseIp(text) ?? expect.unreachable());
}

const POD: GuardedPod = { pod: "kube-system/cache", uid: UID, ips: ips(IPV4), hostNetwork: false };

/** A namespace with these addresses of its own. */
function podNetns(...addresses: readonly string[]): Netns {
	const net = netns();
	for (const address of addresses) {
		const [length, ...options] = address.includes(":") ? ["64", "nodad"] : ["24"];
		net.ip("address", "add", `${address}/${length}`, "dev", "lo", ...options);
	}
	return net;
}

/** A process there that has opened its first socket, and the cookie that the socket says. */
async function processIn(stack: AsyncDisposableStack, net: Netns, path?: string): Promise<bigint> {
	const process: Client = stack.use(
		client(path === undefined ? { netns: net.name } : { netns: net.name, cgroup: path }),
	);
	await process.ask("socket a inet udp");
	return BigInt(await process.ask("cookie a"));
}

function finder(root: string, v1Roots: readonly string[] = []) {
	return createPodFinder({ cgroup: root, v1Roots });
}

function findOne(root: string, pod: GuardedPod, v1Roots: readonly string[] = []) {
	return finder(root, v1Roots).find([pod])[0];
}

describe("cgroupLevel()", () => {
	test("counts from the root of the hierarchy", () => {
		using group = cgroup();
		using pod = podCgroup(group.path, SLICE);
		expect([cgroupMount(), group.path, pod.path, pod.container].map(cgroupLevel)).toEqual([0, 1, 4, 5]);
	});

	test("counts where only another process has the mount, as the host's PID 1 has it for a container", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const pod = stack.use(podCgroup(group.path, SLICE));
		const point = mkdtempSync(join(tmpdir(), `${testName()}-`));
		stack.defer(() => rmSync(point, { recursive: true }));
		const command = `mount -t cgroup2 none ${point} && echo mounted && exec sleep 600`;
		const child = Bun.spawn(["unshare", "--mount", "sh", "-c", command], { stdout: "pipe" });
		stack.defer(async () => {
			child.kill("SIGKILL");
			await child.exited;
		});
		await child.stdout.getReader().read();
		const root = `/proc/${child.pid}/root${point}`;
		expect(cgroupLevel(root)).toBe(0);
		const below = group.path.slice(cgroupMount().length);
		expect(cgroupLevel(`${root}${below}`)).toBe(1);
		expect(findOne(root, { ...POD, hostNetwork: true })?.identities).toEqual([
			{ kind: "cgroup", id: pod.id, level: 4 },
		]);
	});

	test("knows no level of what is none, or is gone", () => {
		expect(cgroupLevel("/no/such/cgroup")).toBeUndefined();
		expect(cgroupLevel("/proc")).toBeUndefined();
	});
});

describe("createPodFinder()", () => {
	test("knows a pod by its cgroup, with its level, and by the namespace of its processes", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const pod = stack.use(podCgroup(group.path, SLICE));
		const net = stack.use(podNetns(IPV4));
		const cookie = await processIn(stack, net, pod.container);
		expect(findOne(group.path, POD)).toEqual({
			identities: [
				{ kind: "cgroup", id: pod.id, level: 4 },
				{ kind: "netns", cookie },
			],
		});
		// Below the mount as below any other folder.
		expect(findOne(cgroupMount(), POD)?.identities).toContainEqual({ kind: "cgroup", id: pod.id, level: 4 });
	});

	test.each([
		["IPv4", ips(IPV4)],
		["IPv6", ips(IPV6)],
		["both", ips(IPV4, IPV6)],
	])("knows a pod without a cgroup by its address: %s", async (_, addresses) => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const net = stack.use(podNetns(IPV4, IPV6));
		const other = stack.use(podNetns("10.244.77.6", "fd00:244:77::6"));
		const cookie = await processIn(stack, net);
		await processIn(stack, other);
		for (const uid of [UID, ""]) {
			expect(findOne(group.path, { ...POD, uid, ips: addresses })).toEqual({ identities: [{ kind: "netns", cookie }] });
		}
	});

	test("takes the namespace that has the pod's address where its processes are in several", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const pod = stack.use(podCgroup(group.path, SLICE));
		const [net, visited] = [stack.use(podNetns(IPV4)), stack.use(podNetns("10.244.77.6"))];
		await processIn(stack, visited, pod.container);
		const cookie = await processIn(stack, net, pod.container);
		const cookies = findOne(group.path, POD)?.identities.filter(({ kind }) => kind === "netns");
		expect(cookies).toEqual([{ kind: "netns", cookie }]);
	});

	test("knows a hostNetwork pod by its cgroup alone", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const pod = stack.use(podCgroup(group.path, `kubepods/pod${UID}`));
		const net = stack.use(podNetns(IPV4));
		await processIn(stack, net, pod.container);
		expect(findOne(group.path, { ...POD, hostNetwork: true })).toEqual({
			identities: [{ kind: "cgroup", id: pod.id, level: 3 }],
		});
	});

	test("finds the namespace through cgroup v1 where v2 has no process of the pod", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const net = stack.use(podNetns("10.244.77.9"));
		const process = stack.use(client({ netns: net.name }));
		await process.ask("socket a inet udp");
		const cookie = BigInt(await process.ask("cookie a"));
		const v1 = mkdtempSync(join(tmpdir(), `${testName()}-`));
		stack.defer(() => rmSync(v1, { recursive: true }));
		mkdirSync(join(v1, `kubepods/burstable/pod${UID}/0a1b`), { recursive: true });
		writeFileSync(join(v1, `kubepods/burstable/pod${UID}/0a1b/cgroup.procs`), `${process.pid}\n`);
		expect(findOne(group.path, POD, [v1])).toEqual({ identities: [{ kind: "netns", cookie }] });
		// An empty folder in v2, as systemd makes it on a hybrid host, is no hindrance.
		const pod = stack.use(podCgroup(group.path, SLICE));
		expect(findOne(group.path, POD, [v1])?.identities).toEqual([
			{ kind: "cgroup", id: pod.id, level: 4 },
			{ kind: "netns", cookie },
		]);
		expect(findOne(group.path, { ...POD, hostNetwork: true }, [v1])?.missing).toBe(
			`no process is in a cgroup v2 of pod ${UID}, and its network namespace is the host's`,
		);
	});

	const [v1 = ""] = cgroupV1Roots();
	const whyNot = v1 === "" ? " (skipped: this machine has no cgroup v1)" : "";
	test.skipIf(v1 === "")(`finds it where cgroup v1 is mounted${whyNot}`, async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const net = stack.use(podNetns("10.244.77.9"));
		const folders = ["", "/kubepods", "/kubepods/burstable", `/kubepods/burstable/pod${UID}`];
		const top = `${v1}/${testName()}`;
		for (const folder of folders) {
			mkdirSync(`${top}${folder}`);
			stack.defer(() => rmdirSync(`${top}${folder}`));
		}
		const process = stack.use(client({ netns: net.name }));
		await process.ask("socket a inet udp");
		writeFileSync(`${top}${folders.at(-1)}/cgroup.procs`, String(process.pid));
		const found = createPodFinder({ cgroup: group.path }).find([POD])[0];
		expect(found).toEqual({ identities: [{ kind: "netns", cookie: BigInt(await process.ask("cookie a")) }] });
		expect(createPodFinder({ cgroup: group.path }).find([{ ...POD, hostNetwork: true }])[0]?.missing).toBe(
			`no process is in a cgroup v2 of pod ${UID}, and its network namespace is the host's`,
		);
		// The last process leaves its cgroup some time after its end.
		await process.kill();
		await until("empty", () => readFileSync(`${top}${folders.at(-1)}/cgroup.procs`, "utf8") === "");
	});

	test("never takes the host's own namespace for a pod's", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const pod = stack.use(podCgroup(group.path, SLICE));
		const child = Bun.spawn(["sh", "-c", `echo $$ > ${pod.container}/cgroup.procs && echo in && exec sleep 60`], {
			stdout: "pipe",
		});
		stack.defer(() => child.kill("SIGKILL"));
		await child.stdout.getReader().read();
		expect(netnsCookie()).toBeGreaterThan(0n);
		const loopback = { ...POD, ips: ips("127.0.0.1") };
		expect(findOne(group.path, loopback)?.identities).toEqual([{ kind: "cgroup", id: pod.id, level: 4 }]);
		expect(findOne(group.path, { ...POD, uid: "" })).toEqual({
			identities: [],
			missing: "it has no uid to find its cgroup by, and no network namespace has its address",
		});
	});

	test("says what is missing where the kernel has no cookies", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const net = stack.use(podNetns(IPV4));
		await processIn(stack, net);
		const find = createPodFinder({ cgroup: group.path, v1Roots: [], cookieOf: () => undefined });
		expect(find.find([POD])[0]).toEqual({
			identities: [],
			missing: `no process is in a cgroup v2 of pod ${UID}, and the kernel has no cookie of its network namespace`,
		});
		const pod = stack.use(podCgroup(group.path, SLICE));
		await processIn(stack, net, pod.container);
		expect(find.find([POD])[0]).toEqual({ identities: [{ kind: "cgroup", id: pod.id, level: 4 }] });
	});

	test("finds several pods at once", async () => {
		await using stack = new AsyncDisposableStack();
		const group = stack.use(cgroup());
		const [one, two] = ["aaaa-1", "aaaa-2"].map((uid) => stack.use(podCgroup(group.path, `kubepods/pod${uid}`)));
		const net = stack.use(podNetns(IPV4));
		await processIn(stack, net, one?.container);
		const [first, second] = finder(group.path).find([
			{ ...POD, pod: "a/one", uid: "aaaa-1" },
			{ ...POD, pod: "a/two", uid: "aaaa-2", ips: [] },
		]);
		expect(first?.missing).toBeUndefined();
		expect(first?.identities).toContainEqual({ kind: "cgroup", id: one?.id ?? 0n, level: 3 });
		expect(second?.identities).toEqual([{ kind: "cgroup", id: two?.id ?? 0n, level: 3 }]);
		expect(second?.missing).toStartWith("no process is in a cgroup v2 of pod aaaa-2");
	});
});

test("a sandbox that is made anew, under the pod's own name and address, is noticed", async () => {
	await using stack = new AsyncDisposableStack();
	const group = stack.use(cgroup());
	const clock = createJumpClock();
	const ended = new AbortController();
	stack.defer(() => ended.abort());
	let due = 0;
	let added: WantedGuards = new Map();
	const guarding = createGuarding({
		guards: {
			add(wanted) {
				added = wanted;
				return [];
			},
			prune: () => [],
			resync() {},
		},
		finder: finder(group.path),
		onDue: () => due++,
		clock,
		signal: ended.signal,
	});
	const guards = new Map([["LocalRedirectPolicy dns", [POD]]]);
	const identities = () => [...added.values()].flat();

	const first = stack.use(podNetns(IPV4));
	const before = stack.use(client({ netns: first.name }));
	await before.ask("socket a inet udp");
	const cookie = BigInt(await before.ask("cookie a"));
	guarding.protect(guards);
	expect(identities()).toEqual([{ kind: "netns", cookie }]);

	await before.kill();
	const second = await processIn(stack, stack.use(podNetns(IPV4)));
	clock.jump(30_000);
	await until("due", () => due === 1);
	guarding.protect(guards);
	expect(identities()).toEqual([{ kind: "netns", cookie: second }]);
	expect(guarding.problems()).toEqual([]);
});
