// What is done after each failure.

import { expect, test } from "bun:test";
import { HubError } from "./hub_error.ts";
import { Doubt, judge, type Phase, type Verdict } from "./verdict.ts";

const failure = (status: number, reason = "", retryAfter?: number) => new HubError("x", { status, reason, retryAfter });

test.each<[string, unknown, Phase, Verdict]>([
	["410 of a watch", failure(410, "Expired"), "watching", { relist: true, wait: "none", quiet: true }],
	["410 of a list", failure(410, "Expired"), "paging", { relist: true, wait: "backoff", quiet: false }],
	["422 of a streaming list", failure(422), "streaming", { relist: true, pages: "always", wait: "none", quiet: true }],
	["422 of a watch", failure(422), "watching", { relist: true, wait: "backoff", quiet: false }],
	["a broken watch", failure(0, "Unreachable"), "watching", { relist: false, wait: "backoff", quiet: false }],
	["a broken list", failure(0, "Unreachable"), "paging", { relist: true, wait: "backoff", quiet: false }],
	["a silent watch", failure(0, "Silent"), "watching", { relist: false, wait: "none", quiet: false }],
	[
		"a silent streaming list",
		failure(0, "Silent"),
		"streaming",
		{ relist: true, pages: "once", wait: "backoff", quiet: false },
	],
	[
		"a streaming list that ends before its mark",
		failure(0, "Broken"),
		"streaming",
		{ relist: true, pages: "once", wait: "backoff", quiet: false },
	],
	[
		"a streaming list that is none",
		failure(0, "NotStreamed"),
		"streaming",
		{ relist: true, pages: "always", wait: "none", quiet: true },
	],
	["401 of a watch", failure(401), "watching", { relist: false, wait: "backoff", quiet: false }],
	["403 of a watch", failure(403), "watching", { relist: true, wait: "refused", quiet: false }],
	["404 of a list", failure(404), "paging", { relist: true, wait: "refused", quiet: false }],
	["429 of a watch", failure(429, "", 3000), "watching", { relist: false, wait: "asked", quiet: false }],
	["429 without a time", failure(429), "watching", { relist: false, wait: "backoff", quiet: false }],
	["500 of a watch", failure(500), "watching", { relist: true, wait: "backoff", quiet: false }],
	["504 with a time", failure(504, "Timeout", 1000), "streaming", { relist: true, wait: "asked", quiet: false }],
	["doubt", new Doubt("x"), "watching", { relist: true, pages: "once", wait: "confirm", quiet: false }],
	["a bug of ours", new TypeError("x"), "watching", { relist: true, wait: "backoff", quiet: false }],
])("judge() of %s", (_, error, during, verdict) => {
	expect(judge(error, during)).toEqual(verdict);
});
