// balancing frontends: what resolves to what, from the kernel's maps.

import { openMaps } from "../datapath/datapath.ts";
import { type FrontendView, viewFrontends } from "../datapath/view.ts";
import { table } from "../lib/table.ts";
import { CANARY } from "../plan/canary.ts";
import type { FrontendMode } from "../plan/plan_types.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

function backendList({ backends }: FrontendView): string {
	if (backends.length === 0) return "(refused: no backend)";
	return backends
		.map(({ address, state, weight }) => {
			const share = weight > 1 ? ` x${weight}` : "";
			return `${address ?? "(missing)"}${share}${state === "active" ? "" : ` (${state})`}`;
		})
		.join(" ");
}

/** In the words of Services and policies. */
const KINDS: Readonly<Record<FrontendMode, string>> = {
	ServiceClusterIP: "ClusterIP",
	ServiceNodeport: "NodePort",
	ServiceLoadbalancer: "LoadBalancer",
	ServiceExternalIP: "ExternalIP",
	localRedirectService: "LocalRedirect",
	localRedirectAddress: "LocalRedirect",
	balancingPod: "Balancing",
	balancingHostPort: "Balancing",
	balancingNodeProxy: "Balancing",
	balancingAddress: "Balancing",
	Canary: "Canary",
};

/** `LocalRedirect 100/s`; `ClusterIP (next)` for those who go past the redirect of the address. */
function kindOf({ mode, limit, isNext }: FrontendView): string {
	const most = limit === null || limit === 0 ? "" : ` ${limit}/s`;
	return `${KINDS[mode]}${most}${isNext ? " (next)" : ""}`;
}

function row(view: FrontendView): readonly string[] {
	return [view.name, view.address, kindOf(view), String(view.resolved), String(view.refused), backendList(view)];
}

/** A line for each, for a terminal. */
export function renderFrontends(views: readonly FrontendView[]): string {
	return table(["FRONTEND", "ADDRESS", "KIND", "RESOLVED", "REFUSED", "BACKENDS"], views.map(row));
}

export const frontends: Command = {
	flags: ["pin-path", "output"],
	async run(env, config) {
		const canaries = new Set(CANARY.frontends.map(({ address }) => address));
		using open = openMaps(config["pin-path"]);
		const views = viewFrontends(open.maps).filter(({ address }) => !canaries.has(address));
		if (config.output === "json") env.out(json(views));
		else env.out(renderFrontends(views));
		return EXIT_OK;
	},
};
