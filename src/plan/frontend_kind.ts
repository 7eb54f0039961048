// What people call the kinds of addresses.

import type { FrontendMode } from "./plan_types.ts";

export const FRONTEND_KIND: Readonly<Record<FrontendMode, string>> = {
	ServiceClusterIP: "a cluster IP",
	ServiceNodeport: "a node port",
	ServiceLoadbalancer: "a load balancer's address",
	ServiceExternalIP: "an external IP",
	Canary: "the agent's own check",
};
