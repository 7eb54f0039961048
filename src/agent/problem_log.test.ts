// What the log says of Problems as they come, change and go.

import { expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import type { Problem } from "../model/problem.ts";
import { createProblemLog } from "./problem_log.ts";

/** What is said above the level of debugging. */
function start() {
	const log = recordingLog();
	const say = createProblemLog(log);
	let told = 0;
	return {
		say: (...problems: readonly Problem[]) => say(problems),
		said() {
			const since = log.said.slice(told);
			told = log.said.length;
			return since
				.filter(({ level }) => level !== "debug")
				.map(({ level, message, fields }) => `${level} ${message}: ${Object.values(fields)}`);
		},
	};
}

function lost(count: number, source = "hub"): Problem {
	const message = `${count} pods are left out: There is no Node n${count}`;
	return { object: "BalancingPolicy p", field: "spec.backend", reason: "Unreachable", message, source };
}

function conflict(address: string): Problem {
	const message = `${address} belongs to BalancingPolicy q`;
	return { object: "BalancingPolicy p", field: "spec.frontend", reason: "FrontendConflict", message };
}

test("a Problem is told once, and when it is gone", () => {
	const { say, said } = start();
	say(conflict("10.0.0.1:80/TCP"));
	say(conflict("10.0.0.1:80/TCP"));
	expect(said()).toEqual([
		"warn Problem: BalancingPolicy p spec.frontend: 10.0.0.1:80/TCP belongs to BalancingPolicy q (FrontendConflict)",
	]);
	say(conflict("10.0.0.2:80/TCP"));
	expect(said().map((line) => line.replace(/ belongs.*/, ""))).toEqual([
		"warn Problem: BalancingPolicy p spec.frontend: 10.0.0.2:80/TCP",
		"info Problem is gone: BalancingPolicy p spec.frontend: 10.0.0.1:80/TCP",
	]);
});

test("as ten thousand pods come and go, that some are left out is told once", () => {
	const { say, said } = start();
	for (let count = 1; count <= 10_000; count++) say(lost(count));
	for (let count = 9_999; count >= 2; count--) say(lost(count));
	expect(said()).toEqual([
		"warn Problem: BalancingPolicy p spec.backend: 1 pods are left out: There is no Node n1 (Unreachable, hub)",
	]);
	say();
	expect(said()).toEqual([
		"info Problem is gone: BalancingPolicy p spec.backend: 2 pods are left out: There is no Node n2 (Unreachable, hub)",
	]);
});

test("that of another hub is another one", () => {
	const { say, said } = start();
	say(lost(1, "east"), lost(1, "west"));
	expect(said().length).toBe(2);
	say(lost(2, "west"));
	expect(said()).toEqual([
		"info Problem is gone: BalancingPolicy p spec.backend: 1 pods are left out: There is no Node n1 (Unreachable, east)",
	]);
});
