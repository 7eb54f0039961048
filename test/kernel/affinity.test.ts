// Session affinity: a client goes on to the backend that it has had, in whatever socket it comes.

import { beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { AFFINITIES, CAPACITY } from "../../src/datapath/capacity.ts";
import { openDatapath } from "../../src/datapath/datapath.ts";
import { offsetOf } from "../../src/datapath/layout.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import type { ClientIdentity } from "../../src/model/cluster.ts";
import type { Affinity } from "../../src/plan/plan_types.ts";
import { cgroup } from "../support/cgroup.ts";
import { type Client, client, outcomes } from "../support/client.ts";
import { datapath, planOf, type Spec } from "../support/datapath.ts";
import { FAMILIES, type Family, V4 } from "../support/family.ts";
import { netns, wire } from "../support/netns.ts";
import { pinPath } from "../support/pin_path.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab();

beforeEach(() => {
	bpf.know({});
	bpf.program();
});

/** So many connections to one of three backends that all go to the same one by chance once in 3^19 times. */
const MANY = 20;
const SECONDS = 10_800;

function sticky(client: ClientIdentity = "netns", seconds = SECONDS, group = "test/web:http"): Affinity {
	return { group, client, seconds };
}

function backends(family: Family, numbers: readonly number[]): readonly string[] {
	return numbers.map((n) => family.l4(family.backend(n), 8080, "TCP"));
}

/** The backends that so many connections come to. */
async function storm(from: Client, to: string, count = MANY): Promise<readonly string[]> {
	return [...outcomes(await from.ask(`storm tcp ${count} ${to}`)).keys()].map((key) => key.replace(/^0>/, ""));
}

/** The only one. */
async function theOne(from: Client, to: string): Promise<string> {
	const found = await storm(from, to);
	expect(found).toHaveLength(1);
	return found[0] ?? "";
}

interface Known {
	readonly key: Buffer;
	readonly value: Buffer;
}

/** What programs remember of clients. */
function remembered(): readonly Known[] {
	return [...bpf.map("affinities").entries()].map(([key, value]) => ({
		key: Buffer.from(key),
		value: Buffer.from(value),
	}));
}

const USED = offsetOf("affinity", "used");

/** Makes all clients older than they are. */
function age(seconds: number): void {
	for (const { key, value } of remembered()) {
		value.writeBigUInt64LE(value.readBigUInt64LE(USED) - BigInt(Math.round(seconds * 1_000_000_000)), USED);
		bpf.map("affinities").update(key, value);
	}
}

describe.each(FAMILIES)("session affinity over $name", (family) => {
	const { domain, dial } = family;
	const vip = `${dial(family.vip(1))} 80`;
	const at = family.l4(family.vip(1), 80, "TCP");
	const web = (numbers: readonly number[], affinity: Affinity | undefined = sticky()): Spec => ({
		at,
		to: backends(family, numbers),
		...(affinity === undefined ? {} : { affinity }),
	});

	test("sends all connections of one network namespace to one backend, whoever makes them", async () => {
		bpf.program(web([1, 2, 3]));
		await using one = place.client();
		await using other = place.client();
		const first = await theOne(one, vip);
		expect(await theOne(other, vip)).toBe(first);
		expect(bpf.frontend(at).resolved).toBe(2 * MANY);
		expect(remembered()).toHaveLength(1);
		expect(bpf.faults()).toMatchObject({ slot: 0, storage: 0 });
	});

	test("stays over new sets that have the backend, and moves at once when it is not active", async () => {
		bpf.program(web([1, 2, 3]));
		await using one = place.client();
		const first = await theOne(one, vip);
		const number = Number(/(\d+)\|8080$/.exec(first)?.[1] ?? 0);
		bpf.program(web([1, 2, 3, 4, 5, 6, 7, 8]));
		expect(await theOne(one, vip)).toBe(first);
		bpf.program(web([number]));
		expect(await theOne(one, vip)).toBe(first);
		const rest = [1, 2, 3, 4].filter((n) => n !== number);
		const gone = backends(family, [number]);
		bpf.program({ ...web(rest), terminating: gone });
		const second = await theOne(one, vip);
		expect(second).not.toBe(first);
		// It does not go back.
		bpf.program(web([1, 2, 3, 4]));
		expect(await theOne(one, vip)).toBe(second);
	});

	test("ends after its seconds without a connection, each of which counts anew", async () => {
		bpf.program(web([1, 2, 3], sticky("netns", 100)));
		await using one = place.client();
		const first = await theOne(one, vip);
		for (let n = 0; n < 3; n++) {
			age(95);
			expect(await theOne(one, vip)).toBe(first);
		}
		const seen = new Set<string>();
		for (let n = 0; n < MANY; n++) {
			age(101);
			for (const backend of await storm(one, vip, 1)) seen.add(backend);
		}
		expect(seen.size).toBeGreaterThan(1);
	});

	test("is switched off and on again, and begins anew", async () => {
		bpf.program(web([1, 2, 3]));
		await using one = place.client();
		await theOne(one, vip);
		bpf.program({ at, to: backends(family, [1, 2, 3]) });
		expect(remembered()).toEqual([]);
		expect((await storm(one, vip)).length).toBeGreaterThan(1);
		expect(remembered()).toEqual([]);
		const seen = new Set<string>();
		for (let n = 0; n < MANY; n++) {
			bpf.program(web([1, 2, 3]));
			for (const backend of await storm(one, vip, 2)) seen.add(backend);
			bpf.program({ at, to: backends(family, [1, 2, 3]) });
		}
		expect(seen.size).toBeGreaterThan(1);
	});

	test("is shared by the frontends of one group, node ports included, and by no other", async () => {
		const other = family.l4(family.vip(2), 80, "TCP");
		const ports = domain === "inet6" && family.vip(1).includes(":") ? "100::1" : "0.0.0.1";
		const nodePort = { ...web([1, 2, 3]), at: family.l4(ports, 30080, "TCP") };
		bpf.know({ [family.vip(9)]: `own ${ports}` });
		await using one = place.client();
		const seen = new Set<string>();
		for (let n = 0; n < MANY; n++) {
			bpf.program(
				web([1, 2, 3]),
				{ ...web([1, 2, 3], sticky("netns", SECONDS, "test/other:http")), at: other },
				nodePort,
			);
			const first = await theOne(one, vip);
			expect(await theOne(one, `${dial(family.vip(9))} 30080`)).toBe(first);
			for (const backend of await storm(one, `${dial(family.vip(2))} 80`)) seen.add(backend);
			bpf.program();
		}
		expect(seen.size).toBeGreaterThan(1);
	});

	test("takes every frontend's own backends, whatever the group remembers", async () => {
		bpf.program(web([1, 2, 3]), { ...web([4]), at: family.l4(family.vip(2), 80, "TCP") });
		await using one = place.client();
		await theOne(one, vip);
		expect(await theOne(one, `${dial(family.vip(2))} 80`)).toBe(`${family.backend(4)}|8080`);
		expect(await theOne(one, vip)).not.toBe(`${family.backend(4)}|8080`);
	});

	test("holds for datagrams: of new sockets, connected or not, and after a socket's own flow", async () => {
		const udp = family.l4(family.vip(1), 53, "UDP");
		const to = [1, 2, 3].map((n) => family.l4(family.backend(n), 5353, "UDP"));
		bpf.program({ at: udp, to, affinity: sticky() });
		await using one = place.client();
		const answered = new Set<string>();
		for (let n = 0; n < MANY; n++) {
			await one.each(`socket a ${domain} udp`, `sendto a ${dial(family.vip(1))} 53 x`);
			answered.add((await one.ask("recvfrom a")).split(" ").slice(2, 4).join(" "));
			await one.each("close a", `socket b ${domain} udp`, `connect b ${dial(family.vip(1))} 53`, "send b x");
			answered.add((await one.ask("recvfrom b")).split(" ").slice(2, 4).join(" "));
			await one.ask("close b");
		}
		expect(answered.size).toBe(1);
		// A socket that has a flow keeps it, even if its client is sent elsewhere now.
		await one.each(`socket a ${domain} udp`, `sendto a ${dial(family.vip(1))} 53 x`, "recvfrom a");
		const [first = ""] = answered;
		const rest = to.filter((each) => each !== family.l4(first.split(" ")[0] ?? "", 5353, "UDP"));
		bpf.program({ at: udp, to: rest, terminating: to.filter((each) => !rest.includes(each)), affinity: sticky() });
		await one.ask(`sendto a ${dial(family.vip(1))} 53 x`);
		expect((await one.ask("recvfrom a")).split(" ").slice(2, 4).join(" ")).toBe(first);
		await one.each(`socket b ${domain} udp`, `sendto b ${dial(family.vip(1))} 53 x`);
		expect((await one.ask("recvfrom b")).split(" ").slice(2, 4).join(" ")).not.toBe(first);
	});

	test("shows getpeername() the Service, and is not asked where a connection goes elsewhere", async () => {
		bpf.program(web([1, 2, 3]));
		await using one = place.client();
		const first = await theOne(one, vip);
		await one.each(`socket a ${domain} tcp`, `connect a ${vip}`);
		expect(await one.ask("peer a")).toBe(vip);
		expect(parseAnswer(await one.ask("recv a")).server).toBe(first.replace("|", " "));
	});

	test("refuses where no backend is active, and remembers nobody", async () => {
		bpf.program(web([]));
		await using one = place.client();
		await one.ask(`socket a ${domain} tcp`);
		expect(await one.run(`connect a ${vip}`)).toBe("ECONNREFUSED");
		expect(remembered()).toEqual([]);
	});
});

const AT = V4.l4(V4.vip(1), 80, "TCP");
const VIP = `${V4.vip(1)} 80`;

describe("who is one client", () => {
	/** How many clients these are: each shows that it stays with what it has. */
	async function count(identity: ClientIdentity, ...from: readonly Client[]): Promise<number> {
		bpf.program();
		bpf.program({ at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky(identity) });
		for (const each of from) await theOne(each, VIP);
		return remembered().length;
	}

	test("netns: one in one namespace, two in two", async () => {
		using pod = otherPod();
		await using one = place.client();
		await using same = place.client();
		await using other = pod.client();
		expect(await count("netns", one, same)).toBe(1);
		expect(await count("netns", one, same, other)).toBe(2);
	});

	test("cgroup: one in one group, two in two, whatever the namespace", async () => {
		using pod = otherPod();
		using group = cgroup(place.cgroup.path);
		await using one = place.client();
		await using same = pod.client();
		await using other = client({ netns: place.clients.name, cgroup: group.path });
		expect(await count("cgroup", one, same)).toBe(1);
		expect(await count("cgroup", one, same, other)).toBe(2);
	});

	test("uid: one for one user, two for two", async () => {
		await using one = place.client();
		await using other = place.client();
		expect(await count("uid", one, other)).toBe(1);
		await other.ask("user 65534");
		expect(await count("uid", one, other)).toBe(2);
	});

	test("process: each by itself, its threads together", async () => {
		await using one = place.client();
		await using other = place.client();
		expect(await count("process", one, other)).toBe(2);
		await one.each("socket a inet tcp", `thread connect a ${VIP}`);
		expect(remembered()).toHaveLength(2);
	});

	test("process, on a kernel that cannot tell: the network namespace", async () => {
		using old = datapath(place.cgroup.path, { withoutPid: true });
		old.program({ at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky("process") });
		await using one = place.client();
		await using other = place.client();
		const first = await theOne(one, VIP);
		expect(await theOne(other, VIP)).toBe(first);
	});

	let pods = 0;

	/** Another network namespace with a way to the servers. */
	function otherPod(): { client(): Client } & Disposable {
		const net = netns();
		pods += 1;
		// A name of its own: the end of the former pod goes some time after its namespace.
		wire(`pod${pods}`, { net, addresses: ["10.203.0.1/24"] }, { net: place.servers, addresses: ["10.203.0.2/24"] });
		net.ip("route", "add", "default", "via", "10.203.0.2");
		return {
			client: () => client({ netns: net.name, cgroup: place.cgroup.path }),
			[Symbol.dispose]: () => net[Symbol.dispose](),
		};
	}
});

test("connections that a client opens all at once come to one backend", async () => {
	await using stack = new AsyncDisposableStack();
	const many = [1, 2, 3, 4, 5, 6].map(() => stack.use(place.client()));
	const seen = new Set<string>();
	for (let round = 0; round < 50; round++) {
		bpf.program({ at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky() });
		const found = await Promise.all(many.map((each) => storm(each, VIP, 3)));
		expect(new Set(found.flat()).size).toBe(1);
		// The same when all of them find that it is gone.
		const rest = [1, 2, 3].filter((n) => found[0]?.[0] !== `${V4.backend(n)}|8080`);
		bpf.program({ at: AT, to: backends(V4, rest), affinity: sticky() });
		const moved = await Promise.all(many.map((each) => storm(each, VIP, 3)));
		expect(new Set(moved.flat()).size).toBe(1);
		for (const backend of moved.flat()) seen.add(backend);
		bpf.program();
	}
	expect(seen.size).toBe(3);
});

test("connections that find one and the same lost backend choose the same one anew", async () => {
	bpf.program({ at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky("netns", 100) });
	await using one = place.client();
	await theOne(one, VIP);
	age(101);
	const [lost] = remembered();
	if (lost === undefined) throw new Error("Nobody is remembered");
	const found = new Set<string>();
	for (let n = 0; n < MANY; n++) {
		// As if none of the others had written yet what it has chosen.
		bpf.map("affinities").update(lost.key, lost.value);
		for (const backend of await storm(one, VIP, 1)) found.add(backend);
	}
	expect(found.size).toBe(1);
});

describe("room for clients", () => {
	test("is made where there is none: a new client is remembered, and keeps its backend", async () => {
		bpf.program({ at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky() });
		await using one = place.client();
		await theOne(one, VIP);
		const [known] = remembered();
		if (known === undefined) throw new Error("Nobody is remembered");
		const entries = Array.from({ length: 2 * AFFINITIES }, (_, n) => {
			const key = Buffer.from(known.key);
			key.writeBigUInt64LE(BigInt(n + 1) << 32n, offsetOf("affinity_key", "client"));
			return [key.toString("latin1"), known.value.toString("latin1")] as const;
		});
		expect(bpf.maps.put("affinities", new Map(entries))).toEqual([]);
		const full = remembered().length;
		expect(full).toBeLessThanOrEqual(AFFINITIES);
		expect(full).toBeGreaterThan(AFFINITIES / 2);
		await using other = place.client();
		await theOne(other, VIP);
		const mine = BigInt(await netnsOf(other));
		const isMine = ({ key }: Known) => key.readBigUInt64LE(offsetOf("affinity_key", "client")) === mine;
		expect(remembered().filter(isMine)).toHaveLength(1);
		// All of them go with the group.
		bpf.program();
		expect(remembered()).toEqual([]);
	});

	async function netnsOf(from: Client): Promise<string> {
		await from.ask("socket z inet tcp");
		return await from.ask("cookie z");
	}
});

test("clients outlive the agent: the next one's programs go on from what they had", async () => {
	const spec = { at: AT, to: backends(V4, [1, 2, 3]), affinity: sticky() };
	using pins = pinPath();
	using group = cgroup(place.cgroup.path);
	const options = { cgroup: group.path, pinPath: pins.path, events: "off", eventsRate: 0 } as const;
	const run = async (to: (at: Client) => Promise<string>) => {
		using opened = openDatapath(options);
		const writer = createWriter({ maps: opened.maps, capacity: CAPACITY, firstGeneration: 1 });
		expect(writer.write(planOf([spec]), { synced: true }).pending).toBe(0);
		await using one = client({ netns: place.clients.name, cgroup: group.path });
		return await to(one);
	};
	const first = await run((one) => theOne(one, VIP));
	for (let n = 0; n < 8; n++) expect(await run(async (one) => (await storm(one, VIP, 1)).join())).toBe(first);
});
