// The findings about a machine: this one, and a folder that is none of cgroup v2.

import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { checkup } from "./checkup.ts";

const WHAT = ["kernel", "programs", "cgroup", "refusals", "events", "closing sockets", "redirects", "kernel clients"];

test("checkup() has one finding for each thing, with a fact", () => {
	const findings = checkup(undefined);
	expect(findings.map(({ what }) => what)).toEqual(WHAT);
	for (const { fact } of findings) expect(fact).toMatch(/\S/);
});

test("checkup() says where redirects cannot know their own backends", () => {
	const redirects = checkup(tmpdir()).find(({ what }) => what === "redirects");
	expect(redirects?.state).toBe("limited");
	expect(redirects?.fact).toContain("a redirect may catch its own backend");
});

test("checkup() says what is wrong with a cgroup, and what to do", () => {
	const cgroup = checkup(tmpdir()).find(({ what }) => what === "cgroup");
	expect(cgroup?.state).toBe("problem");
	expect(cgroup?.fact).toContain(`Cannot attach to --cgroup ${tmpdir()}: not a folder of cgroup v2 (findmnt`);
});
