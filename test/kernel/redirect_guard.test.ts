// Whom a redirect knows as its own backend: by the network namespace, by the cgroup at any depth, and nobody else.

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { openDatapath } from "../../src/datapath/datapath.ts";
import type { Identity } from "../../src/datapath/guards.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { type Cgroup, cgroup, cgroupMount } from "../support/cgroup.ts";
import { type Client, client } from "../support/client.ts";
import { datapath, planOf, type Spec, type TestDatapath } from "../support/datapath.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";
import { netns, wire } from "../support/netns.ts";
import { pinPath } from "../support/pin_path.ts";
import { parseAnswer } from "../support/server.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

const [LOCAL, NEXT] = [V4.backend(1), V4.backend(2)];
const VIP = `${V4.vip(1)} 80`;
const to = (ip: string) => [V4.l4(ip, 8080, "TCP")];
const redirect: Spec = {
	at: V4.l4(V4.vip(1), 80, "TCP"),
	to: to(LOCAL),
	redirect: { next: { to: to(NEXT) } },
};
const alone: Spec = { ...redirect, redirect: {} };

let stack: DisposableStack;
let place: Lab;
let bpf: TestDatapath;
/** A pod's cgroup, and those of its containers. */
let pod: Cgroup;
let container: Cgroup;
let inner: Cgroup;
let sibling: Cgroup;

beforeAll(async () => {
	stack = new DisposableStack();
	place = stack.use(await lab());
	bpf = stack.use(datapath(place.cgroup.path));
	pod = stack.use(cgroup(place.cgroup.path));
	sibling = stack.use(cgroup(place.cgroup.path));
	container = stack.use(cgroup(pod.path));
	inner = stack.use(cgroup(container.path));
});

beforeEach(() => {
	guard();
	bpf.know({});
	bpf.program(redirect);
});

afterAll(() => stack.dispose());

/** The only guards there are from now on. */
function guard(...identities: readonly Identity[]): void {
	const wanted = new Map([["test", identities]]);
	expect(bpf.guards.add(wanted)).toEqual([]);
	expect(bpf.guards.prune(wanted, bpf.maps.dump("frontends"))).toEqual([]);
}

/** As the kernel counts: folders below the mount, which is of the hierarchy's root. */
function known({ path, id }: Cgroup): Identity {
	const below = path.slice(cgroupMount().length + 1).split("/").length;
	return { kind: "cgroup", id, level: below };
}

/** Who is reached by somebody new in this cgroup, and in this network namespace. */
async function reachedFrom({ path }: { readonly path: string }, net = place.clients.name): Promise<string> {
	await using user = client({ netns: net, cgroup: path });
	const reached = await reach(user);
	return reached;
}

async function reach(user: Client): Promise<string> {
	await user.each("socket a inet tcp", `connect a ${VIP}`);
	const [ip = ""] = parseAnswer(await user.ask("recv a")).server.split(" ");
	await user.ask("close a");
	return ip;
}

describe("by the cgroup", () => {
	test.each([
		["its own processes", () => pod, () => pod],
		["a container's", () => pod, () => container],
		["those of a cgroup deeper down", () => pod, () => inner],
		["one container's, if it alone is guarded", () => container, () => container],
	])("knows %s", async (_, guarded, where) => {
		guard(known(guarded()));
		expect(await reachedFrom(where())).toBe(NEXT);
		// hostNetwork: the same network namespace says nothing.
		expect(await reachedFrom(sibling)).toBe(LOCAL);
		expect(await reachedFrom(place.cgroup)).toBe(LOCAL);
	});

	test("does not know who is above it, or beside", async () => {
		guard(known(container));
		expect(await reachedFrom(pod)).toBe(LOCAL);
		expect(await reachedFrom(sibling)).toBe(LOCAL);
		expect(await reachedFrom(inner)).toBe(NEXT);
	});

	test("knows cgroups of several levels at once", async () => {
		guard(known(inner), known(sibling));
		const reached = [inner, container, pod, sibling].map((where) => reachedFrom(where));
		expect(await Promise.all(reached)).toEqual([NEXT, LOCAL, LOCAL, NEXT]);
	});
});

describe("by the network namespace", () => {
	test("knows who is in it, in whatever cgroup, and nobody in another one", async () => {
		using other = netns();
		wire("wire2", { net: other, addresses: ["10.203.0.1/24"] }, { net: place.servers, addresses: ["10.203.0.2/24"] });
		other.ip("route", "add", "default", "via", "10.203.0.2");
		await using user = place.client();
		await user.ask("socket a inet udp");
		guard({ kind: "netns", cookie: BigInt(await user.ask("cookie a")) });
		expect(await reachedFrom(pod)).toBe(NEXT);
		expect(await reachedFrom(sibling)).toBe(NEXT);
		expect(await reachedFrom(pod, other.name)).toBe(LOCAL);
	});

	test("is not mistaken for a cgroup of the same number", async () => {
		guard({ kind: "netns", cookie: pod.id });
		expect(await reachedFrom(pod)).toBe(LOCAL);
	});
});

test("the guard of another group lets nobody past", async () => {
	const wanted = new Map([["another", [known(pod)]]]);
	bpf.guards.add(wanted);
	expect(await reachedFrom(pod)).toBe(LOCAL);
	bpf.program({ ...redirect, redirect: { ...redirect.redirect, guard: "another" } });
	expect(await reachedFrom(pod)).toBe(NEXT);
});

test.each(FAMILIES)("flows to the redirect over $name are given up by who has become its backend", async (family) => {
	const { domain, dial, vip, backend, l4 } = family;
	const dns = (n: number) => [l4(backend(n), 5353, "UDP")];
	bpf.program({ at: l4(vip(1), 53, "UDP"), to: dns(1), redirect: { next: { to: dns(2) } } });
	await using user = client({ netns: place.clients.name, cgroup: pod.path });
	await user.each(`socket a ${domain} udp`, `socket b ${domain} udp`);
	const asked = async () => {
		await user.each(`sendto a ${dial(vip(1))} 53 x`, `connect b ${dial(vip(1))} 53`, "send b x");
		const answers = [(await user.ask("recvfrom a")).split(" ").slice(2).join(" "), await user.ask("recv b")];
		return answers.map((answer) => parseAnswer(answer).server);
	};
	expect(await asked()).toEqual([`${backend(1)} 5353`, `${backend(1)} 5353`]);
	guard(known(pod));
	expect(await asked()).toEqual([`${backend(2)} 5353`, `${backend(2)} 5353`]);
});

describe("past a redirect", () => {
	test("that has a port of a cluster IP to itself the port is refused", async () => {
		guard(known(pod));
		bpf.know({ [V4.vip(1)]: "cluster-ip" });
		bpf.program(alone);
		await using user = client({ netns: place.clients.name, cgroup: pod.path });
		await user.ask("socket a inet tcp");
		expect(await user.run(`connect a ${VIP}`)).toBe("ECONNREFUSED");
		expect(await reachedFrom(sibling)).toBe(LOCAL);
	});

	test("on a node's address the node port is reached", async () => {
		guard(known(pod));
		bpf.know({ [V4.vip(1)]: "own 0.0.0.1" });
		bpf.program(alone, { at: "0.0.0.1:80/TCP", to: to(NEXT) });
		expect(await reachedFrom(pod)).toBe(NEXT);
		expect(await reachedFrom(sibling)).toBe(LOCAL);
	});

	test("who is next and has no backend refuses", async () => {
		guard(known(pod));
		bpf.program({ ...redirect, redirect: { next: { to: [] } } });
		await using user = client({ netns: place.clients.name, cgroup: pod.path });
		await user.ask("socket a inet tcp");
		expect(await user.run(`connect a ${VIP}`)).toBe("ECONNREFUSED");
		expect(await reachedFrom(sibling)).toBe(LOCAL);
	});
});

test("the next agent's programs know who is guarded before they run", async () => {
	using pins = pinPath();
	using group = cgroup();
	using guarded = cgroup(group.path);
	const wanted = new Map([["test", [known(guarded)]]]);
	const open = () => openDatapath({ events: "off", eventsRate: 0, cgroup: group.path, pinPath: pins.path });
	{
		using first = open();
		first.guards.add(wanted);
		createWriter({ maps: first.maps, capacity: CAPACITY, firstGeneration: 1 }).write(planOf([redirect]), {
			synced: true,
		});
		expect(await reachedFrom(guarded)).toBe(NEXT);
	}
	using next = open();
	expect(await reachedFrom(guarded)).toBe(NEXT);
	expect(await reachedFrom(group)).toBe(LOCAL);
	const nobody = new Map([["test", []]]);
	expect(next.guards.prune(nobody, next.maps.dump("frontends"))).toEqual([]);
	expect(await reachedFrom(guarded)).toBe(LOCAL);
});
