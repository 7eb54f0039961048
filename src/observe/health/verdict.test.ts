// Thresholds: what a backend is after a row of probes.

import { expect, test } from "bun:test";
import { failed, PASSED } from "./outcome.ts";
import { firstVerdict, judge } from "./verdict.ts";

const OUTCOMES = { p: PASSED, f: failed("sad"), b: { kind: "broken", reason: "no more files" } } as const;

/** What it is after each of the outcomes, one letter each. */
function states(outcomes: string, isSuspect = false, thresholds = { fails: 3, passes: 2 }): string {
	let verdict = firstVerdict(isSuspect, 0);
	const seen: string[] = [];
	for (const [time, letter] of [...outcomes].entries()) {
		const outcome = letter === "p" || letter === "f" || letter === "b" ? OUTCOMES[letter] : PASSED;
		verdict = judge(verdict, outcome, thresholds, time + 1);
		seen.push(verdict.state);
	}
	return seen.join(" ");
}

test.each([
	["p", "ok"],
	["ppp", "ok ok ok"],
	["f", "failing"],
	["fff", "failing failing quarantined"],
	["pfff", "ok failing failing quarantined"],
	["ffpff", "failing failing ok failing failing"],
	["fffpp", "failing failing quarantined quarantined ok"],
	["fffpfpp", "failing failing quarantined quarantined quarantined quarantined ok"],
	["fffppf", "failing failing quarantined quarantined ok failing"],
	["ffb", "failing failing failing"],
	["ffbf", "failing failing failing quarantined"],
	["fffpbp", "failing failing quarantined quarantined quarantined ok"],
	["b", "untried"],
])("judge() of %s", (outcomes, expected) => {
	expect(states(outcomes)).toBe(expected);
});

test.each([
	["p", "ok"],
	["pff", "ok failing failing"],
	["f", "quarantined"],
	["fpp", "quarantined quarantined ok"],
	["b", "untried"],
	["bff", "untried failing failing"],
])("judge() of a suspect and %s", (outcomes, expected) => {
	expect(states(outcomes, true)).toBe(expected);
});

test("judge() with thresholds of one changes at each probe", () => {
	expect(states("fpfp", false, { fails: 1, passes: 1 })).toBe("quarantined ok quarantined ok");
});

test("judge() says since when, and why last", () => {
	const thresholds = { fails: 2, passes: 2 };
	const first = judge(firstVerdict(false, 1), failed("refused"), thresholds, 10);
	expect(first).toMatchObject({ state: "failing", since: 10, reason: "refused" });
	const second = judge(first, failed("no answer"), thresholds, 20);
	expect(second).toMatchObject({ state: "quarantined", since: 20, reason: "no answer" });
	const third = judge(second, failed("reset"), thresholds, 30);
	expect(third).toMatchObject({ state: "quarantined", since: 20, reason: "reset" });
	const fourth = judge(third, PASSED, thresholds, 40);
	expect(fourth).toMatchObject({ state: "quarantined", since: 20, reason: "reset" });
	expect(judge(fourth, PASSED, thresholds, 50)).toMatchObject({ state: "ok", since: 50, reason: null });
});

test("judge() gives the identical verdict of a backend that stays well", () => {
	const well = judge(firstVerdict(false, 1), PASSED, { fails: 2, passes: 2 }, 10);
	expect(judge(well, PASSED, { fails: 2, passes: 2 }, 20)).toBe(well);
});
