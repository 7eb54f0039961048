// An agent on two clusters: each comes, goes and changes on its own, and a global Service fails over and back.

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { needsOf } from "../../src/hub/kinds/needs.ts";
import { type AgentPlace, type AgentProcess, agentPlace, programmed, serviceYaml } from "../support/agent_place.ts";
import { client } from "../support/client.ts";
import { type Clusters, sharedKubeconfig, shop, twoClusters } from "../support/clusters.ts";
import { lab } from "../support/lab.ts";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(180_000);
/** A server that was away for long is asked again after up to 30 s; what some hubs say waits 5 s for the others. Milliseconds. */
const PATIENCE = 60_000;

function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
	return until(what, condition, PATIENCE);
}

/** A server that was away is followed again. */
function readyAgain(agent: AgentProcess): Promise<void> {
	return eventually("ready again", async () => (await agent.page("/readyz"))?.status === 200);
}

const EAST = "10.96.1.1";
const WEST = "10.96.2.1";

/** What the kernel holds, by frontend. */
async function held(place: AgentPlace): Promise<Readonly<Record<string, readonly string[]>>> {
	const { code, out } = await place.run("frontends", "-o", "json");
	return code === 0 ? programmed(out) : {};
}

function holds(place: AgentPlace, address: string, ...backends: readonly string[]): Promise<void> {
	return eventually(
		`${address} leading to ${backends}`,
		async () => String((await held(place))[address]) === String(backends),
	);
}

function lacks(place: AgentPlace, address: string): Promise<void> {
	return eventually(`${address} gone`, async () => !Object.hasOwn(await held(place), address));
}

async function status(agent: AgentProcess) {
	return JSON.parse((await agent.page("/status"))?.body ?? "{}");
}

/** A file for each, in the order in which they win. */
function flagsFor(place: AgentPlace, { east, west }: Clusters): readonly string[] {
	return Object.entries({ east, west }).map(([name, hub]) => {
		writeFileSync(`${place.folder}/${name}`, hub.kubeconfig());
		return `--kubeconfig=${place.folder}/${name}`;
	});
}

test("two kubeconfigs: Services of both, a conflict for the later one, and each API server dies and comes back alone", async () => {
	await using clusters = await twoClusters();
	const { east, west } = clusters;
	using place = agentPlace();
	east.apply(serviceYaml("web", EAST, ["10.1.0.1"]));
	east.apply(serviceYaml("old", "10.96.1.2", ["10.1.0.2"]));
	west.apply(serviceYaml("web", WEST, ["10.2.0.1"]));
	west.apply(serviceYaml("thief", EAST, ["10.2.0.2"]));
	const flags = flagsFor(place, clusters);
	const [eastName, westName] = ["east", "west"].map((name) => `Kubernetes, current context of ${place.folder}/${name}`);
	{
		await using agent = place.start({ flags });
		await agent.ready();
		expect(await held(place)).toEqual({
			[`${EAST}:80/TCP`]: ["10.1.0.1:8080/TCP"],
			"10.96.1.2:80/TCP": ["10.1.0.2:8080/TCP"],
			[`${WEST}:80/TCP`]: ["10.2.0.1:8080/TCP"],
		});
		const { hubs, problems } = await status(agent);
		expect(hubs.map(({ name, synced }: { name: string; synced: boolean }) => [name, synced])).toEqual([
			[`manifests ${place.manifests}`, true],
			[eastName, true],
			[westName, true],
		]);
		expect(problems).toEqual([
			{
				object: "Service demo/thief",
				field: "spec.clusterIPs",
				source: westName,
				reason: "FrontendConflict",
				message: `${EAST}:80/TCP belongs to Service demo/web of ${eastName}, an earlier hub: put this hub before it, or give one of the two another address`,
			},
		]);

		// Both have read their kinds, and say which hub they speak of.
		const read = agent.log().filter(({ msg }) => msg === "Read completely");
		expect(new Set(read.map(({ hub }) => hub))).toEqual(new Set([eastName, westName]));
		expect(read).toHaveLength(2 * needsOf({ kind: "node", nodeName: "n1" }).length);

		await west.kill();
		await eventually("west stale", async () => (await status(agent)).hubs[2].staleSince !== null);
		expect((await status(agent)).hubs[1].staleSince).toBeNull();
		const metrics = (await agent.page("/metrics"))?.body ?? "";
		expect(metrics).toContain(`balancing_hub_stale_seconds{hub="${eastName}"} 0\n`);
		expect(metrics).not.toContain(`balancing_hub_stale_seconds{hub="${westName}"} 0\n`);
		east.apply(serviceYaml("web", EAST, ["10.1.0.3"]));
		await holds(place, `${EAST}:80/TCP`, "10.1.0.3:8080/TCP");
		expect((await held(place))[`${WEST}:80/TCP`]).toEqual(["10.2.0.1:8080/TCP"]);
		// The address is free: the other one's Service gets it, though its server is away.
		east.delete("Service", "demo", "web");
		await holds(place, `${EAST}:80/TCP`, "10.2.0.2:8080/TCP");
		east.apply(serviceYaml("web", EAST, ["10.1.0.3"]));
		await holds(place, `${EAST}:80/TCP`, "10.1.0.3:8080/TCP");
		await agent.stop("SIGKILL");
	}
	// A new agent, and still no west: what the kernel has of it stays, and what east takes away goes.
	await using agent = place.start({ flags });
	east.apply(serviceYaml("web", EAST, ["10.1.0.4"]));
	await holds(place, `${EAST}:80/TCP`, "10.1.0.4:8080/TCP");
	east.delete("Service", "demo", "old");
	await lacks(place, "10.96.1.2:80/TCP");
	expect((await held(place))[`${WEST}:80/TCP`]).toEqual(["10.2.0.1:8080/TCP"]);
	const { ready, notReady, hubs } = await status(agent);
	expect([ready, notReady.length, hubs[2].synced]).toEqual([false, 1, false]);
	expect(notReady[0]).toStartWith(`${westName} has not been read yet: `);
	const text = await place.run("status");
	expect(text.code).toBe(1);
	expect(text.out).toContain(`Hub         ${westName}: not read yet: `);

	await west.restart();
	west.delete("Service", "demo", "web");
	await readyAgain(agent);
	await lacks(place, `${WEST}:80/TCP`);
	await east.kill();
	await eventually("east stale", async () => (await status(agent)).hubs[1].staleSince !== null);
	west.apply(serviceYaml("new", WEST, ["10.2.0.4"]));
	await holds(place, `${WEST}:80/TCP`, "10.2.0.4:8080/TCP");
	expect((await status(agent)).ready).toBe(true);
	expect(await agent.stop("SIGTERM")).toBe(0);
});

test("one kubeconfig with two contexts: the order in which they are typed is the order in which they win", async () => {
	await using clusters = await twoClusters();
	using place = agentPlace();
	clusters.east.apply(serviceYaml("web", EAST, ["10.1.0.1"]));
	clusters.west.apply(serviceYaml("web", EAST, ["10.2.0.1"]));
	const file = `${place.folder}/kubeconfig`;
	writeFileSync(file, sharedKubeconfig(clusters));
	for (const [first, other, backend] of [
		["west", "east", "10.2.0.1:8080/TCP"],
		["east", "west", "10.1.0.1:8080/TCP"],
	] as const) {
		await using agent = place.start({ flags: [`--context=${first}`, `--kubeconfig=${file}`, `--context=${other}`] });
		await agent.ready();
		expect(await held(place)).toEqual({ [`${EAST}:80/TCP`]: [backend] });
		const { hubs, problems } = await status(agent);
		expect(hubs.slice(1).map(({ name }: { name: string }) => name)).toEqual([
			`Kubernetes, context ${first} of ${file}`,
			`Kubernetes, context ${other} of ${file}`,
		]);
		expect(problems).toMatchObject([{ reason: "FrontendConflict", source: `Kubernetes, context ${other} of ${file}` }]);
		await agent.stop("SIGTERM");
	}
});

test("a global Service leads to its own cluster, to the other one while that has nothing, and back; no flow breaks", async () => {
	await using clusters = await twoClusters();
	const { east, west } = clusters;
	using net = await lab();
	using place = agentPlace();
	const [inEast, inWest] = ["10.202.1.1", "10.202.2.1"];
	east.apply(shop({ ip: EAST, ready: [inEast] }));
	west.apply(shop({ ip: WEST, ready: [inWest] }));
	await using agent = place.start({ flags: flagsFor(place, clusters) });
	await agent.ready();
	await using user = client({ netns: net.clients.name, cgroup: place.cgroup.path });

	/** Where new connections arrive, over either address and protocol. */
	async function reached(): Promise<readonly string[]> {
		const servers = new Set<string>();
		for (const ip of [EAST, WEST]) {
			await user.each("socket z inet tcp", `connect z ${ip} 80`);
			servers.add(parseAnswer(await user.ask("recv z")).server);
			await user.each("close z", "socket z inet udp", `sendto z ${ip} 53 x`);
			servers.add(parseAnswer((await user.ask("recvfrom z")).split(" ").slice(2).join(" ")).server);
			await user.each("close z");
		}
		return [...servers].sort();
	}
	const reaches = (server: string) =>
		eventually(`at ${server}`, async () => String(await reached()) === `${server} 5353,${server} 8080`);
	/** Where the flow of a socket arrives that has it since long, and whom the client sees answer. */
	async function flow(socket: string): Promise<string> {
		await user.ask(`sendto ${socket} ${EAST} 53 x`);
		const [ip, port, ...rest] = (await user.ask(`recvfrom ${socket}`)).split(" ");
		return `${ip} ${port} from ${parseAnswer(rest.join(" ")).server}`;
	}

	await reaches(inEast);
	await user.each("socket a inet udp", "socket t inet tcp", `connect t ${WEST} 80`);
	expect(parseAnswer(await user.ask("recv t")).server).toBe(`${inEast} 8080`);
	expect(await flow("a")).toBe(`${EAST} 53 from ${inEast} 5353`);

	east.apply(shop({ ip: EAST, stopping: [inEast] }));
	await reaches(inWest);
	await user.ask("socket b inet udp");
	expect([await flow("a"), await flow("b")]).toEqual([
		`${EAST} 53 from ${inEast} 5353`,
		`${EAST} 53 from ${inWest} 5353`,
	]);
	await user.ask("send t hello");
	expect(await user.ask("recv t")).toBe("hello");

	east.apply(shop({ ip: EAST, ready: [inEast] }));
	await reaches(inEast);
	expect([await flow("a"), await flow("b")]).toEqual([
		`${EAST} 53 from ${inEast} 5353`,
		`${EAST} 53 from ${inWest} 5353`,
	]);

	// What was known of west is good enough, though its server is gone.
	await west.kill();
	east.apply(shop({ ip: EAST }));
	await reaches(inWest);
	await west.restart();

	// Without the annotation on one of them they are two, and east's has nothing.
	west.apply(shop({ ip: WEST, global: false, ready: [inWest] }));
	await eventually("refused", async () => {
		await user.ask("socket z inet tcp");
		const answer = await user.run(`connect z ${EAST} 80`);
		await user.ask("close z");
		return answer === "ECONNREFUSED";
	});
	await user.each("socket z inet tcp", `connect z ${WEST} 80`);
	expect(parseAnswer(await user.ask("recv z")).server).toBe(`${inWest} 8080`);
	expect((await status(agent)).problems).toEqual([]);
});

test("an agent that starts anew while a cluster is away changes nothing of what leads there, and follows the other one", async () => {
	await using clusters = await twoClusters();
	const { east, west } = clusters;
	using net = await lab();
	using place = agentPlace();
	const [inEast, inWest] = ["10.202.1.1", "10.202.2.1"];
	east.apply(shop({ ip: EAST, ready: [inEast] }));
	east.apply(serviceYaml("web", "10.96.1.2", ["10.1.0.2"]));
	west.apply(shop({ ip: WEST, ready: [inWest] }));
	west.apply(serviceYaml("thief", "10.96.1.2", ["10.2.0.2"]));
	const flags = flagsFor(place, clusters);
	await using user = client({ netns: net.clients.name, cgroup: place.cgroup.path });
	const flow = async () => {
		await user.ask(`sendto a ${WEST} 53 x`);
		return parseAnswer((await user.ask("recvfrom a")).split(" ").slice(2).join(" ")).server;
	};
	{
		await using agent = place.start({ flags });
		await agent.ready();
		await user.ask("socket a inet udp");
		expect(await flow()).toBe(`${inEast} 5353`);
		expect(await agent.stop("SIGTERM")).toBe(0);
	}
	const before = await place.run("maps", "frontends");
	await east.kill();
	await using agent = place.start({ flags });
	west.apply(serviceYaml("new", "10.96.2.3", ["10.2.0.3"]));
	await holds(place, "10.96.2.3:80/TCP", "10.2.0.3:8080/TCP");
	// Not an element of what was there has been written anew: not even for a moment did it lead elsewhere.
	const after = (await place.run("maps", "frontends")).out.split("\n");
	for (const line of before.out.split("\n").slice(1)) expect(after).toContain(line);
	expect(await flow()).toBe(`${inEast} 5353`);
	const { ready, hubs, problems } = await status(agent);
	expect([ready, hubs[1].synced, hubs[2].synced]).toEqual([false, false, true]);
	expect(hubs[1].copyOf).toBe(hubs[1].staleSince);
	expect(problems).toMatchObject([{ object: "Service demo/thief", reason: "FrontendConflict" }]);
	expect((await agent.page("/metrics"))?.body).toContain(
		`balancing_hub_copy_timestamp_seconds{hub="${hubs[1].name}"} `,
	);
	await east.restart();
	await readyAgain(agent);
	expect((await agent.page("/metrics"))?.body).not.toContain("hub_copy_timestamp_seconds");
	expect(await flow()).toBe(`${inEast} 5353`);
});
