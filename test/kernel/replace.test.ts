// The kernel serves without an agent, and from one agent to the next not one connection is missed.

import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { queryCgroup } from "bun-ffi-libbpf";
import { PROGRAMS } from "../../src/datapath/attach.ts";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { type Datapath, openDatapath, openMaps } from "../../src/datapath/datapath.ts";
import { linkPin, removePins } from "../../src/datapath/pins.ts";
import { viewBackends } from "../../src/datapath/view.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { cgroup } from "../support/cgroup.ts";
import { type Client, client, outcomes } from "../support/client.ts";
import { planOf, type Spec } from "../support/datapath.ts";
import { MAPPED, V4, V6 } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";
import { type Lines, lines } from "../support/lines.ts";
import { type PinPath, pinPath } from "../support/pin_path.ts";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

let place: Lab;
let pins: PinPath;

beforeAll(async () => {
	place = await lab();
});

beforeEach(() => {
	pins = pinPath();
});

afterEach(() => pins[Symbol.dispose]());

afterAll(() => place[Symbol.dispose]());

const TEN = Array.from({ length: 10 }, (_, index) => index + 1);
const SPECS: readonly Spec[] = [V4, V6].flatMap((family) => [
	{ at: family.l4(family.vip(1), 80, "TCP"), to: TEN.map((n) => family.l4(family.backend(n), 8080, "TCP")) },
	{ at: family.l4(family.vip(1), 53, "UDP"), to: TEN.map((n) => family.l4(family.backend(n), 5353, "UDP")) },
]);

async function agent(): Promise<Lines> {
	const child = lines([
		"bun",
		join(import.meta.dir, "../support/agent.ts"),
		place.cgroup.path,
		pins.path,
		JSON.stringify(SPECS),
	]);
	expect(await child.read()).toBe("ready");
	return child;
}

function open(group = place.cgroup.path): Datapath {
	return openDatapath({ cgroup: group, pinPath: pins.path, events: "off", eventsRate: 0 });
}

/** The ids of the programs that run at connect() of IPv4. */
function running(group = place.cgroup.path): readonly number[] {
	return queryCgroup(group, "cgroup_inet4_connect").map(({ programId }) => programId);
}

test("an agent that is killed leaves everything at work, for old sockets and new ones", async () => {
	using one = await agent();
	await using old = place.client();
	await old.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`, "recv a");
	await old.each("socket b inet udp", `sendto b ${V4.vip(1)} 53 x`);
	const first = (await old.ask("recvfrom b")).split(" ");
	await one.kill();

	expect(await old.ask("peer a")).toBe(`${V4.vip(1)} 80`);
	await old.ask("send a hello");
	expect(await old.ask("recv a")).toBe("hello");
	await old.ask(`sendto b ${V4.vip(1)} 53 x`);
	expect((await old.ask("recvfrom b")).split(" ")).toEqual(first);
	await using young = place.client();
	const seen = outcomes(await young.ask(`storm peer 200 ${V4.vip(1)} 80 ${V6.vip(1)} 80`));
	expect(seen.size).toBe(20);
	expect([...seen.keys()].every((outcome) => outcome.includes(">"))).toBe(true);
});

test("the next agent finds the sockets' state, the same ids, and its own programs in the places of the old ones", async () => {
	using one = await agent();
	await using old = place.client();
	await old.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`);
	await old.each("socket b inet6 udp", `sendto b ${MAPPED.dial(V4.vip(1))} 53 x`);
	const first = await old.ask("recvfrom b");
	await one.kill();
	const [before] = running();

	using next = open();
	expect([...next.attached.values()]).toEqual(PROGRAMS.map(() => "replaced"));
	const [after, ...others] = running();
	expect(others).toEqual([]);
	expect(after).not.toBe(before);
	const writer = createWriter({ maps: next.maps, capacity: CAPACITY, firstGeneration: 1 });
	const written = writer.write(planOf(SPECS), { synced: true });
	expect(Object.values(written.changes).every(({ puts, deletes }) => puts + deletes === 0)).toBe(true);
	expect(await old.ask("peer a")).toBe(`${V4.vip(1)} 80`);
	await old.ask(`sendto b ${MAPPED.dial(V4.vip(1))} 53 x`);
	expect(await old.ask("recvfrom b")).toBe(first);
	// What the old programs opened, the new ones see closing.
	const open_ = () => viewBackends(next.maps).reduce((sum, backend) => sum + backend.open, 0);
	expect(open_()).toBe(2);
	await old.each("close a", "close b");
	expect(open_()).toBe(0);
});

test("programs are replaced under load without one connection missed", async () => {
	const first = open();
	createWriter({ maps: first.maps, capacity: CAPACITY, firstGeneration: 1 }).write(planOf(SPECS), { synced: true });
	first[Symbol.dispose]();
	using seen = openMaps(pins.path);
	await using stack = new AsyncDisposableStack();
	const storms: { readonly client: Client; readonly done: Promise<string> }[] = [];
	for (const [kind, family, port] of [
		["peer", V4, 80],
		["peer", V6, 80],
		["udp", V4, 53],
		["connected", MAPPED, 53],
	] as const) {
		const client = stack.use(place.client());
		const done = client.ask(`storm ${kind} 1000000 ${family.dial(family.vip(1))} ${port}`);
		// If something else fails first, that is what is to be seen.
		done.catch(() => {});
		storms.push({ client, done });
	}
	const connections = () => viewBackends(seen.maps).reduce((sum, backend) => sum + backend.connections, 0);
	await until("the storms at work", () => connections() > 1000);
	for (let n = 0; n < 30; n++) {
		using next = open();
		expect(new Set(next.attached.values())).toEqual(new Set(["replaced"]));
		await Bun.sleep(1);
	}
	const after = connections();
	await until("the storms still at work", () => connections() > after + 1000);
	for (const { client, done } of storms) {
		const stopped = client.ask("stop");
		const found = outcomes(await done);
		await stopped;
		expect([...found.keys()].filter((outcome) => !outcome.startsWith("0>"))).toEqual([]);
	}
	expect(seen.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
	expect(viewBackends(seen.maps).reduce((sum, backend) => sum + backend.open, 0)).toBe(0);
});

test("a cgroup that was removed and made again is attached anew", async () => {
	const old = cgroup();
	open(old.path)[Symbol.dispose]();
	expect(running(old.path)).toHaveLength(1);
	old[Symbol.dispose]();
	using next = open();
	createWriter({ maps: next.maps, capacity: CAPACITY, firstGeneration: 1 }).write(planOf(SPECS), { synced: true });
	expect(new Set(next.attached.values())).toEqual(new Set(["moved"]));
	expect(running()).toHaveLength(1);
	await using someone = place.client();
	await someone.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`);
	expect(parseAnswer(await someone.ask("recv a")).server).toEndWith(" 8080");
});

test("a client in a cgroup below is translated, too", async () => {
	using child = cgroup(place.cgroup.path);
	using next = open();
	createWriter({ maps: next.maps, capacity: CAPACITY, firstGeneration: 1 }).write(planOf(SPECS), { synced: true });
	await using someone = client({ netns: place.clients.name, cgroup: child.path });
	await someone.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`);
	expect(await someone.ask("peer a")).toBe(`${V4.vip(1)} 80`);
});

test("without its pins nothing of it is left, and connections pass untranslated", async () => {
	using one = await agent();
	await one.kill();
	expect(running()).toHaveLength(1);
	expect(removePins(pins.path).length).toBeGreaterThan(PROGRAMS.length);
	await until("detached", () => running().length === 0);
	expect(existsSync(linkPin(pins.path, "sock4_connect"))).toBe(false);
	await using someone = place.client();
	await someone.ask("socket a inet tcp");
	expect(await someone.run(`connect a ${V4.vip(1)} 80`)).toBe("EHOSTUNREACH");
});
