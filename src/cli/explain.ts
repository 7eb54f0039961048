// balancing explain: what becomes of one connection, step by step; needs neither root nor a kernel.

import { selfOf } from "../agent/self.ts";
import { UsageError } from "../config/command_line.ts";
import { manifestsName, readManifests } from "../hub/manifests/manifests.ts";
import type { L4Address } from "../model/address.ts";
import { l4Parts, parseL4Address } from "../model/address.ts";
import type { ConsideredEndpoint, Explanation, Question } from "../plan/explain/explanation.ts";
import { explain as explainConnection } from "../plan/explain.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

export const explain: Command = {
	flags: ["manifests", "node-name", "reach", "external-ips", "from", "output"],
	argument: "IP:PORT[/udp]",
	async run(env, config, [typed]) {
		const asked = readAddress(typed);
		if (config.manifests.length === 0) throw new UsageError("Cannot explain without a source: give --manifests PATH");
		const hubs = await Promise.all(
			config.manifests.map(async (path) => ({ name: manifestsName(path), cluster: await readManifests(path) })),
		);
		const question: Question = { client: { scope: config.from }, ...l4Parts(asked) };
		const explanation = explainConnection(hubs, selfOf(config, []), question);
		env.out(config.output === "json" ? json({ question, ...explanation }) : render(asked, explanation));
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

/** One line for each step and each endpoint; the last one says what becomes of it. */
function render(asked: L4Address, explanation: Explanation): string {
	const { steps, endpoints, because } = explanation;
	const lines = [
		...steps,
		...endpoints.map(renderEndpoint),
		`${renderVerdict(asked, explanation)}, because ${because}`,
	];
	return lines.map((line) => `${line}\n`).join("");
}

const USES = { new: "new connections", flows: "only UDP flows that it has", none: "not used" } as const;

function renderEndpoint({ address, node, use, through, why }: ConsideredEndpoint): string {
	const where = node === "" ? "" : ` on node ${node}`;
	const way = through.length === 0 || through[0] === address ? "" : `, through ${through.join(" ")}`;
	return `  ${address}${where}: ${USES[use]}${way} (${why})`;
}

function renderVerdict(asked: L4Address, { verdict, frontend }: Explanation): string {
	switch (verdict.kind) {
		case "pass":
			return `would connect to ${asked} as it is`;
		case "refuse":
			return `would be refused with ${verdict.errno}`;
		case "translate": {
			const sticky = frontend?.affinity === undefined ? "" : ", always the same one for a client";
			return `would connect to ${verdict.active.join(" or ")}${sticky}`;
		}
	}
}
