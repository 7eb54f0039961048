// Frontends without backends: refused at once, as Kubernetes wants it (e2e: "should be rejected when no endpoints exist").

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { datapath, type TestDatapath } from "../support/datapath.ts";
import { FAMILIES, MAPPED } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

let place: Lab;

beforeAll(async () => {
	place = await lab();
});

afterAll(() => place[Symbol.dispose]());

describe.each(FAMILIES)("a frontend without backends over $name", (family) => {
	const { domain, dial } = family;
	const tcp = family.l4(family.vip(1), 80, "TCP");
	const udp = family.l4(family.vip(1), 80, "UDP");
	const vip = `${dial(family.vip(1))} 80`;
	const backend = family.l4(family.backend(1), 8080, "TCP");
	const datagrams = family.l4(family.backend(1), 8080, "UDP");
	let bpf: TestDatapath;

	beforeAll(() => {
		bpf = datapath(place.cgroup.path);
	});

	beforeEach(() => {
		bpf.program();
		bpf.program({ at: tcp, to: [] }, { at: udp, to: [] });
	});

	afterAll(() => bpf[Symbol.dispose]());

	test("refuses connect() of TCP, whether it blocks or not, and counts it", async () => {
		await using client = place.client();
		await client.ask(`socket a ${domain} tcp`);
		expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
		expect(await client.run(`start a ${vip}`)).toBe("ECONNREFUSED");
		expect(await client.run("peer a")).toBe("ENOTCONN");
		expect(bpf.frontend(tcp)).toMatchObject({ resolved: 0, refused: 2 });
	});

	test("refuses connect() of UDP, and counts it", async () => {
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
		expect(await client.run("peer a")).toBe("ENOTCONN");
		expect(bpf.frontend(udp)).toMatchObject({ resolved: 0, refused: 1 });
	});

	test("refuses sendto() and sendmmsg(), and counts them", async () => {
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		expect(await client.run(`sendto a ${vip} x`)).toBe("ECONNREFUSED");
		expect(await client.run(`sendmmsg a x ${vip} ${vip}`)).toBe("ECONNREFUSED");
		expect(bpf.frontend(udp)).toMatchObject({ resolved: 0, refused: 2 });
	});

	test("is not in the way of the socket that was refused", async () => {
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `socket b ${domain} udp`);
		expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
		expect(await client.run(`connect b ${vip}`)).toBe("ECONNREFUSED");
		bpf.program({ at: tcp, to: [backend] }, { at: udp, to: [datagrams] });
		await client.each(`connect a ${vip}`, `connect b ${vip}`);
		expect(await client.ask("peer a")).toBe(vip);
		expect(await client.ask("peer b")).toBe(vip);
		expect(await client.ask("recv a")).toStartWith(`${family.backend(1)} 8080 `);
	});

	test("takes the peer from a socket that had one", async () => {
		await using client = place.client();
		bpf.program({ at: tcp, to: [backend] }, { at: udp, to: [datagrams] });
		await client.each(`socket a ${domain} tcp`, `connect a ${vip}`, "disconnect a");
		await client.each(`socket b ${domain} udp`, `connect b ${vip}`);
		expect(bpf.backend(datagrams).open).toBe(1);
		bpf.program({ at: tcp, to: [], terminating: [backend] }, { at: udp, to: [], terminating: [] });
		expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
		expect(await client.run(`connect b ${vip}`)).toBe("ECONNREFUSED");
		expect(bpf.backend(backend).open).toBe(0);
	});

	test("gives TCP connections no terminating backend", async () => {
		await using client = place.client();
		bpf.program({ at: tcp, to: [], terminating: [backend] });
		await client.ask(`socket a ${domain} tcp`);
		expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
	});

	describe("without bpf_set_retval (Linux before 5.18)", () => {
		// Attached after the other one, which has no frontends then.
		function old(): TestDatapath {
			bpf.program();
			const before = datapath(place.cgroup.path, { withoutSetRetval: true });
			before.program({ at: tcp, to: [] }, { at: udp, to: [] });
			return before;
		}

		test("still refuses connect() of TCP", async () => {
			using _before = old();
			await using client = place.client();
			await client.each(`socket a ${domain} tcp`, `socket b ${domain} tcp`);
			expect(await client.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
			const started = await client.run(`start b ${vip}`);
			// The loopback may refuse before connect() returns.
			if (started !== "ECONNREFUSED") {
				expect(started).toBe("EINPROGRESS");
				expect(await client.run("finish b")).toBe("ECONNREFUSED");
			}
		});

		test("refuses UDP: sendto() by EPERM, a connection at its first datagram", async () => {
			using _before = old();
			await using client = place.client();
			await client.each(`socket a ${domain} udp`, `socket b ${domain} udp`);
			expect(await client.run(`sendto a ${vip} x`)).toBe("EPERM");
			// As to any port where nobody listens: connect() says nothing yet.
			await client.ask(`connect b ${vip}`);
			// Port 0 is not an address to send to for what the kernel does with a v4-mapped peer.
			if (family === MAPPED) return expect(await client.run("send b x")).toBe("EINVAL");
			await client.ask("send b x");
			expect(await client.run("recv b")).toBe("ECONNREFUSED");
		});
	});
});
