// The leader's Lease over TLS: one holds it, the next takes over when it is gone, and nobody trusts anybody's clock.

import { expect, test } from "bun:test";
import { followLease, LEASE_TIMING, type Leader, type LeaseTiming } from "../../src/hub/lease/leader.ts";
import { createObjects } from "../../src/hub/request/objects.ts";
import { loginTo } from "../support/api.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { at } from "../support/hub/object.ts";
import { createJumpClock, type JumpClock } from "../support/jump_clock.ts";
import { recordingLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

interface Candidate extends AsyncDisposable {
	readonly leader: Leader;
	readonly clock: JumpClock;
	/** How often the work began and ended. */
	readonly turns: { begun: number; ended: number };
	readonly log: ReturnType<typeof recordingLog>;
	stop(): Promise<void>;
}

function candidate(hub: TestHub, identity: string, timing: LeaseTiming = LEASE_TIMING): Candidate {
	const login = loginTo(hub);
	const stop = new AbortController();
	const clock = createJumpClock();
	const log = recordingLog();
	const turns = { begun: 0, ended: 0 };
	const leader = followLease({
		objects: (signal) => createObjects(login.api, signal),
		namespace: "default",
		name: "balancing-controller",
		identity,
		async lead(signal) {
			turns.begun += 1;
			await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
			turns.ended += 1;
		},
		clock,
		random: () => 0,
		log,
		signal: stop.signal,
		timing,
	});
	const end = async () => {
		stop.abort();
		await leader.stopped;
	};
	return {
		leader,
		clock,
		turns,
		log,
		stop: end,
		async [Symbol.asyncDispose]() {
			await end();
			login[Symbol.dispose]();
		},
	};
}

function lease(hub: TestHub): unknown {
	return hub.get("Lease", "default", "balancing-controller");
}

/** Jumps on by its own retries until it is so. */
async function jumping(one: Candidate, what: string, condition: () => boolean): Promise<void> {
	await until(what, () => {
		if (one.clock.sleeping().includes(LEASE_TIMING.retry)) one.clock.jump(LEASE_TIMING.retry);
		return condition();
	});
}

test("one of two leads; it gives the lease back when it stops, and the other one has it", async () => {
	await using hub = await startHub();
	await using first = candidate(hub, "first");
	await until("leading", first.leader.isLeading);
	await using second = candidate(hub, "second");
	await until("the second knows", () => second.leader.holder() === "first");
	expect([second.leader.isLeading(), first.turns.begun, second.turns.begun]).toEqual([false, 1, 0]);
	expect(at(lease(hub), "spec", "leaseDurationSeconds")).toBe(15);
	expect(at(lease(hub), "spec", "renewTime")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
	await first.stop();
	expect([at(lease(hub), "spec", "holderIdentity"), first.turns]).toEqual(["", { begun: 1, ended: 1 }]);
	second.clock.jump(2000);
	await until("the second leads", second.leader.isLeading);
	expect([at(lease(hub), "spec", "holderIdentity"), at(lease(hub), "spec", "leaseTransitions")]).toEqual(["second", 1]);
});

test("a lease that is not renewed is taken after its time, by the clock of who takes it", async () => {
	await using hub = await startHub();
	hub.apply({
		apiVersion: "coordination.k8s.io/v1",
		kind: "Lease",
		metadata: { name: "balancing-controller", namespace: "default" },
		// A holder whose clock is years behind, or who died long ago: nobody can tell.
		spec: {
			holderIdentity: "dead",
			leaseDurationSeconds: 15,
			renewTime: "2020-01-01T00:00:00.000000Z",
			leaseTransitions: 7,
		},
	});
	await using heir = candidate(hub, "heir");
	await until("looked", () => heir.leader.holder() === "dead" && heir.clock.sleeping().length > 0);
	heir.clock.jump(14_000);
	await until(
		"looked again",
		() => heir.clock.sleeping().length > 0 && hub.count({ verb: "get", resource: "leases.coordination.k8s.io" }) >= 2,
	);
	expect(heir.turns.begun).toBe(0);
	heir.clock.jump(2000);
	await until("leading", heir.leader.isLeading);
	expect(at(lease(hub), "spec", "leaseTransitions")).toBe(8);
});

test("a lease that goes on changing is never taken", async () => {
	await using hub = await startHub();
	await using first = candidate(hub, "first");
	await until("leading", first.leader.isLeading);
	await using second = candidate(hub, "second");
	for (let renewed = 0; renewed < 20; renewed++) {
		const before = at(lease(hub), "spec", "renewTime");
		await jumping(first, "renewed", () => at(lease(hub), "spec", "renewTime") !== before);
		const seen = hub.count({ verb: "get" });
		second.clock.jump(2000);
		await until("looked", () => hub.count({ verb: "get" }) > seen && second.clock.sleeping().includes(2000));
	}
	expect([first.turns, second.turns]).toEqual([
		{ begun: 1, ended: 0 },
		{ begun: 0, ended: 0 },
	]);
});

test("who cannot renew it stops working before others may begin", async () => {
	await using hub = await startHub();
	await using cut = candidate(hub, "cut");
	await until("leading", cut.leader.isLeading);
	await hub.stopAccepting();
	for (const connection of hub.connections()) connection.reset();
	await jumping(cut, "stopped working", () => cut.turns.ended === 1);
	expect(cut.leader.isLeading()).toBe(false);
	expect(cut.log.messages()).toContain("warn Not leading any more");
	expect(cut.log.messages().filter((line) => line === "warn Cannot get the lease").length).toBeLessThan(4);
	await hub.resumeAccepting();
	await jumping(cut, "leading again", () => cut.turns.begun === 2);
});

test("whom the lease was taken from stops at once", async () => {
	await using hub = await startHub();
	await using first = candidate(hub, "first");
	await until("leading", first.leader.isLeading);
	const taken = { holderIdentity: "thief", leaseDurationSeconds: 15, leaseTransitions: 1 };
	hub.apply({ ...(lease(hub) as object), spec: taken });
	await jumping(first, "stopped working", () => first.turns.ended === 1);
	expect(at(lease(hub), "spec", "holderIdentity")).toBe("thief");
});

test("of two that create it at once one leads", async () => {
	await using hub = await startHub();
	for (let round = 0; round < 5; round++) {
		await using first = candidate(hub, `first-${round}`);
		await using second = candidate(hub, `second-${round}`);
		await until("one leads", () => first.leader.isLeading() || second.leader.isLeading());
		const isResting = ({ clock }: Candidate) => clock.sleeping().includes(LEASE_TIMING.retry);
		await until("both have tried", () => isResting(first) && isResting(second));
		expect(first.turns.begun + second.turns.begun).toBe(1);
		await first.stop();
		await second.stop();
		hub.delete("Lease", "default", "balancing-controller");
	}
});
