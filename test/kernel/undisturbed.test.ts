// What is none of our business goes on as if we were not there.

import { beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { attachCgroup, type Link, openObject, queryCgroup } from "bun-ffi-libbpf";
import { compiledPrograms } from "../support/compile.ts";
import { datapath } from "../support/datapath.ts";
import { FAMILIES, V4, V6 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";

const { place, bpf } = await programLab();

beforeEach(() => bpf.program());

// An address that is not translated is one that nobody has: EHOSTUNREACH.
describe.each(FAMILIES)("over $name", (family) => {
	const { domain, dial } = family;
	const vip = dial(family.vip(1));
	const tcp = { at: family.l4(family.vip(1), 80, "TCP"), to: [family.l4(family.backend(1), 8080, "TCP")] };
	const udp = { at: family.l4(family.vip(1), 53, "UDP"), to: [family.l4(family.backend(1), 5353, "UDP")] };

	test("another port, another protocol and another address of a Service pass", async () => {
		bpf.program(tcp, udp);
		await using client = place.client();
		for (const to of [`${vip} 81`, `${vip} 53`, `${dial(family.vip(2))} 80`]) {
			await client.ask(`socket a ${domain} tcp`);
			expect(await client.run(`connect a ${to}`)).toBe("EHOSTUNREACH");
			await client.ask("close a");
		}
		for (const to of [`${vip} 54`, `${vip} 80`, `${dial(family.vip(2))} 53`]) {
			await client.ask(`socket a ${domain} udp`);
			expect(await client.run(`sendto a ${to} x`)).toBe("EHOSTUNREACH");
			expect(await client.run(`connect a ${to}`)).toBe("EHOSTUNREACH");
			await client.ask("close a");
		}
		expect(bpf.frontend(tcp.at)).toMatchObject({ resolved: 0, refused: 0 });
	});

	test("processes outside of the cgroup are not translated", async () => {
		bpf.program(tcp, udp);
		await using outsider = place.outsider();
		await outsider.each(`socket a ${domain} tcp`, `socket b ${domain} udp`);
		expect(await outsider.run(`connect a ${vip} 80`)).toBe("EHOSTUNREACH");
		expect(await outsider.run(`connect b ${vip} 53`)).toBe("EHOSTUNREACH");
		expect(await outsider.run(`sendto b ${vip} 53 x`)).toBe("EHOSTUNREACH");
		expect(bpf.frontend(tcp.at).resolved + bpf.frontend(udp.at).resolved).toBe(0);
	});

	test("UDP-Lite to the address of a UDP frontend passes", async () => {
		bpf.program(udp);
		await using client = place.client();
		const made = await client.run(`socket a ${domain} udplite`);
		// A kernel without UDP-Lite.
		if (made !== "ok") return expect(made).toStartWith("E");
		expect(await client.run(`sendto a ${vip} 53 x`)).toBe("EHOSTUNREACH");
		expect(await client.run(`connect a ${vip} 53`)).toBe("EHOSTUNREACH");
		expect(bpf.frontend(udp.at).resolved).toBe(0);
	});

	test("SCTP to the address of a TCP frontend passes", async () => {
		bpf.program(tcp);
		await using client = place.client();
		const made = await client.run(`socket a ${domain} sctp`);
		// A kernel without SCTP.
		if (made !== "ok") return expect(made).toStartWith("E");
		expect(await client.run(`connect a ${vip} 80`)).not.toBe("ok");
		expect(bpf.frontend(tcp.at).resolved).toBe(0);
	});
});

describe.each([V4, V6])("ICMP over $name", ({ domain, l4, vip, backend }) => {
	test.each(["ping", "raw"])("by a %s socket goes where it was sent", async (kind) => {
		bpf.program(
			{ at: l4(vip(1), 80, "TCP"), to: [l4(backend(1), 8080, "TCP")] },
			{ at: l4(vip(1), 80, "UDP"), to: [l4(backend(1), 8080, "UDP")] },
		);
		await using client = place.client();
		await client.ask(`socket a ${domain} ${kind}`);
		expect(await client.run(`ping a ${vip(1)}`)).toBe("EHOSTUNREACH");
		expect(await client.run(`connect a ${vip(1)} 80`)).toBe("EHOSTUNREACH");
		expect(await client.ask(`ping a ${backend(1)}`)).toBe(`${backend(1)} 0`);
		await client.ask(`connect a ${backend(1)} 80`);
		expect(await client.ask("peer a")).toStartWith(`${backend(1)} `);
		expect(bpf.frontend(l4(vip(1), 80, "TCP")).resolved).toBe(0);
		expect(bpf.frontend(l4(vip(1), 80, "UDP")).resolved).toBe(0);
	});
});

test.each(["unix", "netlink", "packet"])("sockets of family %s work", async (kind) => {
	await using client = place.client();
	expect(await client.run(`exchange ${kind}`)).toBe("ok");
});

describe("another program on the same cgroup", () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const connect = `connect a ${V4.vip(1)} 80`;

	/** Somebody else's program, and how often it has run. */
	function foreign(): { attach(): Link; calls(): number; readonly name: string } & Disposable {
		const name = "foreign_connect";
		const object = openObject(readFileSync(compiledPrograms("test/support/foreign.bpf.c")), { name: "foreign" });
		object.load();
		const program = object.programs.get(name);
		const calls = object.maps.get("calls")?.open();
		if (program === undefined || calls === undefined) throw new Error(`Cannot find ${name} in foreign.bpf.c`);
		return {
			name,
			attach: () => attachCgroup(program.fd, place.cgroup.path, "cgroup_inet4_connect"),
			calls: () => Number(new BigUint64Array((calls.lookup(new Uint8Array(4)) ?? new Uint8Array(8)).buffer)[0]),
			[Symbol.dispose]() {
				calls.close();
				object.close();
			},
		};
	}

	function attached(): readonly (string | undefined)[] {
		return queryCgroup(place.cgroup.path, "cgroup_inet4_connect").map(({ name }) => name);
	}

	test.each(["before", "after"])("that was attached %s ours runs, and stays when ours come and go", async (when) => {
		using theirs = foreign();
		await using client = place.client();
		using stack = new DisposableStack();
		if (when === "before") stack.use(theirs.attach());
		const ours = stack.use(datapath(place.cgroup.path));
		ours.program({ at, to: [V4.l4(V4.backend(1), 8080, "TCP")] });
		if (when === "after") stack.use(theirs.attach());
		await client.each("socket a inet tcp", connect, "recv a", "close a");
		expect(theirs.calls()).toBe(1);
		expect(ours.frontend(at).resolved).toBe(1);
		// An agent that comes back replaces its own programs only.
		ours.reattach();
		await client.each("socket a inet tcp", connect, "recv a", "close a");
		expect(theirs.calls()).toBe(2);
		ours[Symbol.dispose]();
		expect(attached()).toContain(theirs.name);
		await client.ask("socket a inet tcp");
		expect(await client.run(connect)).toBe("EHOSTUNREACH");
		expect(theirs.calls()).toBe(3);
	});
});
