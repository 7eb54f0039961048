// Redirects: who takes one, who goes past it, and that nobody notices when one comes or goes.

import { beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { encodeFrontendKey, encodeId } from "../../src/datapath/codec.ts";
import type { Identity } from "../../src/datapath/guards.ts";
import { CLOSED } from "../../src/datapath/passage.ts";
import { cgroup, cgroupMount } from "../support/cgroup.ts";
import { type Client, client, outcomes } from "../support/client.ts";
import { datapath, l4, type Spec, type SpecRedirect } from "../support/datapath.ts";
import { FAMILIES, type Family, V4 } from "../support/family.ts";
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

describe("programs that may not ask much", () => {
	test.each([{ withoutSetRetval: true }, { withoutPid: true }])("redirect all the same: %p", async (settings) => {
		using group = cgroup();
		using old = datapath(group.path, settings);
		const at = V4.l4(V4.vip(1), 80, "TCP");
		const next = { to: [] };
		old.program({ at, to: [V4.l4(V4.backend(LOCAL), 8080, "TCP")], redirect: { next } });
		await using user = client({ netns: place.clients.name, cgroup: group.path });
		expect(await overTcp(user, V4, `${V4.vip(1)} 80`)).toBe(`${V4.backend(LOCAL)} 8080`);
		const level = group.path.slice(cgroupMount().length + 1).split("/").length;
		old.guards.add(new Map([["test", [{ kind: "cgroup", id: group.id, level }]]]));
		await user.each("close a", "socket a inet tcp");
		expect(await user.run(`connect a ${V4.vip(1)} 80`)).toBe("ECONNREFUSED");
	});
});

test("who goes its own way goes past a redirect as well, and takes nothing of its limit", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	bpf.program({ at, to: [V4.l4(V4.backend(LOCAL), 8080, "TCP")], redirect: { limit: 1 } });
	await using user = place.client();
	bpf.passage.set({ tgid: user.pid, until: 2n ** 62n, asking: undefined });
	const { met } = bpf.passage.trace();
	await user.ask("socket a inet tcp");
	expect(await user.run(`connect a ${V4.vip(1)} 80`)).toMatch(/^E(HOST|NET)UNREACH$/);
	expect(bpf.passage.trace()).toMatchObject({ met: met + 1n, key: encodeFrontendKey(l4(at)) });
	expect(bpf.map("redirect_windows").lookup(Buffer.from(encodeId(bpf.frontend(at).id), "latin1"))).toBeUndefined();
	bpf.passage.set(CLOSED);
	await user.ask("close a");
	expect(await overTcp(user, V4, `${V4.vip(1)} 80`)).toBe(`${V4.backend(LOCAL)} 8080`);
});

test("weights: a backend that stands there nine times gets nine of ten", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const [heavy, light] = [1, 2].map((n) => V4.l4(V4.backend(n), 8080, "TCP"));
	const nine = new Array<string>(9).fill(heavy ?? "");
	bpf.program({ at, to: [...nine, light ?? ""], keepsPeer: false });
	await using user = place.client();
	const seen = outcomes(await user.ask(`storm tcp 2000 ${V4.vip(1)} 80`));
	// Two hundred, with a deviation of thirteen: so far off once in many milliards.
	expect(seen.get(`0>${V4.backend(2)}|8080`)).toBeWithin(100, 300);
	expect(seen.get(`0>${V4.backend(1)}|8080`)).toBeWithin(1700, 1900);
	// A flow to one that stands there several times is found among the slots, whatever is before and behind it.
	for (const before of [0, 1, 3, 8]) {
		const udp = (n: number) => V4.l4(V4.backend(n), 5353, "UDP");
		const set = [...[3, 4, 5].slice(0, before).map(udp), ...new Array<string>(before).fill(udp(6)), udp(7)];
		const flow = V4.l4(V4.vip(2), 53, "UDP");
		bpf.program({ at: flow, to: set });
		await user.each("socket b inet udp", `connect b ${V4.vip(2)} 53`, "send b x");
		const first = parseAnswer(await user.ask("recv b")).server;
		bpf.program({ at: flow, to: [...set, udp(8), udp(8)] });
		await user.each(`connect b ${V4.vip(2)} 53`, "send b x");
		expect(parseAnswer(await user.ask("recv b")).server).toBe(first);
		await user.ask("close b");
	}
});
