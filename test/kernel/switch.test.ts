// Sets of backends change under load: not one connection fails, and none gets to another frontend's backend.

import { expect, test } from "bun:test";
import { type Client, outcomes } from "../support/client.ts";
import type { Spec } from "../support/datapath.ts";
import { type Family, MAPPED, V4, V6 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { createRandom } from "../support/random.ts";
import { until } from "../support/wait.ts";

const { place, bpf } = await programLab();

const FRONTENDS = [0, 1, 2] as const;
const BACKENDS = 20;
const SWITCHES = 600;
/** More than a storm can do meanwhile. */
const ROUNDS = 1_000_000;

/** The backends that a frontend may have: no two frontends share one. */
function mine(family: Family, frontend: number): readonly string[] {
	return Array.from({ length: BACKENDS }, (_, index) => family.backend(1 + frontend * BACKENDS + index));
}

/** The frontends over one protocol with a random part of their backends, one at the least. */
function randomSpecs(family: Family, protocol: "TCP" | "UDP", random: () => number): readonly Spec[] {
	return FRONTENDS.map((frontend) => {
		const all = mine(family, frontend).map((ip) => family.l4(ip, 8080, protocol));
		const share = random();
		const some = all.filter(() => random() < share);
		const active = some.length > 0 ? some : all.slice(0, 1);
		const terminating = all.filter((address) => !active.includes(address) && random() < 0.2);
		return {
			at: family.l4(family.vip(frontend + 1), 80, protocol),
			to: active,
			terminating,
			keepsPeer: random() < 0.5,
		};
	});
}

function everySpec(random: () => number): readonly Spec[] {
	return [V4, V6].flatMap((family) =>
		(["TCP", "UDP"] as const).flatMap((protocol) => randomSpecs(family, protocol, random)),
	);
}

const STORMS = [
	{ kind: "tcp", family: V4 },
	{ kind: "tcp", family: V6 },
	{ kind: "udp", family: V6 },
	{ kind: "connected", family: MAPPED },
] as const;

test(`hundreds of switches of sets under load: no failure, no stranger, no fault`, async () => {
	const random = createRandom(20_000);
	bpf.program(...everySpec(random));
	const storms: { readonly client: Client; readonly done: Promise<string>; readonly family: Family }[] = [];
	const targets = everySpec(random).map(({ at }) => at);
	await using stack = new AsyncDisposableStack();
	for (const { kind, family } of STORMS) {
		const client = stack.use(place.client());
		const addresses = FRONTENDS.map((frontend) => `${family.dial(family.vip(frontend + 1))} 80`);
		const done = client.ask(`storm ${kind} ${ROUNDS} ${addresses.join(" ")}`);
		// If something else fails first, that is what is to be seen.
		done.catch(() => {});
		storms.push({ client, family, done });
	}
	let switches = 0;
	await until("1000 connections to each frontend", async () => {
		for (let n = 0; n < 10; n++) bpf.program(...everySpec(random));
		switches += 10;
		// Now and then the storms get this processor, too.
		await Bun.sleep(1);
		return switches >= SWITCHES && targets.every((at) => bpf.frontend(at).resolved > 1000);
	});
	let total = 0;
	for (const { client, done, family } of storms) {
		const stopped = client.ask("stop");
		const seen = outcomes(await done);
		await stopped;
		const strangers = [...seen.keys()].filter((outcome) => {
			const frontend = FRONTENDS.find((each) => outcome.startsWith(`${each}>`));
			return frontend === undefined || !mine(family, frontend).some((ip) => outcome === `${frontend}>${ip}|8080`);
		});
		expect(strangers).toEqual([]);
		const connections = [...seen.values()].reduce((sum, count) => sum + count, 0);
		// It saw most of the backends.
		expect(connections).toBeGreaterThan(FRONTENDS.length * 1000);
		expect(seen.size).toBeGreaterThan(FRONTENDS.length * BACKENDS * 0.9);
		total += connections;
	}
	expect(bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
	console.log(`${total} connections during ${switches} switches of ${targets.length} frontends`);
});
