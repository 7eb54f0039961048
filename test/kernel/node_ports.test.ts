// Node ports, by any address of a node: their frontends stand once, at an address that all nodes of a hub share.

import { beforeEach, describe, expect, test } from "bun:test";
import { ringBuffer } from "bun-ffi-libbpf";
import { decodeEvent, type ResolutionEvent } from "../../src/datapath/events.ts";
import { client } from "../support/client.ts";
import { FAMILIES, type Family, V4, V6 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab({ events: "all" });

beforeEach(() => {
	bpf.know({});
	bpf.program();
});

/** Where the node ports of the first hub stand, and of another one. */
function shared(family: Family, hub = 1): string {
	return family === V6 ? `100::${hub}` : `0.0.0.${hub}`;
}

/** Answers itself on the node port 8081, if it is not translated: it is a server's address. */
const REMOTE = { v4: "10.202.0.100", v6: "fd00:202::64" };
/** Nobody's: only what is translated arrives. */
const OWN = { v4: "10.96.0.200", v6: "fd00:96::c8" };

describe.each(FAMILIES)("a node port over $name", (family) => {
	const { domain, dial } = family;
	const version = family === V6 ? "v6" : "v4";
	const [remote, own] = [REMOTE[version], OWN[version]];
	const ports = shared(family);
	const tcp = { at: family.l4(ports, 8081, "TCP"), to: [family.l4(family.backend(1), 8080, "TCP")] };
	const udp = { at: family.l4(ports, 8081, "UDP"), to: [family.l4(family.backend(1), 5353, "UDP")] };
	const nodes = { [own]: `own ${ports}`, [remote]: `remote ${ports}` };

	beforeEach(() => bpf.know(nodes));

	test.each([
		["of this node", own],
		["of another node", remote],
	])("connects at an address %s, which getpeername() shows", async (_, node) => {
		bpf.program(tcp);
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(node)} 8081`);
		expect(parseAnswer(await inside.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		expect(await inside.ask("peer a")).toBe(`${dial(node)} 8081`);
		expect(bpf.frontend(tcp.at)).toMatchObject({ resolved: 1 });
	});

	test.each([
		["of this node", own],
		["of another node", remote],
	])("takes datagrams at an address %s, which their answers come from", async (_, node) => {
		bpf.program(udp);
		await using inside = place.client();
		await inside.each(`socket a ${domain} udp`, `sendto a ${dial(node)} 8081 x`);
		expect(await inside.ask("recvfrom a")).toStartWith(`${dial(node)} 8081 ${family.backend(1)} 5353 `);
		await inside.each(`socket b ${domain} udp`, `connect b ${dial(node)} 8081`, "send b x");
		expect(await inside.ask("recvfrom b")).toStartWith(`${dial(node)} 8081 ${family.backend(1)} 5353 `);
		expect(await inside.ask("peer b")).toBe(`${dial(node)} 8081`);
	});

	test("keeps a socket's backend over new sets, for each address by itself", async () => {
		const to = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => family.l4(family.backend(n), 5353, "UDP"));
		bpf.program({ at: udp.at, to });
		await using inside = place.client();
		await inside.ask(`socket a ${domain} udp`);
		const ask = async (node: string) => {
			await inside.ask(`sendto a ${dial(node)} 8081 x`);
			const [address, port, backend = ""] = (await inside.ask("recvfrom a")).split(" ");
			expect(`${address} ${port}`).toBe(`${dial(node)} 8081`);
			return backend;
		};
		const first = [await ask(own), await ask(remote)];
		bpf.program({ at: udp.at, to: to.slice(0, 4), terminating: to.slice(4) });
		for (let n = 0; n < 10; n++) expect([await ask(own), await ask(remote)]).toEqual(first);
		const gone = to.filter((each) => each !== family.l4(first[0] ?? "", 5353, "UDP"));
		bpf.program({ at: udp.at, to: gone });
		expect(await ask(own)).not.toBe(first[0]);
	});

	test("with traffic policy Local is translated at this node's addresses only", async () => {
		bpf.program({ ...tcp, ownNodeOnly: true }, { ...udp, ownNodeOnly: true });
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(own)} 8081`);
		expect(parseAnswer(await inside.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		await inside.each(`socket b ${domain} tcp`, `connect b ${dial(remote)} 8081`);
		expect(parseAnswer(await inside.ask("recv b")).server).toBe(`${remote} 8081`);
		expect(await inside.ask("peer b")).toBe(`${dial(remote)} 8081`);
		await inside.each(`socket c ${domain} udp`, `sendto c ${dial(remote)} 8081 x`);
		expect(await inside.ask("recvfrom c")).toStartWith(`${dial(remote)} 8081 ${remote} 8081 `);
	});

	test("leaves a node's other ports alone, and all of an address that is no node's any more", async () => {
		bpf.program(tcp);
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(remote)} 8080`);
		expect(parseAnswer(await inside.ask("recv a")).server).toBe(`${remote} 8080`);
		bpf.know({ [own]: `own ${ports}` });
		await inside.each(`socket b ${domain} tcp`, `connect b ${dial(remote)} 8081`);
		expect(parseAnswer(await inside.ask("recv b")).server).toBe(`${remote} 8081`);
	});

	test("without backends is refused", async () => {
		bpf.program({ ...tcp, to: [] }, { ...udp, to: [] });
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `socket b ${domain} udp`);
		expect(await inside.run(`connect a ${dial(remote)} 8081`)).toBe("ECONNREFUSED");
		expect(await inside.run(`sendto b ${dial(remote)} 8081 x`)).toBe("ECONNREFUSED");
		expect(bpf.frontend(tcp.at)).toMatchObject({ resolved: 0, refused: 1 });
	});

	test("belongs to the hub that the node belongs to", async () => {
		const other = { at: family.l4(shared(family, 2), 8081, "TCP"), to: [family.l4(family.backend(2), 8080, "TCP")] };
		bpf.program(tcp, other);
		bpf.know({ [own]: `own ${ports}`, [remote]: `remote ${shared(family, 2)}` });
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(own)} 8081`);
		await inside.each(`socket b ${domain} tcp`, `connect b ${dial(remote)} 8081`);
		expect(parseAnswer(await inside.ask("recv a")).server).toBe(`${family.backend(1)} 8080`);
		expect(parseAnswer(await inside.ask("recv b")).server).toBe(`${family.backend(2)} 8080`);
	});

	test("gives way to a frontend of the very address", async () => {
		bpf.program(tcp, { at: family.l4(own, 8081, "TCP"), to: [family.l4(family.backend(2), 8080, "TCP")] });
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(own)} 8081`);
		expect(parseAnswer(await inside.ask("recv a")).server).toBe(`${family.backend(2)} 8080`);
	});

	test("is reported with the address that the client used", async () => {
		bpf.program({ ...tcp, mode: "ServiceNodeport" });
		const heard: ResolutionEvent[] = [];
		using reader = ringBuffer(bpf.events, (record) => heard.push(decodeEvent(record) ?? expect.unreachable()));
		reader.drain();
		heard.length = 0;
		await using inside = place.client();
		await inside.each(`socket a ${domain} tcp`, `connect a ${dial(remote)} 8081`);
		reader.drain();
		expect(heard).toHaveLength(1);
		expect(heard[0]).toMatchObject({
			result: "success",
			mode: "ServiceNodeport",
			original: { ip: remote, port: 8081 },
			backend: { ip: family.backend(1), port: 8080 },
			frontendId: bpf.frontend(tcp.at).id,
		});
	});
});

describe.each([
	{ ...V4, loopback: "127.0.0.1", any: "0.0.0.0" },
	{ ...V6, loopback: "::1", any: "::" },
])("the loopback over $name", (family) => {
	const { domain, dial, loopback, any } = family;
	const ports = loopback === "::1" ? "100::1" : "0.0.0.1";

	/** Something that listens here, outside of every network namespace of the tests. */
	function listener(): { readonly port: number } & Disposable {
		const socket = { open: (connection: Bun.Socket) => void connection.end(), data() {} };
		const server = Bun.listen({ hostname: loopback, port: 0, socket });
		return { port: server.port, [Symbol.dispose]: () => server.stop(true) };
	}

	test.each([loopback, any])(
		"leads from the host's network to node ports, for the agent's own namespace: %s",
		async (to) => {
			using backend = listener();
			bpf.know({ [to]: `host ${ports}` });
			bpf.program({
				at: family.l4(ports, 8081, "TCP"),
				to: [family.l4(loopback, backend.port, "TCP")],
				ownNodeOnly: true,
			});
			await using host = client({ netns: "-", cgroup: place.cgroup.path });
			await host.each(`socket a ${domain} tcp`, `connect a ${dial(to)} 8081`);
			expect(await host.ask("peer a")).toBe(`${dial(to)} 8081`);
			expect(bpf.frontend(family.l4(ports, 8081, "TCP"))).toMatchObject({ resolved: 1 });
			// Another namespace's loopback is its own.
			await using pod = place.client();
			await pod.ask(`socket a ${domain} tcp`);
			expect(await pod.run(`connect a ${dial(to)} 8081`)).toBe("ECONNREFUSED");
			expect(bpf.frontend(family.l4(ports, 8081, "TCP"))).toMatchObject({ resolved: 1, refused: 0 });
		},
	);
});
