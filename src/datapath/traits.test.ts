// Flags of frontends, there and back.

import { describe, expect, test } from "bun:test";
import { frontendOf } from "../../test/support/plans.ts";
import type { Frontend } from "../plan/plan_types.ts";
import { flagsOf, groupOf, traitsOf } from "./traits.ts";

const PLAIN: Frontend = { ...frontendOf("demo/web", "10.96.0.1:80/TCP", "10.0.0.1:80/TCP |"), keepsPeer: false };
const AFFINITY = { seconds: 10_800, group: "demo/web:http IPv4" };

describe("flagsOf()", () => {
	test.each([
		["nothing", {}, 0x000],
		["its TCP sockets remember it", { keepsPeer: true }, 0x001],
		["own node only", { mode: "ServiceNodeport", ownNodeOnly: true }, 0x102],
		["clients are network namespaces", { affinity: { ...AFFINITY, client: "netns" } }, 0x000],
		["clients are cgroups", { affinity: { ...AFFINITY, client: "cgroup" } }, 0x004],
		["clients are users", { affinity: { ...AFFINITY, client: "uid" } }, 0x008],
		["clients are processes", { affinity: { ...AFFINITY, client: "process" } }, 0x00c],
		["all sockets are closed, which have to be found", { closeOnRemove: "all" }, 0x011],
		["no sockets are closed", { closeOnRemove: "none" }, 0x020],
		["a load balancer's address", { mode: "ServiceLoadbalancer" }, 0x200],
		["an external address", { mode: "ServiceExternalIP" }, 0x300],
		["a canary", { mode: "Canary" }, 0x400],
	] as const)("%s", (_, traits, flags) => {
		const frontend: Frontend = { ...PLAIN, ...traits };
		expect(flagsOf(frontend)).toBe(flags);
		const { mode, keepsPeer, ownNodeOnly = false, closeOnRemove = "udp", affinity } = frontend;
		const remembered = keepsPeer || closeOnRemove === "all";
		const client = affinity?.client ?? "netns";
		expect(traitsOf(flags)).toEqual({ mode, keepsPeer: remembered, client, ownNodeOnly, closeOnRemove });
	});
});

test("traitsOf() reads any number", () => {
	expect(traitsOf(0xffff_ffff)).toEqual({
		mode: "ServiceClusterIP",
		keepsPeer: true,
		client: "process",
		ownNodeOnly: true,
		closeOnRemove: "all",
	});
});

test("groupOf() is the beginning of the SHA-256", () => {
	// printf abc | sha256sum
	expect(groupOf("abc")).toBe("ba7816bf8f01cfea");
});
