// The agent on a KubeEdge edge node: what its MetaServer says gets into the kernel, and stays there while the cloud is away.

import { expect, test } from "bun:test";
import { type AgentPlace, agentPlace, programmed, serviceYaml } from "../support/agent_place.ts";
import { KINDS } from "../support/follow_hub.ts";
import { startHub } from "../support/hub/hub.ts";
import { startMetaServer } from "../support/hub/metaserver.ts";
import { until } from "../support/wait.ts";

/** What the kernel holds, by frontend. */
async function held(place: AgentPlace): Promise<Readonly<Record<string, readonly string[]>>> {
	const { code, out } = await place.run("frontends", "-o", "json");
	// Nothing is pinned yet.
	return code === 0 ? programmed(out) : {};
}

test("the agent follows a MetaServer, and an edge node that is restarted without the cloud serves on", async () => {
	await using cloud = await startHub();
	for (let number = 1; number <= 12; number++) {
		cloud.apply(serviceYaml(`web${number}`, `10.96.0.${100 + number}`, [`10.1.0.${number}`]));
	}
	await using server = await startMetaServer(cloud);
	using place = agentPlace();
	const flags = [`--metaserver=${server.url}`];
	const hub = async (agent: { page(path: string): Promise<{ readonly body: string } | undefined> }) =>
		JSON.parse((await agent.page("/status"))?.body ?? '{"hubs":[]}').hubs[1];
	{
		await using agent = place.start({ flags });
		await agent.ready();
		expect(Object.keys(await held(place))).toHaveLength(12);
		expect(await hub(agent)).toMatchObject({
			name: `MetaServer ${server.url}`,
			synced: true,
			staleSince: null,
			troubles: [],
		});
		await until("its watches", () => server.watches().length === KINDS);
		cloud.apply(serviceYaml("web1", "10.96.0.101", ["10.1.0.99"]));
		cloud.delete("Service", "demo", "web12");
		await until("the change and the deletion", async () => {
			const now = await held(place);
			return String(now["10.96.0.101:80/TCP"]) === "10.1.0.99:8080/TCP" && now["10.96.0.112:80/TCP"] === undefined;
		});
		// The address of the API server's own Service is left alone.
		expect(Object.keys(await held(place)).filter((address) => address.includes(":443/"))).toEqual([]);
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	// The node comes back without the cloud: its store has lost nearly everything, and the kernel is as an agent left it.
	server.set({ link: "down" });
	server.forget("Service");
	server.forget("EndpointSlice");
	await using agent = place.start({ flags });
	await agent.ready();
	expect(Object.keys(await held(place))).toHaveLength(11);
	const { code, out } = await place.run("status");
	expect(code).toBe(0);
	expect(out).toMatch(
		/MetaServer http:\S+: synced, last change \S+: A list that the cloud has not answered lacks 11 of 11 objects: .*It answers from its own store, without the cloud, since 20/,
	);
	expect(out).toContain("Doubtful");
	// And a new one from the cloud.
	server.set({ link: "up" });
	cloud.apply(serviceYaml("last", "10.96.0.120", ["10.1.0.120"]));
	await until("the new Service", async () => (await held(place))["10.96.0.120:80/TCP"] !== undefined);
	expect(Object.keys(await held(place))).toHaveLength(12);
	expect(await agent.stop("SIGTERM")).toBe(0);
}, 60_000);

test("after a boot without the cloud an agent serves from the copy, then from MetaServer and copy together", async () => {
	await using cloud = await startHub();
	cloud.apply(serviceYaml("web", "10.96.0.9", ["10.1.0.1"]));
	cloud.apply(serviceYaml("more", "10.96.0.10", ["10.1.0.2"]));
	await using server = await startMetaServer(cloud);
	using place = agentPlace();
	const flags = [`--metaserver=${server.url}`];
	{
		await using agent = place.start({ flags });
		await agent.ready();
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	// All that a boot takes away; the MetaServer starts later than the agent, and with nothing.
	expect((await place.run("detach")).code).toBe(0);
	await server.stop();
	server.set({ link: "down" });
	server.forget("Service");
	server.forget("EndpointSlice");
	await using agent = place.start({ flags });
	await until("the copy in the kernel", async () => Object.keys(await held(place)).length === 2);
	expect((await agent.page("/readyz"))?.body).toMatch(
		/MetaServer \S+ has not been read yet: .*is the MetaServer running there/,
	);
	await server.start();
	await agent.ready();
	expect(await held(place)).toMatchObject({
		"10.96.0.9:80/TCP": ["10.1.0.1:8080/TCP"],
		"10.96.0.10:80/TCP": ["10.1.0.2:8080/TCP"],
	});
	expect(await agent.stop("SIGTERM")).toBe(0);
}, 60_000);
