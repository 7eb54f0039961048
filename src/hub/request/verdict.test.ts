// What is done after each failure.

import { expect, test } from "bun:test";
import { HubError } from "./hub_error.ts";
import { Doubt, judge, type Phase, type Verdict } from "./verdict.ts";

const failure = (status: number, reason = "", retryAfter?: number) => new HubError("x", { status, reason, retryAfter });
const loud = (resume: Verdict["resume"], wait: Verdict["wait"]): Verdict => ({ resume, wait, quiet: false });

test.each<[string, unknown, Phase, Verdict]>([
	["410 of a watch", failure(410, "Expired"), "watching", { resume: "list", wait: "spread", quiet: true }],
	["410 of a list", failure(410, "Expired"), "paging", loud("newest", "alone")],
	[
		"422 of a streaming list",
		failure(422),
		"streaming",
		{ resume: "newest", pages: "always", wait: "none", quiet: true },
	],
	["422 of a watch", failure(422), "watching", loud("list", "alone")],
	["422 of a list", failure(422), "paging", loud("newest", "alone")],
	["a broken watch", failure(0, "Unreachable"), "watching", loud("watch", "shared")],
	["a broken list", failure(0, "Unreachable"), "paging", loud("list", "shared")],
	["credentials that cannot be had", failure(0, "Credentials"), "watching", loud("watch", "shared")],
	["garbage in a watch", failure(0, "Protocol"), "watching", loud("watch", "alone")],
	["garbage in a list", failure(0, "Protocol"), "paging", loud("newest", "alone")],
	["a silent watch", failure(0, "Silent"), "watching", loud("watch", "shared")],
	["a silent list", failure(0, "Silent"), "paging", loud("list", "shared")],
	["a silent streaming list", failure(0, "Silent"), "streaming", { ...loud("list", "shared"), pages: "once" }],
	[
		"a streaming list that ends before its mark",
		failure(0, "Broken"),
		"streaming",
		{ ...loud("newest", "alone"), pages: "once" },
	],
	[
		"a streaming list that is none",
		failure(0, "NotStreamed"),
		"streaming",
		{ resume: "newest", pages: "always", wait: "none", quiet: true },
	],
	["401 of a watch", failure(401), "watching", loud("watch", "shared")],
	["403 of a watch", failure(403), "watching", loud("watch", "refused")],
	["403 of a list", failure(403), "paging", loud("list", "refused")],
	["404 of a watch", failure(404), "watching", loud("newest", "refused")],
	["404 of a list", failure(404), "paging", loud("newest", "refused")],
	["429 of a watch", failure(429, "", 3000), "watching", loud("watch", "shared")],
	["429 of a list", failure(429), "paging", loud("list", "shared")],
	["503 of a watch", failure(503), "watching", loud("watch", "shared")],
	["500 of a watch", failure(500), "watching", loud("list", "alone")],
	["500 of a list", failure(500), "paging", loud("newest", "alone")],
	["504 of a watch", failure(504, "Timeout", 1000), "watching", loud("newest", "alone")],
	["504 of a list", failure(504, "Timeout", 1000), "paging", loud("newest", "alone")],
	["doubt", new Doubt("x"), "watching", { ...loud("newest", "confirm"), pages: "once" }],
	["a bug of ours", new TypeError("x"), "watching", loud("newest", "alone")],
])("judge() of %s", (_, error, during, verdict) => {
	expect(judge(error, during)).toEqual(verdict);
});
