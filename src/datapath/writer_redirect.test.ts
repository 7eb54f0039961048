// Redirects and weights, round by round: what is written in which order, and what stays as it is.

import { describe, expect, test } from "bun:test";
import { demandExactly } from "../../test/support/history.ts";
import { planOf as chunksOf, frontendOf, l4, withRedirects } from "../../test/support/plans.ts";
import { describeSet, readMemory, runsOf } from "../../test/support/program_view.ts";
import { createRecordingMaps, type RecordingMaps } from "../../test/support/recording_maps.ts";
import { type Chunk, EMPTY_PLAN, type Frontend, type Plan } from "../plan/plan_types.ts";
import type { Capacity } from "./capacity.ts";
import { createWriter } from "./writer.ts";

const CAPACITY = { frontends: 10, backends: 10, slots: 20, addresses: 100 };
const [A, B, LOCAL] = ["10.0.0.1:80/TCP", "10.0.0.2:80/TCP", "10.0.0.9:80/TCP"];
const WEB = "10.96.0.1:80/TCP";

function start(capacity: Capacity = CAPACITY, maps: RecordingMaps = createRecordingMaps()) {
	const writer = createWriter({ maps, capacity, firstGeneration: 1 });
	return {
		maps,
		write(plan: Plan) {
			maps.taken();
			const { problems } = writer.write(plan, { synced: true });
			return { done: maps.taken(), problems };
		},
	};
}

function web(set: string): Plan {
	return chunksOf({ "demo/web": { [WEB]: set } });
}

/** In place of the Service's chunk, one of a policy, as the planner makes it. */
function redirected(set: string, options: { readonly limit?: number; readonly isAlone?: boolean } = {}): Plan {
	const plan = withRedirects(web(set), () => l4(LOCAL), { limit: 0, isAlone: false, ...options });
	const chunks = [...plan.chunks.values()].map((chunk) => ({ ...chunk, object: "LocalRedirectPolicy cache" }));
	return { ...plan, chunks: new Map(chunks.map((chunk) => [chunk.object, chunk])) };
}

/** `ADDRESS [next] id generation set` */
function state(maps: RecordingMaps): readonly string[] {
	const memory = readMemory(maps);
	return memory.frontends
		.map((frontend) => `${frontend.address} ${frontend.id} ${frontend.generation} ${describeSet(memory, frontend)}`)
		.sort();
}

describe("a redirect", () => {
	test("that comes leaves what is next as it is, under its id, and is written after it", () => {
		const { maps, write } = start();
		write(web(`${A} ${B}`));
		const { done } = write(redirected(`${A} ${B}`));
		expect(done).toEqual([
			"put backend_stats 3",
			"put backends 3",
			"put slots 2",
			"put frontend_stats 2",
			"put names 2",
			`put frontends ${WEB} next`,
			`put frontends ${WEB}`,
		]);
		expect(state(maps)).toEqual([`${WEB} 2 2 ${LOCAL}|`, `${WEB} next 1 1 ${A} ${B}|`]);
	});

	test("that goes gives the address back in one write, and what was next goes on with what it has", () => {
		const { maps, write } = start();
		write(redirected(`${A} ${B}`));
		const [, before = ""] = state(maps);
		const { done } = write(web(`${A} ${B}`));
		expect(done.filter((line) => line.includes("frontends"))).toEqual([
			`put frontends ${WEB}`,
			`delete frontends ${WEB} next`,
		]);
		expect(state(maps)).toEqual([before.replace(" next", "")]);
	});

	test("that goes with the address goes before what is next", () => {
		const { write } = start();
		write(redirected(A));
		const { done } = write(chunksOf({}));
		expect(done.slice(0, 2)).toEqual([`delete frontends ${WEB}`, `delete frontends ${WEB} next`]);
	});

	test("stays when nobody is next any more, and when somebody is again", () => {
		const { maps, write } = start();
		write(redirected(A));
		const [redirect = "", next = ""] = state(maps);
		expect(write(redirected(A, { isAlone: true })).done[0]).toBe(`delete frontends ${WEB} next`);
		expect(state(maps)).toEqual([redirect]);
		write(redirected(A));
		expect(state(maps)).toEqual([redirect, next]);
	});

	test("is taken by a writer that starts again, without a write", () => {
		const { maps, write } = start();
		write(redirected(`${A} ${B}`, { limit: 7 }));
		const before = state(maps);
		expect(start(CAPACITY, maps).write(redirected(`${A} ${B}`, { limit: 7 })).done).toEqual([]);
		expect(state(maps)).toEqual(before);
	});

	test("that there is no room for is left out: who is next has the address, and the policy is told of", () => {
		const tight = { ...CAPACITY, frontends: 1 };
		const { maps, write } = start(tight);
		const { problems } = write(redirected(A));
		expect(state(maps)).toEqual([`${WEB} 1 1 ${A}|`]);
		expect(problems).toMatchObject([{ object: "LocalRedirectPolicy cache", reason: "TooLarge" }]);
		expect(write(web(A)).problems).toEqual([]);
		expect(write(redirected(A)).problems).toHaveLength(1);
		expect(state(maps)).toEqual([`${WEB} 1 1 ${A}|`]);
	});

	test("has what it took of a second forgotten with its limit", () => {
		const { maps, write } = start();
		write(redirected(A, { limit: 5 }));
		const id = readMemory(maps).frontends.find(({ limit }) => limit === 5)?.id ?? 0;
		const key = String.fromCharCode(id, 0, 0, 0);
		maps.put("redirect_windows", new Map([[key, "\x01".padEnd(16, "\0")]]));
		write(redirected(A, { limit: 6 }));
		expect(maps.dump("redirect_windows").size).toBe(1);
		write(redirected(A));
		expect(maps.dump("redirect_windows").size).toBe(0);
	});
});

describe("weights", () => {
	/** Backends of the first frontend, as often as they stand there. */
	const weighted = (...active: readonly string[]): Plan => {
		const frontend: Frontend = { ...frontendOf("demo/web", WEB, ""), active: active.map(l4) };
		const chunk: Chunk = { object: "demo/web", frontends: [frontend] };
		return { ...EMPTY_PLAN, chunks: new Map([["demo/web", chunk]]) };
	};

	test("repeat slots, side by side, and one backend stands there once", () => {
		const { maps, write } = start();
		const plan = weighted(A, A, A, B);
		write(plan);
		const memory = readMemory(maps);
		expect(runsOf(memory, memory.frontends[0] ?? expect.unreachable())).toEqual([[1, 1, 1, 2], []]);
		expect(memory.backends.size).toBe(2);
		demandExactly(maps, plan);
	});

	test("that are the same write nothing, others a new set, and no backend goes or comes", () => {
		const { maps, write } = start();
		write(weighted(A, A, B));
		expect(write(weighted(A, A, B)).done).toEqual([]);
		const { done } = write(weighted(A, B, B));
		expect(done.filter((line) => line.includes("backend"))).toEqual([]);
		expect(state(maps)).toEqual([`${WEB} 1 2 ${A} ${B} ${B}|`]);
		write(weighted(B, B));
		expect(readMemory(maps).backends.size).toBe(1);
		expect(start(CAPACITY, maps).write(weighted(B, B)).done).toEqual([]);
	});

	test("take no room for backends that they only repeat", () => {
		const { maps, write } = start({ ...CAPACITY, backends: 2 });
		expect(write(weighted(A, A, A, A, B)).problems).toEqual([]);
		expect(readMemory(maps).backends.size).toBe(2);
	});
});
