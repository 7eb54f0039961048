// A backend whose address is a frontend itself, as a node port is to who reaches other nodes by theirs: connections are translated once.

import { describe, expect, test } from "bun:test";
import type { Client } from "../support/client.ts";
import { FAMILIES } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab();

describe.each(FAMILIES)("UDP over $name", (family) => {
	const { domain, dial } = family;
	const vip = `${dial(family.vip(1))} 53`;
	const first = `${dial(family.backend(1))} 5353`;
	const frontend = { at: family.l4(family.vip(1), 53, "UDP"), to: [family.l4(family.backend(1), 5353, "UDP")] };
	/** The backend of the first, with a backend of its own. */
	const chained = { at: family.l4(family.backend(1), 5353, "UDP"), to: [family.l4(family.backend(2), 5353, "UDP")] };
	const server = (n: number) => `${family.backend(n)} 5353`;

	async function converse(client: Client): Promise<string> {
		return parseAnswer(await client.each("send a x", "recv a")).server;
	}

	test("a connected socket sends to the backend, not to that one's own", async () => {
		bpf.program(frontend, chained);
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip}`);
		for (let turn = 0; turn < 3; turn += 1) expect(await converse(client)).toBe(server(1));
		expect(await client.ask("peer a")).toBe(vip);
	});

	test("sendto() from a connected socket goes by the frontend that it names", async () => {
		bpf.program(frontend, chained);
		const before = bpf.frontend(frontend.at).resolved;
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${dial(family.backend(3))} 5353`, `sendto a ${vip} x`);
		// Its answer is not heard: a connected socket hears its peer alone.
		expect(bpf.frontend(frontend.at).resolved).toBe(before + 1);
		expect(await converse(client)).toBe(server(3));
	});

	test("a socket connected before the address was a frontend goes on as it was", async () => {
		bpf.program();
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${first}`);
		expect(await converse(client)).toBe(server(1));
		bpf.program(chained);
		expect(await converse(client)).toBe(server(1));
		// Connected anew it is translated.
		await client.each("close a", `socket a ${domain} udp`, `connect a ${first}`);
		expect(await converse(client)).toBe(server(2));
		bpf.program();
		expect(await converse(client)).toBe(server(2));
	});

	test("an unconnected socket's datagrams are translated once, too", async () => {
		bpf.program(frontend, chained);
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `sendto a ${vip} x`);
		const [address, port, ...rest] = (await client.ask("recvfrom a")).split(" ");
		expect(`${address} ${port}`).toBe(vip);
		expect(parseAnswer(rest.join(" ")).server).toBe(server(1));
	});
});
