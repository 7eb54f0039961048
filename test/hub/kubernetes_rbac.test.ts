// The account that edge/kubernetes gives to agents: enough to follow a cluster, and not one right more.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { needsOf } from "../../src/hub/kinds/needs.ts";
import { followHub, webService } from "../support/follow_hub.ts";
import { type Rule, rulesOf } from "../support/hub/access.ts";
import { startHub } from "../support/hub/hub.ts";

const ACCOUNT = join(import.meta.dir, "../../edge/kubernetes/base/agent_account.yaml");

function deliveredRules(): readonly Rule[] {
	const documents = parseAllDocuments(readFileSync(ACCOUNT, "utf8")).map((document) => document.toJS());
	return rulesOf(documents.find(({ kind }) => kind === "ClusterRole"));
}

test("the delivered account may follow a cluster", async () => {
	await using server = await startHub({ kubernetes: false, users: { edge: { credentials: "token", rules: [] } } });
	server.setRules("edge", deliveredRules());
	server.apply(webService("web"));
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await client.shows("demo/web");
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
	expect(client.problems()).toEqual([]);
});

test("it has exactly the rights that the table of needs names", () => {
	const needed = needsOf({ kind: "node", nodeName: "n1" }).map(({ group, resource }) => ({
		groups: [group],
		resources: [resource],
		verbs: ["list", "watch"],
	}));
	expect(deliveredRules()).toEqual(needed);
});
