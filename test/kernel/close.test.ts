// Sockets whose backend is gone are closed under their owners: exactly those that were translated to it.

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openSocketCloser, type SocketCloser } from "../../src/datapath/sockets.ts";
import { must } from "../support/command.ts";
import { datapath, type TestDatapath } from "../support/datapath.ts";
import { FAMILIES } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

const signal = new AbortController().signal;

let place: Lab;
let bpf: TestDatapath;
let closer: SocketCloser;

/** How many sockets of each protocol it closes now. */
async function close(): Promise<string> {
	const { closed, failure } = await closer.closeStale(signal);
	const { UDP, TCP } = closed;
	expect(failure).toBeUndefined();
	expect([UDP.failed, TCP.failed]).toEqual([0, 0]);
	return `udp ${UDP.closed}, tcp ${TCP.closed}`;
}

beforeAll(async () => {
	place = await lab();
	bpf = datapath(place.cgroup.path);
	closer = openSocketCloser({ pinPath: bpf.pinPath, epoch: 1 });
});

beforeEach(() => bpf.program());

afterAll(() => {
	closer[Symbol.dispose]();
	bpf[Symbol.dispose]();
	place[Symbol.dispose]();
});

describe.each(FAMILIES)("closeStale() over $name", (family) => {
	const { domain, dial } = family;
	const vip = family.vip(1);
	const [one, two] = [family.backend(1), family.backend(2)];
	const udp = (ip: string) => family.l4(ip, 5353, "UDP");
	const tcp = (ip: string) => family.l4(ip, 8080, "TCP");
	const at = { udp: family.l4(vip, 53, "UDP"), tcp: family.l4(vip, 80, "TCP") } as const;

	test("closes a connected UDP socket, which then connects to a backend that is there", async () => {
		bpf.program({ at: at.udp, to: [udp(one)] });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`, "send a x", "recv a");
		expect(await close()).toBe("udp 0, tcp 0");
		bpf.program({ at: at.udp, to: [udp(two)] });
		expect(await close()).toBe("udp 1, tcp 0");
		expect(await user.run("recv a")).toBe("ECONNABORTED");
		expect(await user.run("send a x")).toBe("EDESTADDRREQ");
		await user.each(`connect a ${dial(vip)} 53`, "send a x");
		expect(await user.ask("recv a")).toStartWith(`${two} 5353`);
		expect(await close()).toBe("udp 0, tcp 0");
		bpf.program({ at: at.udp, to: [udp(one)] });
		expect(await close()).toBe("udp 1, tcp 0");
	});

	test("closes it when the frontend is gone", async () => {
		bpf.program({ at: at.udp, to: [udp(one)] });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
		bpf.program();
		expect(await close()).toBe("udp 1, tcp 0");
		expect(await user.run("recv a")).toBe("ECONNABORTED");
	});

	test("leaves alone what is connected to the same backend otherwise", async () => {
		const other = family.l4(family.vip(2), 53, "UDP");
		bpf.program({ at: at.udp, to: [udp(one)] }, { at: other, to: [udp(one)] });
		await using user = place.client();
		await user.each(
			// Never translated.
			`socket a ${domain} udp`,
			`connect a ${dial(one)} 5353`,
			// Translated once, and connected directly since.
			`socket b ${domain} udp`,
			`connect b ${dial(vip)} 53`,
			`connect b ${dial(one)} 5353`,
			// By another frontend, which goes on to have it.
			`socket c ${domain} udp`,
			`connect c ${dial(family.vip(2))} 53`,
			// To another backend by now.
			`socket d ${domain} udp`,
			`connect d ${dial(vip)} 53`,
			`connect d ${dial(two)} 5353`,
			// Not connected any more.
			`socket e ${domain} udp`,
			`connect e ${dial(vip)} 53`,
			"disconnect e",
			// Not connected at all: it goes on to another backend by itself.
			`socket f ${domain} udp`,
			`sendto f ${dial(vip)} 53 x`,
			"recvfrom f",
		);
		bpf.program({ at: at.udp, to: [udp(two)] }, { at: other, to: [udp(one)] });
		expect(await close()).toBe("udp 0, tcp 0");
		for (const name of ["a", "b", "c", "d"]) await user.each(`send ${name} x`, `recv ${name}`);
		await user.ask(`sendto f ${dial(vip)} 53 x`);
		expect(await user.ask("recvfrom f")).toStartWith(`${dial(vip)} 53 ${two} 5353`);
	});

	test("leaves alone a socket whose connect() to that backend failed: it is connected where it was", async () => {
		// No route leads to this one.
		const lost = family.l4(family.vip(200), 5353, "UDP");
		const other = family.l4(family.vip(2), 53, "UDP");
		bpf.program({ at: at.udp, to: [lost] }, { at: other, to: [udp(two)] });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(two)} 5353`);
		expect(await user.run(`connect a ${dial(vip)} 53`)).toMatch(/^E(HOST|NET)UNREACH$/);
		await user.each(`socket b ${domain} udp`, `connect b ${dial(family.vip(2))} 53`);
		bpf.program();
		expect(await close()).toBe("udp 1, tcp 0");
		expect(await user.run("recv b")).toBe("ECONNABORTED");
		await user.each("send a x", "recv a");
	});

	test("knows a node port by the address that the client used", async () => {
		const shared = family.client.includes(":") ? "100::1" : "0.0.0.1";
		const nodePort = family.l4(shared, 30_053, "UDP");
		const node = family.vip(9);
		bpf.know({ [node]: `own ${shared}` });
		bpf.program({ at: nodePort, to: [udp(one)], mode: "ServiceNodeport" });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(node)} 30053`, "send a x", "recv a");
		bpf.program({ at: nodePort, to: [udp(one), udp(two)], mode: "ServiceNodeport" });
		expect(await close()).toBe("udp 0, tcp 0");
		bpf.program({ at: nodePort, to: [udp(two)], mode: "ServiceNodeport" });
		expect(await close()).toBe("udp 1, tcp 0");
		expect(await user.run("recv a")).toBe("ECONNABORTED");
		// No address leads to it any more.
		await user.each(`connect a ${dial(node)} 30053`, "send a x", "recv a");
		bpf.know({});
		expect(await close()).toBe("udp 1, tcp 0");
	});

	test("leaves alone what a frontend still has, active or terminating", async () => {
		bpf.program({ at: at.udp, to: [udp(one)] });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
		bpf.program({ at: at.udp, to: [udp(two)], terminating: [udp(one)] });
		expect(await close()).toBe("udp 0, tcp 0");
		await user.ask("send a x");
		expect(await user.ask("recv a")).toStartWith(`${one} 5353`);
		bpf.program({ at: at.udp, to: [udp(two)] });
		expect(await close()).toBe("udp 1, tcp 0");
	});

	test.each([
		["all", "udp 1, tcp 1"],
		[undefined, "udp 1, tcp 0"],
		["none", "udp 0, tcp 0"],
	] as const)("closes what close-on-remove %p says, of a Service that stays or goes", async (closeOnRemove, closed) => {
		const how = closeOnRemove === undefined ? {} : { closeOnRemove };
		const before = [
			{ at: at.udp, to: [udp(one)], ...how },
			{ at: at.tcp, to: [tcp(one)], keepsPeer: closeOnRemove !== "all", ...how },
		];
		const after = [
			{ at: at.udp, to: [udp(two)], ...how },
			{ at: at.tcp, to: [tcp(two)], ...how },
		];
		for (const next of [after, []]) {
			bpf.program(...before);
			await using user = place.client();
			await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
			await user.each(`socket b ${domain} tcp`, `connect b ${dial(vip)} 80`, "recv b");
			bpf.program(...next);
			expect(await close()).toBe(closed);
			expect((await user.run("send b x")).startsWith("ok")).toBe(closeOnRemove !== "all");
		}
	});

	test("goes by what the Service says now, not by what it said then", async () => {
		bpf.program({ at: at.udp, to: [udp(one)], closeOnRemove: "none" });
		await using user = place.client();
		await user.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
		bpf.program({ at: at.udp, to: [udp(two)], closeOnRemove: "none" });
		expect(await close()).toBe("udp 0, tcp 0");
		bpf.program({ at: at.udp, to: [udp(two)] });
		expect(await close()).toBe("udp 1, tcp 0");
	});

	test("closes TCP sockets, those that are still connecting, too, and their server learns of it", async () => {
		// An address of the client's own network, of which only the client believes that somebody has it.
		const silent = family.client.replace(/1$/, "9");
		place.clients.ip("neighbor", "replace", silent, "lladdr", "02:00:00:00:00:09", "dev", "wire");
		const connecting = family.l4(family.vip(2), 80, "TCP");
		bpf.program(
			{ at: at.tcp, to: [tcp(one)], closeOnRemove: "all" },
			{ at: connecting, to: [family.l4(silent, 8080, "TCP")], closeOnRemove: "all" },
		);
		await using user = place.client();
		await user.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`, "recv a", "send a hello", "recv a");
		// MPTCP, as far as its first subflow goes, which is all that there is here.
		await user.each(`socket c ${domain} mptcp`, `connect c ${dial(vip)} 80`, "recv c");
		await user.ask(`socket b ${domain} tcp`);
		expect(await user.run(`start b ${dial(family.vip(2))} 80`)).toBe("EINPROGRESS");
		const [, port] = (await user.ask("name a")).split(" ");
		const served = () =>
			must("ip", "netns", "exec", place.servers.name, "ss", "-Htn", "state", "established", `dport = :${port}`);
		expect(served()).not.toBe("");
		bpf.program({ at: at.tcp, to: [tcp(two)], closeOnRemove: "all" });
		expect(await close()).toBe("udp 0, tcp 3");
		expect(await user.run("recv a")).toBe("ECONNABORTED");
		expect(await user.run("finish b")).toBe("ECONNABORTED");
		expect(await user.run("send c x")).toBe("ECONNABORTED");
		expect(served()).toBe("");
		await user.each("close a", `socket a ${domain} tcp`, `connect a ${dial(vip)} 80`);
		expect(await user.ask("recv a")).toStartWith(`${two} 8080`);
		// Closed by its owner: what the kernel still does for it is nobody's to close.
		await user.ask("close a");
		bpf.program();
		expect(await close()).toBe("udp 0, tcp 0");
	});

	test("closes hundreds at once, more than it is told of at a time", async () => {
		bpf.program({ at: at.udp, to: [udp(one), udp(two)] });
		await using user = place.client();
		await using other = place.client();
		await user.ask(`gather udp 1500 ${dial(vip)} 53`);
		await other.ask(`gather udp 1500 ${dial(vip)} 53`);
		const concerned = bpf.backend(udp(one)).open;
		expect(concerned).toBeGreaterThan(1024);
		bpf.program({ at: at.udp, to: [udp(two)] });
		expect(await close()).toBe(`udp ${concerned}, tcp 0`);
		expect(Number(await user.ask("aborted")) + Number(await other.ask("aborted"))).toBe(concerned);
		expect(await close()).toBe("udp 0, tcp 0");
	});
});
