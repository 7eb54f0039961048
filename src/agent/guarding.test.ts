// Whom redirects leave alone, and when pods are looked for again.

import { expect, test } from "bun:test";
import { createJumpClock } from "../../test/support/jump_clock.ts";
import type { Failure } from "../datapath/apply.ts";
import type { Identity, WantedGuards } from "../datapath/guards.ts";
import type { FoundPod } from "../datapath/pod_identity.ts";
import type { GuardedPod, Plan } from "../plan/plan_types.ts";
import { createGuarding } from "./guarding.ts";

const GROUP = "LocalRedirectPolicy dns";
const CGROUP: Identity = { kind: "cgroup", id: 7n, level: 3 };
const OTHER_CGROUP: Identity = { kind: "cgroup", id: 8n, level: 3 };
const NETNS: Identity = { kind: "netns", cookie: 9n };

function pod(name: string, uid = "1"): GuardedPod {
	return { pod: `kube-system/${name}`, uid, ips: [], hostNetwork: false };
}

function guardsOf(...pods: readonly GuardedPod[]): Plan["guards"] {
	return new Map([[GROUP, pods]]);
}

const NONE: readonly Failure[] = [];

function start() {
	const state = { pods: new Map<string, FoundPod>(), looks: 0, due: 0, failures: NONE };
	const clock = createJumpClock();
	const ended = new AbortController();
	const written: { verb: "add" | "prune"; wanted: WantedGuards }[] = [];
	const guarding = createGuarding({
		finder: {
			find(pods) {
				state.looks++;
				return pods.map((each) => {
					const name = `${each.pod}${each.uid === "1" ? "" : ` ${each.uid}`}`;
					return state.pods.get(name) ?? { identities: [], missing: "gone" };
				});
			},
		},
		guards: {
			add(wanted) {
				written.push({ verb: "add", wanted });
				return state.failures;
			},
			prune(wanted) {
				written.push({ verb: "prune", wanted });
				return [];
			},
			resync() {},
		},
		onDue: () => state.due++,
		clock,
		signal: ended.signal,
	});
	const find = (name: string, found: FoundPod) => state.pods.set(`kube-system/${name}`, found);
	return { guarding, end: () => ended.abort(), state, clock, find, last: () => written.at(-1) };
}

const lines = (problems: readonly { object: string; reason: string; message: string }[]) =>
	problems.map(({ object, reason, message }) => `${object}: ${message} (${reason})`);

test("protect() writes who goes past a redirect and takes nobody away; release() does", () => {
	const { guarding, find, last } = start();
	find("a", { identities: [CGROUP, NETNS] });
	guarding.protect(guardsOf(pod("a")));
	expect(last()).toEqual({ verb: "add", wanted: new Map([[GROUP, [CGROUP, NETNS]]]) });
	guarding.release(new Map());
	expect(last()).toEqual({ verb: "prune", wanted: new Map([[GROUP, [CGROUP, NETNS]]]) });
	guarding.protect(new Map());
	expect(last()).toEqual({ verb: "add", wanted: new Map() });
	expect(guarding.problems()).toEqual([]);
});

test("protect() looks for pods only where guards are others, or when it is due", () => {
	const { guarding, find, state, clock } = start();
	find("a", { identities: [CGROUP] });
	const guards = guardsOf(pod("a"));
	for (let round = 0; round < 3; round++) guarding.protect(guards);
	expect(state.looks).toBe(1);
	guarding.protect(guardsOf(pod("a"), pod("b")));
	expect(state.looks).toBe(2);
	clock.jump(1000);
	guarding.protect(guards);
	expect(state.looks).toBe(3);
	// All are found: a new sandbox is noticed all the same.
	expect(clock.sleeping().at(-1)).toBe(30_000);
});

test("a pod that is not found is a Problem, and looked for again: after a second, then more, at last half a minute", async () => {
	const { guarding, find, state, clock } = start();
	const guards = guardsOf(pod("a"));
	const pauses: (number | undefined)[] = [];
	for (let round = 0; round < 7; round++) {
		guarding.protect(guards);
		const pause = clock.sleeping().at(-1);
		pauses.push(pause);
		const before = state.due;
		clock.jump(pause ?? 0);
		while (state.due === before) await Bun.sleep(0);
	}
	expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
	expect(lines(guarding.problems())).toEqual([
		"Pod kube-system/a: What it connects to itself is redirected by LocalRedirectPolicy dns as well: gone; balancing doctor says what the agent lacks (Unguarded)",
	]);
	find("a", { identities: [CGROUP] });
	guarding.protect(guards);
	expect(guarding.problems()).toEqual([]);
	// A new one is looked for as soon as the first was.
	guarding.protect(guardsOf(pod("a"), pod("b")));
	expect(clock.sleeping().at(-1)).toBe(1000);
});

test("a pod that is found no longer keeps what is known of it, until it is another one or out of it", () => {
	const { guarding, find, last, clock } = start();
	const guards = guardsOf(pod("a"));
	find("a", { identities: [CGROUP, NETNS] });
	guarding.protect(guards);
	find("a", { identities: [OTHER_CGROUP], missing: "no process" });
	clock.jump(30_000);
	guarding.protect(guards);
	expect(last()?.wanted.get(GROUP)).toEqual([OTHER_CGROUP, NETNS]);
	expect(guarding.problems()).toEqual([]);
	find("a 2", { identities: [OTHER_CGROUP], missing: "no process" });
	guarding.protect(guardsOf(pod("a", "2")));
	expect(last()?.wanted.get(GROUP)).toEqual([OTHER_CGROUP]);
	expect(guarding.problems()).toHaveLength(1);
	guarding.protect(new Map());
	guarding.protect(guards);
	expect(last()?.wanted.get(GROUP)).toEqual([OTHER_CGROUP]);
});

test("a pod in two groups goes past both", () => {
	const { guarding, find, last } = start();
	find("a", { identities: [CGROUP] });
	find("b", { identities: [NETNS] });
	guarding.protect(
		new Map([
			["one", [pod("a")]],
			["two", [pod("a"), pod("b")]],
		]),
	);
	expect(last()?.wanted).toEqual(
		new Map([
			["one", [CGROUP]],
			["two", [CGROUP, NETNS]],
		]),
	);
});

test("pods of one name, of two hubs or one after the other, are told apart", () => {
	const { guarding, find, last } = start();
	find("a", { identities: [CGROUP] });
	find("a 2", { identities: [NETNS] });
	guarding.protect(
		new Map([
			["one", [pod("a")]],
			["two", [pod("a", "2")]],
		]),
	);
	expect(last()?.wanted).toEqual(
		new Map([
			["one", [CGROUP]],
			["two", [NETNS]],
		]),
	);
});

test("what the kernel refuses is a Problem until it takes it", () => {
	const { guarding, find, state } = start();
	find("a", { identities: [CGROUP] });
	const guards = guardsOf(pod("a"));
	state.failures = [{ map: "guards", verb: "put", key: "", errno: -7 }];
	guarding.protect(guards);
	expect(lines(guarding.problems())).toEqual([
		"guards: Redirects may catch their own backends: 1 of these could not be written (the first: put in guards: E2BIG) (Unguarded)",
	]);
	state.failures = NONE;
	guarding.protect(guards);
	expect(guarding.problems()).toEqual([]);
});

test("ended, it is never due again", async () => {
	const { guarding, state, clock, end } = start();
	guarding.protect(guardsOf(pod("a")));
	end();
	guarding.protect(guardsOf(pod("b")));
	while (clock.sleeping().length > 0) await Bun.sleep(0);
	expect(state.due).toBe(0);
});
