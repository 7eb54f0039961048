// connect() of TCP sockets to a frontend, by real programs in the kernel.

import { beforeEach, describe, expect, test } from "bun:test";
import { outcomes } from "../support/client.ts";
import { FAMILIES } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab();

// Without frontends, so that each test's counters begin at zero.
beforeEach(() => bpf.program());

describe.each(FAMILIES)("connect() over $name", (family) => {
	const { domain, dial } = family;
	const vip = family.vip(1);
	const other = family.vip(2);
	const at = family.l4(vip, 80, "TCP");
	const backends = [1, 2, 3].map((n) => family.l4(family.backend(n), 8080, "TCP"));
	const single = { at, to: [family.l4(family.backend(1), 8080, "TCP")] };

	test("arrives at each backend of the frontend, and at no other", async () => {
		bpf.program(
			{ at, to: backends },
			{ at: family.l4(other, 80, "TCP"), to: [family.l4(family.backend(4), 8080, "TCP")] },
		);
		await using client = place.client();
		const found = outcomes(await client.ask(`storm tcp 300 ${dial(vip)} 80`));
		expect([...found.keys()].sort()).toEqual([1, 2, 3].map((n) => `0>${family.backend(n)}|8080`));
		// A fair choice of 300 leaves one of three below 60 once in 10^6 runs.
		for (const count of found.values()) expect(count).toBeGreaterThan(50);
		expect(bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
	});

	test("shows the server the client's own address", async () => {
		bpf.program(single);
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`);
		const answer = parseAnswer(await client.ask("recv a"));
		const [address, port] = (await client.ask("name a")).split(" ");
		expect(address).toBe(dial(family.client));
		expect(answer.client).toBe(`${family.client} ${port}`);
		expect(answer.server).toBe(`${family.backend(1)} 8080`);
	});

	test("shows getpeername() the address that the client used, before and after an exchange", async () => {
		bpf.program(single);
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`);
		expect(await client.ask("peer a")).toBe(`${dial(vip)} 80`);
		await client.each("recv a", "send a hello");
		expect(await client.ask("recv a")).toBe("hello");
		expect(await client.ask("peer a")).toBe(`${dial(vip)} 80`);
	});

	test("shows getpeername() that address when it does not block", async () => {
		bpf.program(single);
		await using client = place.client();
		await client.ask(`socket a ${domain} tcp`);
		expect(await client.run(`start a ${dial(vip)} 80`)).toBe("EINPROGRESS");
		await client.ask("finish a");
		expect(await client.ask("peer a")).toBe(`${dial(vip)} 80`);
		expect(parseAnswer(await client.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
	});

	test("shows getpeername() the backend where the frontend keeps no peer", async () => {
		bpf.program({ ...single, keepsPeer: false });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`);
		expect(parseAnswer(await client.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		expect(await client.ask("peer a")).toBe(`${dial(family.backend(1))} 8080`);
	});

	test("to a backend's own address stays as it is, also while others come through the frontend", async () => {
		bpf.program(single);
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`);
		await client.each(`socket b ${domain} tcp`, `connect b ${dial(family.backend(1))} 8080`);
		expect(await client.ask("peer b")).toBe(`${dial(family.backend(1))} 8080`);
		expect(parseAnswer(await client.ask("recv b")).server).toBe(`${family.backend(1)} 8080`);
		expect(bpf.frontend(at).resolved).toBe(1);
	});

	test("of a socket that was connected before shows where it is connected now", async () => {
		bpf.program(single, { at: family.l4(other, 80, "TCP"), to: [family.l4(family.backend(2), 8080, "TCP")] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${dial(vip)} 80`, "disconnect a");
		expect(await client.run("peer a")).toBe("ENOTCONN");
		await client.each(`connect a ${dial(family.backend(1))} 8080`);
		expect(await client.ask("peer a")).toBe(`${dial(family.backend(1))} 8080`);
		await client.each("disconnect a", `connect a ${dial(other)} 80`);
		expect(await client.ask("peer a")).toBe(`${dial(other)} 80`);
		expect(parseAnswer(await client.ask("recv a")).server).toBe(`${family.backend(2)} 8080`);
	});

	test("to a frontend without state forgets the peer that the socket had", async () => {
		bpf.program(single, { at: family.l4(other, 80, "TCP"), to: single.to, keepsPeer: false });
		await using client = place.client();
		await client.each(
			`socket a ${domain} tcp`,
			`connect a ${dial(vip)} 80`,
			"disconnect a",
			`connect a ${dial(other)} 80`,
		);
		expect(await client.ask("peer a")).toBe(`${dial(family.backend(1))} 8080`);
	});

	test("that failed leaves the socket free for another one", async () => {
		// Nobody listens on port 9.
		bpf.program(
			{ at, to: [family.l4(family.backend(1), 9, "TCP")] },
			{ at: family.l4(other, 80, "TCP"), to: backends },
		);
		await using client = place.client();
		await client.ask(`socket a ${domain} tcp`);
		expect(await client.run(`connect a ${dial(vip)} 80`)).toBe("ECONNREFUSED");
		expect(await client.run("peer a")).toBe("ENOTCONN");
		await client.ask(`connect a ${dial(other)} 80`);
		expect(await client.ask("peer a")).toBe(`${dial(other)} 80`);
		await client.each(`socket b ${domain} tcp`);
		expect(await client.run(`connect b ${dial(vip)} 80`)).toBe("ECONNREFUSED");
		await client.ask(`connect b ${dial(family.backend(1))} 8080`);
		expect(await client.ask("peer b")).toBe(`${dial(family.backend(1))} 8080`);
	});

	test("by TCP Fast Open's sendto() arrives, too", async () => {
		bpf.program(single);
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `fastopen a ${dial(vip)} 80 hello`);
		expect(parseAnswer(await client.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		expect(await client.ask("peer a")).toBe(`${dial(vip)} 80`);
	});

	test("leaves accept() and its getpeername() alone", async () => {
		// The client serves itself: the backend is a socket in the same cgroup.
		bpf.program({ at, to: [family.l4(family.client, 7000, "TCP")] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `listen a ${dial(family.client)} 7000`);
		await client.each(`socket b ${domain} tcp`, `connect b ${dial(vip)} 80`, "accept a c");
		expect(await client.ask("peer c")).toBe(await client.ask("name b"));
		expect(await client.ask("name c")).toBe(`${dial(family.client)} 7000`);
		expect(await client.ask("peer b")).toBe(`${dial(vip)} 80`);
	});

	test("of an MPTCP socket arrives (its getpeername() shows the backend)", async () => {
		bpf.program(single);
		await using client = place.client();
		const made = await client.run(`socket a ${domain} mptcp`);
		// ENOPROTOOPT, EPROTONOSUPPORT: a kernel without MPTCP.
		if (made !== "ok") return expect(made).toStartWith("E");
		await client.ask(`connect a ${dial(vip)} 80`);
		expect(parseAnswer(await client.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		// The first subflow is a socket of its own: what it keeps is not the MPTCP socket's.
		expect(await client.ask("peer a")).toBe(`${dial(family.backend(1))} 8080`);
	});
});
