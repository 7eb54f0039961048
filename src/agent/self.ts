// What the agent is, as its configuration says it.

import type { Config } from "../config.ts";
import type { Ip } from "../model/address.ts";
import type { Self } from "../plan/plan_types.ts";

export function selfOf(config: Config, addresses: readonly Ip[]): Self {
	return {
		nodeName: config["node-name"],
		reach: config.reach,
		addresses,
		refusesExternalIps: config["external-ips"] === "refuse",
		redirectLimit: config["redirect-qos-limit"],
	};
}
