// Very many agents in one process: the product's own client, or what client-go would do, each with its own way to the hub.

import { needsOf } from "../../src/hub/kinds/needs.ts";
import { watchApi } from "../../src/hub/kubernetes/kubernetes.ts";
import { ONE_WAY } from "../../src/hub/own_way.ts";
import type { Access } from "../../src/hub/request/access.ts";
import { type Api, createApi } from "../../src/hub/request/api.ts";
import type { Log } from "../../src/lib/log.ts";
import { followLikeClientGo } from "./reconnect_client_go.ts";
import type { VirtualClock } from "./reconnect_clock.ts";
import type { ModelHub } from "./reconnect_hub.ts";
import { AUDIENCE, type Meter } from "./reconnect_meter.ts";

export interface AgentOptions {
	readonly clock: VirtualClock;
	readonly hub: ModelHub;
	readonly meter: Meter;
	readonly random: () => number;
	readonly signal: AbortSignal;
}

export type Policy = "balancing" | "client-go";

const PATHS = needsOf(AUDIENCE).map(({ api, resource }) => `${api}/${resource}`);
const ACCESS: Access = { url: "https://hub.invalid", tls: {}, headers: {}, proxy: undefined };

/** Runs until the signal is aborted. */
export async function runAgent(policy: Policy, agent: number, options: AgentOptions): Promise<void> {
	const { clock, hub, meter, random, signal } = options;
	const credentials = { name: "agent", access: () => Promise.resolve(ACCESS), renew() {} };
	const api = createApi({ credentials, clock, userAgent: "agent", ownWay: ONE_WAY, http: hub.client(agent) });
	if (policy === "client-go") {
		const onList = (): void => meter.shown(agent);
		await Promise.all(PATHS.map((path) => followLikeClientGo({ api, clock, random, path, signal, onList })));
	} else await runOurs(api, agent, options);
}

async function runOurs(api: Api, agent: number, { clock, meter, random, signal }: AgentOptions): Promise<void> {
	const quiet = (): void => {};
	const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
	for await (const _ of watchApi({ api, audience: AUDIENCE, name: "agent", clock, random, log, signal }))
		meter.shown(agent);
}
