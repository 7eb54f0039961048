// balancing explain: what becomes of one connection, step by step; needs neither root nor a kernel.

import { selfOf } from "../agent/self.ts";
import { UsageError } from "../config/command_line.ts";
import { manifestsName, readManifests } from "../hub/manifests/manifests.ts";
import type { L4Address } from "../model/address.ts";
import { l4Parts, parseL4Address } from "../model/address.ts";
import type { Client, Explanation, Question } from "../plan/explain/explanation.ts";
import { renderExplanation } from "../plan/explain/render.ts";
import { explain as explainConnection } from "../plan/explain.ts";
import type { HubSnapshot, Self } from "../plan/plan_types.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

export const explain: Command = {
	flags: ["manifests", "node-name", "reach", "external-ips", "redirect-qos-limit", "from", "output"],
	argument: "IP:PORT[/udp]",
	async run(env, config, [typed]) {
		const asked = readAddress(typed);
		if (config.manifests.length === 0) throw new UsageError("Cannot explain without a source: give --manifests PATH");
		const readHub = (path: string) => readManifests(path, config["node-name"]);
		const hubs = await Promise.all(
			config.manifests.map(async (path) => ({ name: manifestsName(path), cluster: await readHub(path) })),
		);
		const self = selfOf(config, []);
		const { client, steps } = findClient(config.from, hubs, self);
		const question: Question = { client, ...l4Parts(asked) };
		const found = explainConnection(hubs, self, question);
		const explanation = { ...found, steps: [...steps, ...found.steps, ...describeProbes(found)] };
		env.out(config.output === "json" ? json({ question, ...explanation }) : renderExplanation(question, explanation));
		return EXIT_OK;
	},
};

function readAddress(typed: string | undefined): L4Address {
	const form = "10.96.0.10:80, 10.96.0.10:53/udp or [fd00::1]:80";
	if (typed === undefined) throw new UsageError(`Cannot explain without an address: give one, as ${form}`);
	const address = parseL4Address(typed);
	if (address === undefined) throw new UsageError(`Cannot understand ${JSON.stringify(typed)}: give ${form}`);
	return address;
}

/** Files do not say what agents have found. */
function describeProbes({ frontend }: Explanation): readonly string[] {
	return frontend?.healthCheck === undefined
		? []
		: ["Its backends are probed by agents: what they have found is not known here, so all are taken to be well"];
}

interface FoundClient {
	readonly client: Client;
	/** What is to be said of it. */
	readonly steps: readonly string[];
}

/** A Pod on the host's network is a client in the host's network namespace. */
function findClient(from: string, hubs: readonly HubSnapshot[], { nodeName }: Self): FoundClient {
	if (!from.startsWith("pod:")) return { client: { scope: from === "pod" ? "pod" : "host" }, steps: [] };
	const key = from.slice("pod:".length);
	const found = hubs.flatMap(({ cluster }) => cluster.pods.get(key) ?? []);
	const pod = found.find((each) => each.nodeName === nodeName) ?? found[0];
	if (pod === undefined)
		throw new Error(
			`Cannot explain for Pod ${key}: no source has it among those of node ${nodeName} and those that policies select (try --from pod)`,
		);
	const client: Client = { scope: pod.hostNetwork ? "host" : "pod", pod: key };
	if (pod.nodeName === nodeName) return { client, steps: [] };
	const where = pod.nodeName === "" ? "on no node" : `on node ${pod.nodeName}`;
	return { client, steps: [`Pod ${key} is ${where}: this is what would happen on ${nodeName} (--node-name)`] };
}
