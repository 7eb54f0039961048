// A client that follows a test hub's MetaServer as the agent does.

import { type MetaServerHub, type MetaServerOptions, watchMetaServer } from "../../src/hub/metaserver/metaserver.ts";
import { type Following, follow } from "./follow_hub.ts";
import { startHub, type TestHub } from "./hub/hub.ts";
import { type MetaQuirks, startMetaServer, type TestMetaServer } from "./hub/metaserver.ts";
import { until } from "./wait.ts";

export type MetaFollower = Following<MetaServerHub> & {
	/** Time goes on, a second at a time, until it is so. */
	jumpUntil(what: string, condition: () => boolean): Promise<void>;
};

export type MetaFollowOptions = Partial<Omit<MetaServerOptions, "clock" | "log" | "signal">>;

/** Starts at once. */
export function followMetaServer(server: { readonly url: string }, options: MetaFollowOptions = {}): MetaFollower {
	const client = follow((given) => watchMetaServer({ url: server.url, ...given, ...options }));
	return {
		...client,
		jumpUntil: (what, condition) =>
			until(what, () => {
				client.clock.jump(1000);
				return condition();
			}),
	};
}

export interface MetaPlace extends AsyncDisposable {
	readonly cloud: TestHub;
	readonly server: TestMetaServer;
}

/** A cluster with these objects, and a MetaServer on one of its nodes. */
export async function metaPlace(objects: readonly object[], quirks: Partial<MetaQuirks> = {}): Promise<MetaPlace> {
	const cloud = await startHub();
	cloud.apply(objects);
	const server = await startMetaServer(cloud, { quirks });
	return {
		cloud,
		server,
		async [Symbol.asyncDispose]() {
			await server[Symbol.asyncDispose]();
			await cloud[Symbol.asyncDispose]();
		},
	};
}

/** Time goes on for so many seconds, and everything that is asked for meanwhile is answered. */
export async function pass(
	{ server }: Pick<MetaPlace, "server">,
	client: MetaFollower,
	seconds: number,
): Promise<void> {
	for (let second = 0; second < seconds; second++) {
		client.clock.jump(1000);
		// A request goes out in one turn, its answer comes in others.
		await Bun.sleep(1);
		await until("no request under way", () => server.isIdle());
		for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
	}
}

/** Both kinds are watched, and lists have told what is true of what the watches began with. */
export async function settled(place: MetaPlace, client: MetaFollower): Promise<void> {
	await until("both kinds watched", () => place.server.watches().length === 2);
	await pass(place, client, 8);
}
