// Policies on the status page.

import { expect, test } from "bun:test";
import { balancing, redirect } from "../../test/support/snapshots.ts";
import type { Policy } from "../model/policy.ts";
import type { PolicyState } from "../plan/plan_types.ts";
import { policyStatuses, policyUse, renderPolicies } from "./policy_status.ts";

function state(policy: Policy, fields: Partial<PolicyState> = {}): PolicyState {
	return { policy, holdsHere: true, frontends: 2, backends: 1, problems: [], ...fields };
}

const CONFLICT = { object: "BalancingPolicy db", reason: "FrontendConflict", message: "taken" } as const;

const STATES = policyStatuses(
	new Map([
		["1", state(redirect("dns"))],
		["2", state(redirect("cache"), { holdsHere: false, frontends: 0, backends: 0 })],
		["3", state(balancing("db"), { frontends: 0, problems: [CONFLICT, CONFLICT] })],
	]),
	[],
);

test("policyStatuses() are sorted, with each reason once", () => {
	expect(STATES.map(({ kind, name, reasons }) => [kind, name, reasons])).toEqual([
		["BalancingPolicy", "db", ["FrontendConflict"]],
		["LocalRedirectPolicy", "cache", []],
		["LocalRedirectPolicy", "dns", []],
	]);
});

test("policyUse() says what each comes to here", () => {
	expect(STATES.map(policyUse)).toEqual(["idle", "elsewhere", "programmed"]);
});

test("renderPolicies() is a table, and nothing where there are none", () => {
	expect(renderPolicies([])).toBe("");
	expect(renderPolicies(STATES)).toBe(
		`  POLICY                     HERE        FRONTENDS  BACKENDS  PROBLEMS
  BalancingPolicy db         idle        0          1         FrontendConflict
  LocalRedirectPolicy cache  elsewhere   0          0         -
  LocalRedirectPolicy dns    programmed  2          1         -
`,
	);
});

test("renderPolicies() names hubs where there are several", () => {
	const two = policyStatuses(
		new Map([
			["b", state(redirect("dns"), { hub: "manifests /b" })],
			["a", state(redirect("dns"), { hub: "manifests /a" })],
		]),
		[],
	);
	expect(renderPolicies(two).split("\n").slice(1, 3)).toEqual([
		"  LocalRedirectPolicy dns  manifests /a  programmed  2          1         -",
		"  LocalRedirectPolicy dns  manifests /b  programmed  2          1         -",
	]);
});

test("policyStatuses() know what the kernel had no room for, and from which hub it is", () => {
	const full = { object: "LocalRedirectPolicy dns", reason: "TooLarge", message: "full" } as const;
	const ofHubs = new Map([
		["a", state(redirect("dns"), { hub: "manifests /a", problems: [{ ...CONFLICT, object: full.object }] })],
		["b", state(redirect("dns"), { hub: "manifests /b" })],
	]);
	const others = [{ ...full, source: "manifests /a" }, { ...full, source: "manifests /a" }, full];
	expect(policyStatuses(ofHubs, others).map(({ reasons }) => reasons)).toEqual([["FrontendConflict", "TooLarge"], []]);
	const alone = new Map([["a", state(redirect("dns"))]]);
	expect(policyStatuses(alone, others).map(({ reasons }) => reasons)).toEqual([["TooLarge"]]);
});
