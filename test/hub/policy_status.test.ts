// The status of policies at an API server over TLS: what is told once, however often it is looked at.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { EventFacts } from "../../src/agent/controller/event_writer.ts";
import { createPolicyStatus } from "../../src/agent/controller/policy_status.ts";
import { projectBalancingPolicy } from "../../src/model/balancing_policy.ts";
import { EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { policyKey } from "../../src/model/policy.ts";
import { loginTo } from "../support/api.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { at } from "../support/hub/object.ts";
import { recordingLog } from "../support/log.ts";

const KIND = "BalancingPolicy";

/** Two policies that want one address. */
function policyAt(name: string) {
	return {
		apiVersion: "balancing.elf.io/v1beta1",
		kind: KIND,
		metadata: { name },
		spec: {
			frontend: { addressMatcher: { ip: "169.254.50.50", toPorts: [{ port: "80", protocol: "TCP" }] } },
			backend: { addressEndpoint: { addresses: ["192.0.2.1"], toPorts: [{ port: "80", protocol: "TCP" }] } },
		},
	};
}

function clusterOf(hub: TestHub, names: readonly string[]) {
	const policies = names.flatMap((name) => projectBalancingPolicy(hub.get(KIND, undefined, name)).value ?? []);
	return { ...EMPTY_CLUSTER, policies: new Map(policies.map((policy) => [policyKey(policy), policy])) };
}

/** As those of elf-io/balancing: a status of which the schema says nothing, so that the server drops what is in it. */
function definitionsWithoutStatus(): readonly string[] {
	const folder = join(import.meta.dir, "../../edge/crds");
	const names = readdirSync(folder);
	return names.map((name) => readFileSync(join(folder, name), "utf8").replace(/^ {12}status:\n(?: {13,}.*\n)+/m, ""));
}

test("a server that drops conditions is complained of once, and each of them is an Event once", async () => {
	await using hub = await startHub({ definitions: definitionsWithoutStatus().map((text) => parse(text)) });
	using login = loginTo(hub);
	hub.apply([policyAt("a"), policyAt("b")]);
	const log = recordingLog();
	const events: EventFacts[] = [];
	const status = createPolicyStatus({
		objects: login.objects,
		events: { emit: async (facts) => void events.push(facts) },
		log,
		signal: new AbortController().signal,
	});
	const told = () => events.map(({ regarding, reason }) => `${regarding.name} ${reason}`);
	for (const _ of ["at first", "five minutes later", "and again"]) {
		expect(await status.write(clusterOf(hub, ["a", "b"]))).toBe("done");
		status.forget();
	}
	expect(at(hub.get(KIND, undefined, "b"), "status", "conditions")).toBeUndefined();
	expect(told()).toEqual(["b FrontendConflict"]);
	expect(log.messages().filter((line) => line.startsWith("warn"))).toEqual([
		"warn The API server drops the conditions of policies: apply edge/crds of this version",
	]);
	// What is made again may be wrong again.
	hub.delete(KIND, undefined, "b");
	await status.write(clusterOf(hub, ["a"]));
	hub.apply(policyAt("b"));
	await status.write(clusterOf(hub, ["a", "b"]));
	expect(told()).toEqual(["b FrontendConflict", "b FrontendConflict"]);
});
