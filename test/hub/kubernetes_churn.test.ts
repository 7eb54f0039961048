// Random changes while everything fails at random: in the end the client knows exactly what the server has, and was never without.

import { expect, test } from "bun:test";
import { followHub, webService } from "../support/follow_hub.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { serverError, tooManyRequests } from "../support/hub/status.ts";
import { changePolicies } from "../support/policy_changes.ts";
import { createRandom } from "../support/random.ts";
import { shown, truth } from "../support/truth.ts";
import { until } from "../support/wait.ts";

/** BALANCING_SEED repeats a run. */
const GIVEN = process.env["BALANCING_SEED"];
const SEEDS =
	GIVEN === undefined ? Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 31)) : [Number(GIVEN)];
const SERVICES = 40;
const NODES = 12;
const STEPS = 150;

type Random = (below: number) => number;

function change(server: TestHub, random: Random): void {
	const name = `s${random(SERVICES)}`;
	const there = server.get("Service", "demo", name) !== undefined;
	if (there && random(3) === 0) {
		server.delete("Service", "demo", name);
		if (random(2) === 0) server.delete("EndpointSlice", "demo", `${name}-1`);
	} else
		server.apply(
			webService(
				name,
				Array.from({ length: random(4) }, () => `10.1.${random(200)}.${1 + random(200)}`),
			),
		);
	if (random(5) === 0) server.skip(1 + random(50));
}

function changeNode(hub: TestHub, random: Random): void {
	const name = `n${random(NODES)}`;
	if (hub.get("Node", undefined, name) !== undefined && random(4) === 0) hub.delete("Node", undefined, name);
	else {
		const address = `10.0.${random(200)}.${1 + random(200)}`;
		hub.apply({
			apiVersion: "v1",
			kind: "Node",
			metadata: { name },
			status: { addresses: [{ type: "InternalIP", address }] },
		});
	}
}

function changeSome(server: TestHub, random: Random): void {
	for (let count = random(4); count > 0; count--) change(server, random);
	if (random(2) === 0) changeNode(server, random);
	for (let count = random(4); count > 0; count--) changePolicies(server, random);
}

const FAULTS: readonly ((server: TestHub, random: Random) => void | Promise<void>)[] = [
	(server) => server.watches()[0]?.end(),
	(server) => server.watches()[0]?.reset(),
	(server) => server.watches().at(-1)?.fin(),
	(server) => server.watches()[0]?.silence(),
	(server) => server.watches()[0]?.text('{"type":"ADDED","obj'),
	(server) => server.watches().at(-1)?.text("garbage\n"),
	(server) => server.watches().at(-1)?.error(serverError(500, "no")),
	(server) => server.compact(),
	(server) => void server.inject({}, { kind: "error", error: tooManyRequests(3) }, 2),
	(server) => void server.inject({}, { kind: "error", error: serverError(503, "no") }, 2),
	(server, random) => void server.inject({}, { kind: "cut", bytes: 200 + random(4000), how: "reset" }, 1),
	(server, random) => void server.inject({}, { kind: "cut", bytes: 200 + random(4000), how: "fin" }, 1),
	(server, random) => server.setFeatures({ initialEvents: random(2) === 0 ? "served" : "forbidden" }),
	(server, random) => server.shape(random(2) === 0 ? {} : { chunkBytes: 1 + random(100), writeBytes: 1 + random(100) }),
	(server) => server.restart(),
];

test.each(SEEDS)(
	"a client knows what the server has after changes and faults at random (seed %d)",
	async (seed) => {
		const chance = createRandom(seed);
		const random: Random = (below) => Math.floor(chance() * below);
		await using server = await startHub({ kubernetes: false });
		server.apply(Array.from({ length: SERVICES }, (_, index) => webService(`s${index}`)).flat());
		await using client = followHub(server);
		await until("the first snapshot", () => client.seen.length === 1);
		for (let step = 0; step < STEPS; step++) {
			changeSome(server, random);
			if (random(3) === 0) await FAULTS[random(FAULTS.length)]?.(server, random);
			// Lets the sockets' events in; how far they get is chance as well.
			for (let turns = random(60); turns > 0; turns--) await new Promise(setImmediate);
			client.clock.jump(random(3) === 0 ? 40_000 : 700);
		}
		server.clearFaults();
		server.shape({});
		let rounds = 0;
		await until("the same as the server", () => {
			// Bytes have to arrive between two jumps: a jump over the limit of a silence ends every connection.
			if (rounds++ % 50 === 0) client.clock.jump(rounds < 1000 ? 20_000 : 1000);
			return shown(client) === truth(server);
		});
		await until("followed again", () => {
			client.clock.jump(500);
			return client.hub.status().staleSince === null;
		});
		expect(client.seen.every(({ services }) => services.size >= SERVICES / 4)).toBe(true);
		expect(client.log.filter((line) => line.includes("undefined") || line.includes("TypeError"))).toEqual([]);
		for (const watch of server.watches()) watch.end();
		server.apply(webService("last"));
		await until("the last change", () => {
			client.clock.jump(500);
			return shown(client) === truth(server);
		});
	},
	30_000,
);
