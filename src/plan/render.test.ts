// The text and the JSON of a plan are stable.

import { expect, test } from "bun:test";
import { planOf } from "../../test/support/plans.ts";
import { planToJson, renderFrontend, renderPlan } from "./render.ts";

const PLAN = planOf({
	"demo/z": { "10.96.0.1:80/TCP": "10.0.0.2:80/TCP 10.0.0.1:80/TCP | [fd00::1]:80/TCP" },
	"demo/a": { "[fd00::1]:53/UDP": "", "10.96.0.1:53/UDP": " | 10.0.0.3:53/UDP" },
});

test("renderPlan() sorts by address, not by object", () => {
	expect(renderPlan(PLAN)).toBe(
		[
			"FRONTEND 10.96.0.1:53/UDP demo/a:http ServiceClusterIP -> refused | terminating 10.0.0.3:53\n",
			"FRONTEND 10.96.0.1:80/TCP demo/z:http ServiceClusterIP -> 10.0.0.1:80 10.0.0.2:80 | terminating [fd00::1]:80\n",
			"FRONTEND [fd00::1]:53/UDP demo/a:http ServiceClusterIP -> refused\n",
		].join(""),
	);
});

test("renderPlan() gives nothing for nothing", () => {
	expect(renderPlan(planOf({}))).toBe("");
});

test("planToJson() has the same frontends in the same order", () => {
	const { frontends, problems } = planToJson(PLAN);
	expect(frontends.map(renderFrontend)).toEqual(renderPlan(PLAN).trim().split("\n"));
	expect(frontends.map(({ active }) => active.length)).toEqual([0, 2, 0]);
	expect(problems).toEqual([]);
});
