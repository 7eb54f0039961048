// Ports that a Service does not have: its address is nobody else's, so they are refused, as kube-proxy does.

import { beforeEach, describe, expect, test } from "bun:test";
import { ringBuffer } from "bun-ffi-libbpf";
import { decodeEvent, type ResolutionEvent } from "../../src/datapath/events.ts";
import { datapath } from "../support/datapath.ts";
import { FAMILIES } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";

const { place, bpf } = await programLab({ events: "failures" });

beforeEach(() => {
	bpf.program();
	bpf.know({});
});

describe.each(FAMILIES)("a port that a cluster IP does not have, over $name", (family) => {
	const { domain, dial } = family;
	const vip = family.vip(1);
	const at = family.l4(vip, 80, "TCP");
	const web = { at, to: [family.l4(family.backend(1), 8080, "TCP")] };

	beforeEach(() => {
		bpf.program(web);
		bpf.know({ [vip]: "cluster-ip" });
	});

	test("refuses connect() and sendto(), and counts them", async () => {
		await using client = place.client();
		const before = bpf.unknownPortRefusals();
		await client.each(`socket a ${domain} tcp`, `socket b ${domain} udp`);
		expect(await client.run(`connect a ${dial(vip)} 81`)).toBe("ECONNREFUSED");
		// The port is there, for TCP.
		expect(await client.run(`connect b ${dial(vip)} 80`)).toBe("ECONNREFUSED");
		expect(await client.run(`sendto b ${dial(vip)} 80 x`)).toBe("ECONNREFUSED");
		expect(await client.run("peer a")).toBe("ENOTCONN");
		expect(bpf.unknownPortRefusals() - before).toBe(3);
		expect(bpf.frontend(at)).toMatchObject({ resolved: 0, refused: 0 });
		expect(bpf.faults()).toMatchObject({ slot: 0, storage: 0 });
		// The socket is as good as new.
		await client.ask(`connect a ${dial(vip)} 80`);
		expect(await client.ask("peer a")).toBe(`${dial(vip)} 80`);
	});

	test("is an event of its own", async () => {
		const heard: ResolutionEvent[] = [];
		using reader = ringBuffer(bpf.events, (record) => heard.push(decodeEvent(record) ?? expect.unreachable()));
		reader.drain();
		heard.length = 0;
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		await client.run(`sendto a ${dial(vip)} 53 x`);
		reader.drain();
		expect(heard).toHaveLength(1);
		expect(heard[0]).toMatchObject({
			result: "failure",
			reason: "UnknownPort",
			mode: "ServiceClusterIP",
			protocol: "UDP",
			original: { ip: vip, port: 53 },
			backend: undefined,
			frontendId: 0,
			pid: client.pid,
		});
	});

	test("goes the way of all others once the address is not known any more", async () => {
		await using client = place.client();
		bpf.know({});
		await client.each(`socket a ${domain} tcp`);
		expect(await client.run(`connect a ${dial(vip)} 81`)).toBe("EHOSTUNREACH");
	});

	test("takes the peer from a socket that had one", async () => {
		await using client = place.client();
		const udp = { at: family.l4(vip, 53, "UDP"), to: [family.l4(family.backend(1), 5353, "UDP")] };
		bpf.program(web, udp);
		await client.each(`socket a ${domain} udp`, `connect a ${dial(vip)} 53`);
		expect(bpf.backend(udp.to[0] ?? "").open).toBe(1);
		expect(await client.run(`connect a ${dial(vip)} 54`)).toBe("ECONNREFUSED");
		expect(bpf.backend(udp.to[0] ?? "").open).toBe(0);
	});

	test("lets the agent pass while it goes its own way, and nobody else", async () => {
		await using agent = place.client();
		await using other = place.client();
		bpf.passage.set({ tgid: agent.pid, until: 2n ** 63n - 1n, asking: undefined });
		const before = bpf.passage.trace().met;
		await agent.ask(`socket a ${domain} tcp`);
		expect(await agent.run(`connect a ${dial(vip)} 81`)).toBe("EHOSTUNREACH");
		expect(bpf.passage.trace().met - before).toBe(1n);
		await other.ask(`socket a ${domain} tcp`);
		expect(await other.run(`connect a ${dial(vip)} 81`)).toBe("ECONNREFUSED");
		bpf.passage.set({ tgid: agent.pid, until: 0n, asking: undefined });
		expect(await agent.run(`connect a ${dial(vip)} 81`)).toBe("ECONNREFUSED");
		bpf.passage.set({ tgid: 0, until: 0n, asking: undefined });
	});
});

describe.each(FAMILIES)("without bpf_set_retval (Linux before 5.18), over $name", (family) => {
	test("refuses connect() of TCP as ever, a datagram by EPERM", async () => {
		bpf.program();
		using old = datapath(place.cgroup.path, { withoutSetRetval: true });
		old.know({ [family.vip(1)]: "cluster-ip" });
		await using client = place.client();
		await client.each(`socket a ${family.domain} tcp`, `socket b ${family.domain} udp`);
		expect(await client.run(`connect a ${family.dial(family.vip(1))} 81`)).toBe("ECONNREFUSED");
		expect(await client.run(`sendto b ${family.dial(family.vip(1))} 81 x`)).toBe("EPERM");
	});
});
