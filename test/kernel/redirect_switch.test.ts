// A redirect comes and goes under load: not one connection fails, nobody goes where it must not, and flows stay where they are.

import { expect, test } from "bun:test";
import { openSocketCloser } from "../../src/datapath/sockets.ts";
import { viewFrontends } from "../../src/datapath/view.ts";
import { cgroup, cgroupMount } from "../support/cgroup.ts";
import { type Client, client, outcomes } from "../support/client.ts";
import type { Spec } from "../support/datapath.ts";
import { FAMILIES, type Family, MAPPED, V4, V6 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { createRandom } from "../support/random.ts";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";

const { place, bpf } = await programLab();

const SWITCHES = 600;
/** More than a storm can do meanwhile. */
const ROUNDS = 1_000_000;
/** The redirect's backends, and those of who is next: which of them changes all the time. */
const LOCAL = [1, 2];
const NEXT = [11, 12, 13];

function some(numbers: readonly number[], random: () => number): readonly number[] {
	const chosen = numbers.filter(() => random() < 0.6);
	return chosen.length > 0 ? chosen : numbers.slice(0, 1);
}

/** Without a redirect, or with one before it, by chance; it has no limit. */
function specOf(family: Family, protocol: "TCP" | "UDP", random: () => number): Spec {
	const at = family.l4(family.vip(1), 80, protocol);
	const to = (numbers: readonly number[]) =>
		some(numbers, random).map((n) => family.l4(family.backend(n), 8080, protocol));
	const next = { to: to(NEXT) };
	return random() < 0.5 ? { at, ...next } : { at, to: to(LOCAL), redirect: { next } };
}

function everySpec(random: () => number): readonly Spec[] {
	return [V4, V6].flatMap((family) => (["TCP", "UDP"] as const).map((protocol) => specOf(family, protocol, random)));
}

/** Of all frontends there are. */
function resolutions(): number {
	return viewFrontends(bpf.maps).reduce((sum, { resolved }) => sum + resolved, 0);
}

const STORMS = [
	{ kind: "tcp", family: V4 },
	{ kind: "peer", family: V6 },
	{ kind: "udp", family: V6 },
	{ kind: "connected", family: MAPPED },
] as const;

test("hundreds of times under load: no failure, and its own backend never comes back to itself", async () => {
	using pod = cgroup(place.cgroup.path);
	const level = pod.path.slice(cgroupMount().length + 1).split("/").length;
	bpf.guards.add(new Map([["test", [{ kind: "cgroup", id: pod.id, level }]]]));
	const random = createRandom(20_000);
	bpf.program(...everySpec(random));
	await using stack = new AsyncDisposableStack();
	const storms: {
		readonly user: Client;
		readonly done: Promise<string>;
		readonly guarded: boolean;
		readonly family: Family;
	}[] = [];
	for (const { kind, family } of STORMS)
		for (const guarded of [true, false]) {
			const where = guarded ? pod.path : place.cgroup.path;
			const user = stack.use(client({ netns: place.clients.name, cgroup: where }));
			const done = user.ask(`storm ${kind} ${ROUNDS} ${family.dial(family.vip(1))} 80`);
			// If something else fails first, that is what is to be seen.
			done.catch(() => {});
			storms.push({ user, done, guarded, family });
		}
	let switches = 0;
	await until("many connections during many switches", async () => {
		for (let n = 0; n < 10; n++) bpf.program(...everySpec(random));
		switches += 10;
		// Now and then the storms get this processor, too.
		await Bun.sleep(1);
		return switches >= SWITCHES && resolutions() > 2000 * storms.length;
	});
	let total = 0;
	for (const { user, done, guarded, family } of storms) {
		const stopped = user.ask("stop");
		const counts = outcomes(await done);
		await stopped;
		const seen = [...counts.keys()];
		for (const count of counts.values()) total += count;
		const name = (n: number) => `0>${family.backend(n)}|8080`;
		const allowed = (guarded ? NEXT : [...LOCAL, ...NEXT]).map(name);
		expect(seen.filter((outcome) => !allowed.includes(outcome))).toEqual([]);
		expect(seen.length).toBe(allowed.length);
	}
	expect(bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
	console.log(`${total} connections during ${switches} switches of ${STORMS.length} frontends`);
});

test.each(FAMILIES)(
	"flows over $name stay with who is next, and are current there, while a redirect is before it",
	async (family) => {
		const { domain, dial, vip, backend, l4 } = family;
		const at = l4(vip(1), 53, "UDP");
		const udp = (n: number) => l4(backend(n), 5353, "UDP");
		const service = (...numbers: readonly number[]): Spec => ({ at, to: numbers.map(udp) });
		const redirected = (local: number, ...numbers: readonly number[]): Spec => ({
			at,
			to: [udp(local)],
			redirect: { next: { to: numbers.map(udp) } },
		});
		using closer = openSocketCloser({ pinPath: bpf.pinPath, epoch: FAMILIES.indexOf(family) + 1 });
		const close = async () => (await closer.closeStale(new AbortController().signal)).closed.UDP.closed;
		const address = `${dial(vip(1))} 53`;
		await using user = place.client();
		const open = async (connected: string, unconnected: string) => {
			await user.each(`socket ${connected} ${domain} udp`, `socket ${unconnected} ${domain} udp`);
			await user.ask(`connect ${connected} ${address}`);
			return ask(connected, unconnected);
		};
		const ask = async (connected: string, unconnected: string) => {
			await user.each(`send ${connected} x`, `sendto ${unconnected} ${address} x`);
			expect(await user.ask(`peer ${connected}`)).toBe(address);
			const answers = [await user.ask(`recv ${connected}`), await user.ask(`recvfrom ${unconnected}`)];
			expect(answers[1]).toStartWith(`${address} `);
			const texts = [answers[0] ?? "", answers[1]?.split(" ").slice(2).join(" ") ?? ""];
			return texts.map((text) => parseAnswer(text).server);
		};
		const both = (n: number) => [`${backend(n)} 5353`, `${backend(n)} 5353`];

		bpf.program(service(2));
		expect(await open("a", "b")).toEqual(both(2));
		bpf.program(redirected(1, 2));
		expect(await open("c", "d")).toEqual(both(1));
		expect(await close()).toBe(0);
		expect([await ask("a", "b"), await ask("c", "d")]).toEqual([both(2), both(1)]);
		// A connected socket that is connected again keeps it as well.
		await user.each(`connect a ${address}`, `connect c ${address}`);
		expect([await ask("a", "b"), await ask("c", "d")]).toEqual([both(2), both(1)]);
		// Each has another set, which still has what they have.
		bpf.program({ ...redirected(1, 2, 3), to: [udp(1), udp(4)] });
		expect(await close()).toBe(0);
		expect([await ask("a", "b"), await ask("c", "d")]).toEqual([both(2), both(1)]);
		// The redirect's last backends are on their way out: they keep their flows, and what is new goes past them.
		bpf.program({ ...redirected(1, 2), to: [], terminating: [udp(1)] });
		expect(await close()).toBe(0);
		expect([await ask("a", "b"), await ask("c", "d")]).toEqual([both(2), both(1)]);
		expect(await open("e", "f")).toEqual(both(2));
		await user.each("close e", "close f");
		// The redirect goes, and with it what it had.
		bpf.program(service(2));
		expect(await close()).toBe(1);
		expect(await user.run("recv c")).toBe("ECONNABORTED");
		expect(await ask("a", "b")).toEqual(both(2));
		await user.each("close c", "close d");
		expect(await open("c", "d")).toEqual(both(2));
		// Who is next loses its backend behind the redirect.
		bpf.program(redirected(1, 3));
		expect(await close()).toBe(2);
		await user.each("close a", "close b", "close c", "close d");
		expect(await open("a", "b")).toEqual(both(1));
		// Nobody is next any more, and nobody has the address.
		bpf.program({ ...redirected(1), redirect: {} });
		expect(await close()).toBe(0);
		expect(await ask("a", "b")).toEqual(both(1));
		bpf.program();
		expect(await close()).toBe(1);
	},
);

test("TCP connections show the address that was asked, whichever had it, and count where they are", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const tcp = (n: number) => V4.l4(V4.backend(n), 8080, "TCP");
	const next = { to: [tcp(2)], closeOnRemove: "all" } as const;
	using closer = openSocketCloser({ pinPath: bpf.pinPath, epoch: 9 });
	bpf.program({ at, ...next });
	await using user = place.client();
	await user.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`);
	bpf.program({ at, to: [tcp(1)], redirect: { next } });
	await user.each("socket b inet tcp", `connect b ${V4.vip(1)} 80`);
	expect([await user.ask("peer a"), await user.ask("peer b")]).toEqual([`${V4.vip(1)} 80`, `${V4.vip(1)} 80`]);
	expect([bpf.backend(tcp(1)).open, bpf.backend(tcp(2)).open]).toEqual([1, 1]);
	expect([bpf.frontend(at).resolved, bpf.frontend(at, 1).resolved]).toEqual([1, 1]);
	expect((await closer.closeStale(new AbortController().signal)).closed.TCP.closed).toBe(0);
	bpf.program({ at, to: [tcp(1)], redirect: { next: { ...next, to: [tcp(3)] } } });
	expect((await closer.closeStale(new AbortController().signal)).closed.TCP.closed).toBe(1);
	bpf.program({ at, ...next, to: [tcp(3)] });
	expect(bpf.frontend(at).resolved).toBe(1);
});
