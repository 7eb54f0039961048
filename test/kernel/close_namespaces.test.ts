// Where sockets are found that are to be closed, and what is said where they cannot be.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { createNamespaces } from "../../src/datapath/namespaces.ts";
import { openSocketCloser, type SocketCloser, whyNotClosing } from "../../src/datapath/sockets.ts";
import { client } from "../support/client.ts";
import { FAMILIES } from "../support/family.ts";
import { netns, wire } from "../support/netns.ts";
import { programLab } from "../support/program_lab.ts";

const NONE = { closed: 0, failed: 0 };
const signal = new AbortController().signal;

const { place, bpf } = await programLab();
let closer: SocketCloser;
let epoch = 0;

function openCloser(options: { readonly withoutIterators?: boolean } = {}): SocketCloser {
	epoch += 1;
	return openSocketCloser({ pinPath: bpf.pinPath, epoch, ...options });
}

/** How many sockets of each protocol it closes now. */
async function close(by: SocketCloser = closer): Promise<string> {
	const { closed, failure } = await by.closeStale(signal);
	const { UDP, TCP } = closed;
	expect(failure).toBeUndefined();
	expect([UDP.failed, TCP.failed]).toEqual([0, 0]);
	return `udp ${UDP.closed}, tcp ${TCP.closed}`;
}

beforeAll(() => {
	closer = openCloser();
});

beforeEach(() => bpf.program());

afterAll(() => closer[Symbol.dispose]());

test("this kernel has the means, and we see all network namespaces", () => {
	expect(closer.limit).toBeUndefined();
});

describe.each(FAMILIES)("closeStale() over $name", (family) => {
	const { domain, dial } = family;
	const vip = family.vip(1);
	const [one, two] = [family.backend(1), family.backend(2)];
	const udp = (ip: string) => family.l4(ip, 5353, "UDP");
	const at = { udp: family.l4(vip, 53, "UDP") } as const;

	test("finds sockets in every network namespace, and of processes that hold them by a child only", async () => {
		using pod = netns();
		const [mine, peer] = family.client.includes(":") ? ["fd00:203::1", "fd00:203::2"] : ["10.203.0.1", "10.203.0.2"];
		const length = family.client.includes(":") ? 64 : 24;
		const version = family.client.includes(":") ? "-6" : "-4";
		wire(
			// A name of its own: the end of the former pod goes some time after its namespace.
			`pod-${family.name}`,
			{ net: pod, addresses: [`${mine}/${length}`] },
			{ net: place.servers, addresses: [`${peer}/${length}`] },
		);
		pod.ip(version, "route", "add", "default", "via", peer);
		bpf.program({ at: at.udp, to: [udp(one)] });
		await using inside = client({ netns: pod.name, cgroup: place.cgroup.path });
		await using user = place.client();
		for (const each of [inside, user])
			await each.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`, "send a x", "recv a");
		const child = await user.ask("fork");
		await user.ask("close a");
		bpf.program({ at: at.udp, to: [udp(two)] });
		expect(await close()).toBe("udp 2, tcp 0");
		expect(await inside.run("recv a")).toBe("ECONNABORTED");
		await user.ask(`end ${child}`);
	});

	test("passes over namespaces that vanish with their sockets while it looks", async () => {
		bpf.program({ at: at.udp, to: [udp(one)] });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
		bpf.program({ at: at.udp, to: [udp(two)] });
		epoch += 1;
		using fast = openSocketCloser({
			pinPath: bpf.pinPath,
			epoch,
			namespaces: {
				*list() {
					const gone = netns();
					const { name } = gone;
					gone[Symbol.dispose]();
					yield `/run/netns/${name}`;
					yield `/run/netns/${place.clients.name}`;
				},
				limit: () => undefined,
			},
		});
		expect(await close(fast)).toBe("udp 1, tcp 0");
	});
});

test("a socket that could not be found is told of once to each agent", async () => {
	bpf.program({ at: "10.96.0.1:53/UDP", to: ["10.202.0.1:5353/UDP"] });
	await using user = place.client();
	await user.each("socket a inet udp", "connect a 10.96.0.1 53");
	bpf.program();
	epoch += 1;
	using blind = openSocketCloser({
		pinPath: bpf.pinPath,
		epoch,
		namespaces: { list: () => ["/proc/self/ns/net", "/proc/0/ns/net", "/dev/null"], limit: () => "blind" },
	});
	expect(blind.limit).toBe("blind");
	expect(await close(blind)).toBe("udp 0, tcp 0");
	expect(await close(blind)).toBe("udp 0, tcp 0");
	using next = openCloser();
	expect(await close(next)).toBe("udp 1, tcp 0");
});

test("what could not be looked for is looked for again, some times", async () => {
	const paths = { now: ["/dev/null/x"] };
	epoch += 1;
	using patient = openSocketCloser({
		pinPath: bpf.pinPath,
		epoch,
		namespaces: { list: () => paths.now, limit: () => undefined },
	});
	const fail = async () => {
		const { closed, failure } = await patient.closeStale(signal);
		expect(failure?.message).toBe("Cannot ask for the sockets of /dev/null/x: ENOTDIR");
		return closed.UDP;
	};
	await using user = place.client();
	for (const [tries, closed] of [
		[1, "udp 1, tcp 0"],
		[5, "udp 0, tcp 0"],
	] as const) {
		bpf.program({ at: "10.96.0.1:53/UDP", to: ["10.202.0.1:5353/UDP"] });
		await user.each("socket a inet udp", "connect a 10.96.0.1 53");
		bpf.program();
		paths.now = ["/dev/null/x"];
		for (let n = 1; n < 5 && n <= tries; n++) expect(await fail()).toEqual(NONE);
		if (tries === 5) expect(await fail()).toEqual({ closed: 0, failed: 1 });
		paths.now = [`/run/netns/${place.clients.name}`];
		expect(await close(patient)).toBe(closed);
		await user.ask("close a");
	}
});

test("whyNotClosing() needs no agent, and leaves nothing open", () => {
	const calls = 20;
	const before = readdirSync("/proc/self/fd").length;
	for (let n = 0; n < calls; n++) expect(whyNotClosing()).toBeUndefined();
	// The runtime closes what belonged to ended children whenever it comes to it.
	expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + calls);
});

test("a kernel without the means says so, and does no harm", async () => {
	bpf.program({ at: "10.96.0.1:53/UDP", to: ["10.202.0.1:5353/UDP"] });
	await using user = place.client();
	await user.each("socket a inet udp", "connect a 10.96.0.1 53");
	bpf.program();
	using without = openCloser({ withoutIterators: true });
	expect(without.limit).toBe("this kernel has no iterators over sockets (needs Linux 5.12)");
	expect(await without.closeStale(signal)).toEqual({ closed: { UDP: NONE, TCP: NONE }, failure: undefined });
	await user.each("send a x", "recv a");
});

test("createNamespaces() finds each namespace once, the own one first", () => {
	using pod = netns();
	const paths = [...createNamespaces().list()];
	expect(paths[0]).toBe("/proc/self/ns/net");
	expect(
		paths.filter((path) => path === `/run/netns/${pod.name}` || path === `/var/run/netns/${pod.name}`),
	).toHaveLength(1);
});
