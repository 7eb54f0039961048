// balancing plan: what would be programmed, as text; needs neither root nor a kernel.

import { selfOf } from "../agent/self.ts";
import { UsageError } from "../config/command_line.ts";
import { manifestsName, readManifests } from "../hub/manifests/manifests.ts";
import { CANARY_OBJECT } from "../plan/canary.ts";
import { planFresh } from "../plan/plan.ts";
import { planToJson, renderPlan } from "../plan/render.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

export const plan: Command = {
	flags: ["manifests", "node-name", "reach", "external-ips", "redirect-qos-limit", "output"],
	async run(env, config) {
		if (config.manifests.length === 0) throw new UsageError("Cannot plan without a source: give --manifests PATH");
		const readHub = (path: string) => readManifests(path, config["node-name"]);
		const hubs = await Promise.all(
			config.manifests.map(async (path) => ({ name: manifestsName(path), cluster: await readHub(path) })),
		);
		const whole = planFresh(hubs, selfOf(config, []));
		// Our canaries are in every plan and concern nobody.
		const chunks = new Map([...whole.chunks].filter(([object]) => object !== CANARY_OBJECT));
		const wanted = { ...whole, chunks };
		env.out(config.output === "json" ? json(planToJson(wanted)) : renderPlan(wanted));
		return EXIT_OK;
	},
};
