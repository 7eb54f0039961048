// The one API server that a controller works for.

import { UsageError } from "../../config/command_line.ts";
import type { Config } from "../../config.ts";
import { type ApiServerHub, watchKubernetes } from "../../hub/kubernetes/kubernetes.ts";
import type { Log } from "../../lib/log.ts";
import { getVersion } from "../../version.ts";
import { demandHubs, kubernetesSource } from "../hub_sources.ts";

/** Throws UsageError unless the configuration means one API server that can be logged in to. */
export function demandOneApiServer(config: Config): void {
	const [hub, ...more] = config.hubs;
	if (hub?.kind !== "kubernetes" || more.length > 0) {
		throw new UsageError(
			"Cannot run a controller for these hubs: it works for one API server; give --kubeconfig FILE once, or nothing in a Pod",
		);
	}
	demandHubs(config);
}

export function openControllerHub(config: Config, log: Log, signal: AbortSignal): ApiServerHub {
	const [choice] = config.hubs;
	const source = choice?.kind === "kubernetes" ? kubernetesSource(choice, config.surroundings) : undefined;
	if (choice?.kind !== "kubernetes" || source === undefined) throw new UsageError("Cannot find an API server");
	return watchKubernetes({
		audience: { kind: "cluster" },
		source,
		log,
		signal,
		apiServer: choice.apiServer,
		proxies: config.surroundings.proxies,
		userAgent: `balancing-controller/${getVersion().version}`,
	});
}
