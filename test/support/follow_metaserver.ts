// A client that follows a test hub's MetaServer as the agent does.

import { type MetaServerHub, type MetaServerOptions, watchMetaServer } from "../../src/hub/metaserver/metaserver.ts";
import { AUDIENCE, type Following, follow, KINDS } from "./follow_hub.ts";
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
	// Not 0: a wait of ours shall not look like the limit of an answer.
	const client = follow((given) =>
		watchMetaServer({ url: server.url, audience: AUDIENCE, ...given, random: () => 0.01, ...options }),
	);
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

const NODE = {
	apiVersion: "v1",
	kind: "Node",
	metadata: { name: "edge-1" },
	status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
};

/** A cluster with these objects, and a MetaServer on its one node. */
export async function metaPlace(objects: readonly object[], quirks: Partial<MetaQuirks> = {}): Promise<MetaPlace> {
	const cloud = await startHub();
	cloud.apply([...objects, NODE]);
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

/** Time goes on for so many seconds; whatever is asked for meanwhile is answered, read and shown before it goes on. */
export async function pass(client: MetaFollower, seconds: number): Promise<void> {
	for (let left = seconds; left > 0; left--) {
		client.clock.jump(Math.min(left, 1) * 1000);
		await rest(client);
	}
}

/** The same until it is so. */
export async function passUntil(client: MetaFollower, what: string, condition: () => boolean): Promise<void> {
	await until(what, async () => {
		if (condition()) return true;
		await pass(client, 1);
		return condition();
	});
}

/** Whatever was sent by the watches up to now has been read. */
export async function heard({ server }: Pick<MetaPlace, "server">, client: MetaFollower): Promise<void> {
	const marks = () => client.log.filter((line) => line.endsWith("its type is unknown")).length;
	const before = marks();
	const watches = server.watches();
	for (const watch of watches) watch.text('{"type":"MARK","object":{}}\n');
	await until("all events read", () => marks() >= before + watches.length);
}

/** Nothing is under way in the client: it waits for time, or for the watches. */
async function rest({ clock }: MetaFollower): Promise<void> {
	const isBusy = () => clock.sleeping().some((asked) => asked <= SHOWING || (asked > ANSWER - 10 && asked <= ANSWER));
	for (let quiet = 0; quiet < 3; quiet++) {
		await new Promise(setImmediate);
		if (!isBusy()) continue;
		await until("answered, read and shown", () => !isBusy());
		quiet = 0;
	}
}

/** What the client gives an answer, and itself between two snapshots. Milliseconds. */
const ANSWER = 30_000;
const SHOWING = 20;

/** All kinds are watched, and lists have told what is true of what the watches began with. */
export async function settled(place: MetaPlace, client: MetaFollower): Promise<void> {
	await until("all kinds watched", () => place.server.watches().length === KINDS);
	await heard(place, client);
	await pass(client, 8);
}
