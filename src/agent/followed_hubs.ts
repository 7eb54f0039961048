// The hubs of a configuration, followed, and this host's Node annotated where they let us.

import type { Config } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { collectGarbage } from "../lib/garbage.ts";
import type { Log } from "../lib/log.ts";
import { openHubs } from "./hub_sources.ts";
import { followHubs, type Hubs, type HubsOptions } from "./hubs.ts";
import { annotateNodes } from "./node_annotations.ts";
import type { AgentOwnWay } from "./own_way.ts";

export interface FollowedOptions extends Pick<HubsOptions, "isKernelEmpty" | "signal" | "onChange"> {
	readonly config: Config;
	/** One for each hub. */
	readonly ownWay: () => AgentOwnWay;
	readonly log: Log;
}

/** The first copy is on disk when the start is over: then what it has left behind is collected, which takes some ten milliseconds. */
function createTidyUp(): () => void {
	let isOver = false;
	return () => {
		if (isOver) return;
		isOver = true;
		collectGarbage();
	};
}

/** Starts at once. */
export function followConfigured(options: FollowedOptions): Hubs {
	const { config, log, signal, onChange } = options;
	const sources = openHubs(config, options);
	const hubs = followHubs({
		...options,
		sources,
		clock: systemClock,
		onKept: createTidyUp(),
		onChange() {
			onChange();
			annotations.call();
		},
	});
	const annotations = annotateNodes({ config, sources, snapshots: hubs.snapshots, log, signal });
	return { ...hubs, stopped: Promise.all([hubs.stopped, annotations.stopped]).then(() => {}) };
}
