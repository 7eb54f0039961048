// What people call the kinds of addresses.

import type { FrontendMode } from "./plan_types.ts";

export const FRONTEND_KIND: Readonly<Record<FrontendMode, string>> = {
	ServiceClusterIP: "a cluster IP",
	ServiceNodeport: "a node port",
	ServiceLoadbalancer: "a load balancer's address",
	ServiceExternalIP: "an external IP",
	localRedirectService: "a local redirect of a Service",
	localRedirectAddress: "a local redirect of an address",
	balancingPod: "a balancing policy to pods",
	balancingHostPort: "a balancing policy to host ports",
	balancingNodeProxy: "a balancing policy to node proxies",
	balancingAddress: "a balancing policy to addresses",
	Canary: "the agent's own check",
};
