// The agent's way to its hub where its own frontends are in the way; everybody else goes by them as ever.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type AgentPlace, type AgentProcess, agentPlace, execute, SOURCES } from "../support/agent_place.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { until } from "../support/wait.ts";

interface Claim {
	readonly namespace: string;
	readonly name: string;
	readonly port: number;
	/** Addresses; with none there is no slice. */
	readonly endpoints: readonly string[];
	readonly endpointPort?: number;
}

/** A Service that has 127.0.0.1 and this port as its own. */
function claim({ namespace, name, port, endpoints, endpointPort = port }: Claim): readonly object[] {
	const service = {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace },
		spec: { clusterIP: "127.0.0.1", clusterIPs: ["127.0.0.1"], ports: [{ name: "https", port, protocol: "TCP" }] },
	};
	const slice = {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
		addressType: "IPv4",
		endpoints: endpoints.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
		ports: [{ name: "https", port: endpointPort, protocol: "TCP" }],
	};
	return endpoints.length === 0 ? [service] : [service, slice];
}

/** Nobody listens there. */
const DEAD = { endpoints: ["127.0.0.3"], endpointPort: 9 } as const;

/** A command that runs in the place's cgroup. */
function inside(place: AgentPlace, ...command: readonly string[]): readonly string[] {
	return ["sh", "-c", `echo $$ > ${place.cgroup.path}/cgroup.procs && exec "$@"`, "sh", ...command];
}

interface Started {
	readonly flags: readonly string[];
	start(program?: readonly string[]): AgentProcess;
}

/** Agents that are clients of their own programs, of a hub at 127.0.0.1. */
function agents(server: TestHub, place: AgentPlace): Started {
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig({ server: `https://127.0.0.1:${server.port}` }));
	const flags = [`--kubeconfig=${kubeconfig}`];
	return { flags, start: (program = inside(place, ...SOURCES)) => place.start({ program, flags }) };
}

/** What somebody else in the cgroup meets at 127.0.0.1. */
async function neighbour(place: AgentPlace, port: number): Promise<string> {
	const { code, err } = await execute(inside(place, "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`), {
		LC_ALL: "C",
	});
	return code === 0 ? "connected" : (/Connection refused/.exec(err)?.[0] ?? err);
}

interface View {
	readonly address: string;
	readonly name: string;
	readonly backends: readonly { readonly address: string }[];
	readonly resolved: number;
	readonly refused: number;
}

/** The frontend of this name as the kernel holds it. */
async function frontend(place: AgentPlace, name: string): Promise<View | undefined> {
	const { code, out } = await place.run("frontends", "-o", "json");
	const views: readonly View[] = code === 0 ? JSON.parse(out) : [];
	return views.find((view) => view.name.startsWith(`${name}:`));
}

async function troubles(agent: AgentProcess): Promise<string> {
	const status = JSON.parse((await agent.page("/status"))?.body ?? "{}");
	return (status.hubs?.[1]?.troubles ?? []).join("; ");
}

async function proved(agent: AgentProcess): Promise<boolean> {
	return JSON.parse((await agent.page("/status"))?.body ?? "{}").attachment?.proved === true;
}

function said(agent: AgentProcess, message: string): number {
	return agent.log().filter(({ msg }) => msg === message).length;
}

const REACHED = "The hub is reached without translation: this frontend does not lead to it";

test.each([
	["without endpoints", { endpoints: [] }],
	["with dead endpoints", DEAD],
])(
	"a Service %s that claims the hub's own address cuts nobody off but others",
	async (_, endpoints) => {
		await using server = await startHub({ kubernetes: false });
		using place = agentPlace();
		const { port } = server;
		const { start } = agents(server, place);
		server.apply(claim({ namespace: "demo", name: "claim", port, ...endpoints }));
		{
			await using agent = start();
			await agent.ready();
			expect((await frontend(place, "demo/claim"))?.address).toBe(`127.0.0.1:${port}/TCP`);
			expect(await neighbour(place, port)).toBe("Connection refused");
			await agent.stop("SIGKILL");
		}
		// The kernel still says what the Service said: this one was never connected before.
		await using agent = start();
		await agent.ready();
		expect(await troubles(agent)).toBe(
			`It is reached without translation: 127.0.0.1:${port}/TCP (demo/claim:https) does not lead to it`,
		);
		expect(said(agent, REACHED)).toBe(1);
		expect(await proved(agent)).toBe(true);
		expect(await neighbour(place, port)).toBe("Connection refused");

		await server.kill();
		await server.restart();
		server.apply(claim({ namespace: "demo", name: "other", port: 1, endpoints: ["127.0.0.1"] }));
		await until("news after the hub's restart", async () => (await frontend(place, "demo/other")) !== undefined);
		const { resolved, refused } = (await frontend(place, "demo/claim")) ?? {};
		server.delete("Service", "demo", "claim");
		await until("the Service gone", async () => (await frontend(place, "demo/claim")) === undefined);
		expect([resolved, refused]).not.toEqual([0, 0]);
		expect(await troubles(agent)).toBe("");
		expect(await neighbour(place, port)).toBe("connected");
	},
	60_000,
);
