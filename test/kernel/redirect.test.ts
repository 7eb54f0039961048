// Redirects: who takes one, who goes past it, and that nobody notices when one comes or goes.

import { beforeEach, describe, expect, test } from "bun:test";
import type { Identity } from "../../src/datapath/guards.ts";
import { type Client, client } from "../support/client.ts";
import type { Spec, SpecRedirect } from "../support/datapath.ts";
import { FAMILIES, type Family } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab();

/** The only guards there are from now on. */
function guard(...identities: readonly Identity[]): void {
	const wanted = new Map([["test", identities]]);
	expect(bpf.guards.add(wanted)).toEqual([]);
	expect(bpf.guards.prune(wanted, bpf.maps.dump("frontends"))).toEqual([]);
}

beforeEach(() => {
	bpf.know({});
	bpf.program();
	guard();
});

/** The backend of the redirect, and that of who is next. */
const [LOCAL, NEXT] = [1, 2];

interface Kind {
	readonly name: string;
	readonly protocol: "TCP" | "UDP";
	readonly ports: readonly [frontend: number, backend: number];
	/** Opens the socket `a` and comes to the address; answers who was reached. */
	readonly reach: (user: Client, family: Family, address: string) => Promise<string>;
}

async function overTcp(user: Client, { domain }: Family, address: string): Promise<string> {
	await user.each(`socket a ${domain} tcp`, `connect a ${address}`);
	return parseAnswer(await user.ask("recv a")).server;
}

async function overConnectedUdp(user: Client, { domain }: Family, address: string): Promise<string> {
	await user.each(`socket a ${domain} udp`, `connect a ${address}`, "send a x");
	return parseAnswer(await user.ask("recv a")).server;
}

async function overUdp(user: Client, { domain }: Family, address: string): Promise<string> {
	await user.ask(`socket a ${domain} udp`);
	return sendAndReceive(user, address);
}

/** The answer comes from the address that was asked. */
async function sendAndReceive(user: Client, address: string): Promise<string> {
	await user.ask(`sendto a ${address} x`);
	const answer = await user.ask("recvfrom a");
	expect(answer).toStartWith(`${address} `);
	return parseAnswer(answer.slice(address.length + 1)).server;
}

const KINDS: readonly Kind[] = [
	{ name: "TCP connect()", protocol: "TCP", ports: [80, 8080], reach: overTcp },
	{ name: "UDP connect()", protocol: "UDP", ports: [53, 5353], reach: overConnectedUdp },
	{ name: "UDP sendto()", protocol: "UDP", ports: [53, 5353], reach: overUdp },
];

const CASES = FAMILIES.flatMap((family) =>
	KINDS.map((kind) => ({ name: `${kind.name} over ${family.name}`, family, kind })),
);

describe.each(CASES)("$name", ({ family, kind }) => {
	const [port, behind] = kind.ports;
	const at = family.l4(family.vip(1), port, kind.protocol);
	const address = `${family.dial(family.vip(1))} ${port}`;
	const server = (n: number) => `${family.backend(n)} ${behind}`;
	const to = (n: number) => [family.l4(family.backend(n), behind, kind.protocol)];
	const next = { to: to(NEXT) };
	const redirect = (how: SpecRedirect = { next }): Spec => ({ at, to: to(LOCAL), redirect: how });
	const reach = async (user: Client) => {
		const reached = await kind.reach(user, family, address);
		if (kind.name.includes("connect")) expect(await user.ask("peer a")).toBe(address);
		return reached;
	};
	const reachOnce = async () => {
		await using user = place.client();
		const reached = await reach(user);
		return reached;
	};

	test("goes to the redirect, not to who is next, and shows the address that was asked", async () => {
		bpf.program(redirect());
		for (let n = 0; n < 5; n++) expect(await reachOnce()).toBe(server(LOCAL));
		expect([bpf.frontend(at).resolved, bpf.frontend(at, 1).resolved]).toEqual([5, 0]);
	});

	test("of the redirect's own backend goes on to who is next", async () => {
		await using user = place.client();
		await user.ask(`socket a ${family.domain} udp`);
		guard({ kind: "netns", cookie: BigInt(await user.ask("cookie a")) });
		bpf.program(redirect());
		for (let n = 0; n < 3; n++) {
			await user.ask("close a");
			expect(await reach(user)).toBe(server(NEXT));
		}
		expect([bpf.frontend(at).resolved, bpf.frontend(at, 1).resolved]).toEqual([0, 3]);
		guard();
		await user.ask("close a");
		expect(await reach(user)).toBe(server(LOCAL));
	});

	test("of the redirect's own backend goes out as it is where nobody is next", async () => {
		await using user = place.client();
		await user.ask(`socket a ${family.domain} udp`);
		guard({ kind: "netns", cookie: BigInt(await user.ask("cookie a")) });
		const own = family.l4(family.backend(9), behind, kind.protocol);
		bpf.program({ at: own, to: to(LOCAL), redirect: {} });
		await user.ask("close a");
		const direct = `${family.dial(family.backend(9))} ${behind}`;
		expect(await kind.reach(user, family, direct)).toBe(server(9));
		await using other = client({ netns: place.servers.name, cgroup: place.cgroup.path });
		expect(await kind.reach(other, family, direct)).toBe(server(LOCAL));
	});
});
