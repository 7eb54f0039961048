// Coming back to an API server: one kind first, what is needed once, and at no moment that all agents share.

import { expect, test } from "bun:test";
import { type Follower, type FollowOptions, followHub, jumpUntil, KINDS, webService } from "../support/follow_hub.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { expired, forbidden, serverError, tooLargeVersion, tooManyRequests } from "../support/hub/status.ts";
import { until } from "../support/wait.ts";

const SLICES = "endpointslices.discovery.k8s.io";

/** All kinds followed, with the Service web, for longer than it takes to count as steady. */
async function started(server: TestHub, options: FollowOptions = {}): Promise<Follower> {
	server.apply(webService("web"));
	const client = followHub(server, options);
	await until("all kinds watched", () => client.seen.length === 1 && server.watches().length === KINDS);
	client.clock.jump(20_000);
	server.resetCounters();
	return client;
}

/** Waits of between two bounds, in milliseconds; the last may be what is meant. */
function waits(client: Follower, from: number, to: number): readonly number[] {
	return client.clock.sleeps.filter((each) => each >= from && each <= to);
}

test("agents that lose a hub at the same moment come back over five seconds", async () => {
	for (const [chance, wait] of [
		[0.1, 500],
		[0.5, 2500],
		[0.9, 4500],
	] as const) {
		await using server = await startHub({ kubernetes: false });
		await using client = await started(server, { random: () => chance });
		for (const watch of server.watches()) watch.reset();
		await until("stale", () => client.hub.status().staleSince !== null);
		await until("a first wait", () => client.clock.sleeps.includes(wait));
		expect(server.requests()).toEqual([]);
		client.clock.jump(wait);
		await until("followed again", () => server.watches().length === KINDS);
	}
});

test("while the hub refuses, one kind asks for all; when it is let in, the others follow at once", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	const busy = server.inject({}, { kind: "error", error: tooManyRequests(1) });
	for (const watch of server.watches()) watch.reset();
	await jumpUntil(client, "some refusals", () => server.count() === 3 * KINDS);
	// In turns, so that a refusal of one kind alone would keep the others waiting for no longer than one wait.
	expect(server.count({ resource: "services" })).toBe(3);
	expect(server.count({ resource: SLICES })).toBe(3);
	const before = client.clock.sleeps.filter((each) => each > 1000 && each < 29_000).length;
	busy.remove();
	await jumpUntil(client, "all kinds", () => server.watches().length === KINDS);
	expect(server.count()).toBe(4 * KINDS);
	expect(client.clock.sleeps.filter((each) => each > 1000 && each < 29_000).length - before).toBeLessThanOrEqual(1);
});

test("410 in running watches, which all agents get at the same moment, leads to lists after a wait, and to one snapshot", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	const late = server.inject({ verb: "list", resource: SLICES }, { kind: "delay", ms: 100 });
	for (const watch of server.watches()) watch.error(expired("x"));
	await until("a wait", () => client.clock.sleeps.includes(2500));
	expect(server.count()).toBe(0);
	for (const name of ["web", "more"]) server.apply(webService(name, ["10.9.9.9"]));
	client.clock.jump(2500);
	await until("the new endpoints", () => client.ips("demo/more").length === 1);
	expect(late.hits()).toBe(1);
	expect(server.count({ verb: "list" })).toBe(KINDS);
	// Never the new Service without its endpoints.
	expect(client.seen).toHaveLength(2);
});

test("lists that cannot be watched from are not read again and again without a pause", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	const old = server.inject(
		{ verb: "watch", resource: "services" },
		{ kind: "content", pieces: [`${JSON.stringify({ type: "ERROR", object: EXPIRED })}\n`], ending: "end" },
	);
	server.watches({ resource: "services" })[0]?.error(expired("x"));
	for (const [index, pause] of [2500, 3750, 5625].entries()) {
		await until(`a wait of ${pause} ms`, () => waits(client, pause - 500, pause).length > 0);
		expect([old.hits(), server.count({ verb: "list", resource: "services" })]).toEqual([index, index]);
		client.clock.jump(pause);
	}
	old.remove();
	await jumpUntil(client, "followed", () => server.watches().length === KINDS);
});

const EXPIRED = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Expired", code: 410, message: "x" };

test("a server that cannot give what is not older than what is known is asked for the newest", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	const fault = server.inject(
		{ verb: "list", where: ({ query }) => query.has("resourceVersion") },
		{ kind: "error", error: tooLargeVersion(9, 5) },
	);
	for (const watch of server.watches()) watch.error(expired("x"));
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(fault.hits()).toBe(KINDS);
});

test("a connection that breaks soon after it was opened, again and again, is not opened at the first pace for ever", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	for (const [index, pause] of [0, 2500, 3750, 5625].entries()) {
		const [watch] = server.watches({ resource: SLICES });
		server.apply(webService("web", [`10.1.1.${index}`]));
		await until("an event", () => client.ips("demo/web")[0] === `10.1.1.${index}`);
		watch?.reset();
		await until("a wait", () => pause === 0 || waits(client, pause / 2, pause).length > 0);
		client.clock.jump(pause);
		await until("watched again", () => server.watches({ resource: SLICES }).some((each) => each !== watch));
	}
});

test("a right that is missing is looked for soon once, as a server that has just started knows no rights, then seldom", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	const refused = server.inject(
		{ resource: "services" },
		{ kind: "error", error: forbidden(undefined, "services is forbidden") },
	);
	server.watches({ resource: "services" })[0]?.reset();
	await jumpUntil(client, "a long wait", () => waits(client, 30_000, 30_000).length === 1);
	expect(refused.hits()).toBe(2);
	refused.remove();
	client.clock.jump(30_000);
	await until("watched again", () => server.watches().length === KINDS);
	// Rights say nothing of what is known.
	expect(server.count({ verb: "list" })).toBe(0);
});

/** Refused until waits have grown, then followed again. */
async function grown(server: TestHub, client: Follower): Promise<void> {
	const busy = server.inject({}, { kind: "error", error: tooManyRequests(1) });
	for (const watch of server.watches()) watch.reset();
	await jumpUntil(client, "some refusals", () => server.count() > 4);
	busy.remove();
	await jumpUntil(client, "followed again", () => server.watches().length === KINDS);
}

test("ten good seconds make the next wait a first one", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	await grown(server, client);
	await until("not stale", () => client.hub.status().staleSince === null);
	client.clock.jump(20_000);
	const before = waits(client, 2500, 2500).length;
	server.watches({ resource: SLICES })[0]?.reset();
	await until("a first wait", () => waits(client, 2500, 2500).length === before + 1);
});

test("a connection that was silent from the beginning does not", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	await grown(server, client);
	await until("not stale", () => client.hub.status().staleSince === null);
	const before = waits(client, 2500, 2500).length;
	const silent = server.watches();
	for (const watch of silent) watch.silence();
	await jumpUntil(
		client,
		"watched again",
		() => server.watches().filter((each) => !silent.includes(each)).length === KINDS,
	);
	expect(waits(client, 2500, 2500)).toHaveLength(before);
});

test("a list that has to be confirmed is not asked for by all agents at the same moment", async () => {
	await using server = await startHub({ kubernetes: false });
	const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
	server.apply(names.flatMap((name) => webService(name)));
	await using client = await started(server, { random: () => 0.5 });
	for (const name of names) server.delete("Service", "demo", name);
	await until("a wait of 2 to 5 s", () => client.clock.sleeps.includes(3500));
	await jumpUntil(client, "believed", () => client.services()?.length === 1);
});

test("a kind that alone fails keeps no other waiting", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	server.inject({ resource: "services" }, { kind: "error", error: serverError(500, "no") });
	server.watches({ resource: "services" })[0]?.reset();
	await until("it asks for all", () => client.clock.sleeps.includes(2500));
	server.watches({ resource: SLICES })[0]?.reset();
	await until("both are stale", () =>
		client.hub
			.status()
			.kinds.slice(0, 2)
			.every(({ staleSince }) => staleSince !== null),
	);
	await jumpUntil(client, "the other is watched", () => server.watches({ resource: SLICES }).length === 1);
});
