// The agent's way to its hub where its own frontends are in the way; everybody else goes by them as ever.

import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
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

interface Surroundings {
	/** What runs the agent, in the place's cgroup. */
	readonly around?: readonly string[];
	readonly flags?: readonly string[];
}

/** An agent that is a client of its own programs, and of a hub at 127.0.0.1. */
function start(server: TestHub, place: AgentPlace, { around = [], flags = [] }: Surroundings = {}): AgentProcess {
	const kubeconfig = `${place.folder}/kubeconfig`;
	writeFileSync(kubeconfig, server.kubeconfig({ server: `https://127.0.0.1:${server.port}` }));
	const program = inside(place, ...around, ...SOURCES);
	return place.start({ program, flags: [`--kubeconfig=${kubeconfig}`, ...flags] });
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

/** Of the hub that comes first after the folder of manifests, or of another one. */
async function troubles(agent: AgentProcess, hub = 1): Promise<string> {
	const status = JSON.parse((await agent.page("/status"))?.body ?? "{}");
	return (status.hubs?.[hub]?.troubles ?? []).join("; ");
}

async function proved(agent: AgentProcess): Promise<boolean> {
	return JSON.parse((await agent.page("/status"))?.body ?? "{}").attachment?.proved === true;
}

function said(agent: AgentProcess, message: string): number {
	return agent.log().filter(({ msg }) => msg === message).length;
}

const REACHED = "The hub is reached without translation: this frontend does not lead to it";

/** Whose endpoints a Service has that claims the hub's own address. */
const CLAIMS: readonly (readonly [title: string, endpoints: () => Promise<Endpoints>, neighbour: string])[] = [
	["without endpoints", async () => ({ endpoints: [], ...NOBODY }), "Connection refused"],
	["with dead endpoints", async () => ({ ...DEAD, ...NOBODY }), "Connection refused"],
	["with the endpoints of another API server", stranger, "connected"],
];

interface Endpoints extends AsyncDisposable {
	readonly endpoints: readonly string[];
	readonly endpointPort?: number;
}

const NOBODY: AsyncDisposable = { async [Symbol.asyncDispose]() {} };

/** An API server whose certificate another authority has signed. */
async function stranger(): Promise<Endpoints> {
	const server = await startHub();
	await server.rotateAuthority({ forgetOld: true });
	return {
		endpoints: ["127.0.0.1"],
		endpointPort: server.port,
		[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
	};
}

test.each(CLAIMS)(
	"a Service %s that claims the hub's own address cuts nobody off but others",
	async (_, open, answer) => {
		await using claimed = await open();
		await using server = await startHub({ kubernetes: false });
		using place = agentPlace();
		const { port } = server;
		server.apply(claim({ namespace: "demo", name: "claim", port, ...claimed }));
		{
			await using agent = start(server, place);
			await agent.ready();
			expect((await frontend(place, "demo/claim"))?.address).toBe(`127.0.0.1:${port}/TCP`);
			expect(await neighbour(place, port)).toBe(answer);
			await agent.stop("SIGKILL");
		}
		// The kernel still says what the Service said: this one was never connected before.
		await using agent = start(server, place);
		await agent.ready();
		expect(await troubles(agent)).toBe(
			`It is reached without translation: 127.0.0.1:${port}/TCP (demo/claim:https) does not lead to it`,
		);
		expect(said(agent, REACHED)).toBe(1);
		expect(await proved(agent)).toBe(true);
		// Others go by the frontend, and are counted there.
		const count = async () => {
			const { resolved = 0, refused = 0 } = (await frontend(place, "demo/claim")) ?? {};
			return resolved + refused;
		};
		const before = await count();
		expect(await neighbour(place, port)).toBe(answer);
		expect(await count()).toBe(before + 1);

		await server.kill();
		await server.restart();
		server.apply(claim({ namespace: "demo", name: "other", port: 1, endpoints: ["127.0.0.1"] }));
		await until("news after the hub's restart", async () => (await frontend(place, "demo/other")) !== undefined);
		server.delete("Service", "demo", "claim");
		await until("the Service gone", async () => (await frontend(place, "demo/claim")) === undefined);
		expect(await troubles(agent)).toBe("");
		expect(await neighbour(place, port)).toBe("connected");
	},
	60_000,
);

test("of two hubs one is reached by a frontend, and the other past one", async () => {
	await using first = await startHub({ kubernetes: false });
	await using second = await startHub({ kubernetes: false });
	using place = agentPlace();
	const kubeconfigs = [first, second].map((server, index) => {
		const file = `${place.folder}/kubeconfig-${index}`;
		// Nobody listens at port 8 of 127.0.0.1: the second is reached by a frontend only.
		const url = server === first ? server.url : "https://127.0.0.1:8";
		writeFileSync(file, server.kubeconfig({ server: url }));
		return `--kubeconfig=${file}`;
	});
	const lead = claim({ namespace: "demo", name: "lead", port: 8, endpoints: ["127.0.0.1"], endpointPort: second.port });
	const mislead = claim({ namespace: "demo", name: "mislead", port: first.port, ...DEAD });
	place.write("frontends", [...lead, ...mislead].map((object) => `${JSON.stringify(object)}\n`).join("---\n"));
	const program = inside(place, ...SOURCES);
	{
		await using agent = place.start({ program, flags: kubeconfigs });
		await agent.ready();
		await agent.stop("SIGKILL");
	}
	await using agent = place.start({ program, flags: kubeconfigs });
	await agent.ready();
	const past = `It is reached without translation: 127.0.0.1:${first.port}/TCP (demo/mislead:https) does not lead to it`;
	for (let round = 0; round < 3; round++) {
		for (const server of [first, second]) for (const connection of server.connections()) connection.reset();
		for (const [index, server] of [first, second].entries()) {
			const name = `news-${index}-${round}`;
			server.apply(claim({ namespace: "demo", name, port: 100 + index * 10 + round, endpoints: ["127.0.0.1"] }));
			await until(`${name} in the kernel`, async () => (await frontend(place, `demo/${name}`)) !== undefined);
		}
		await until("no trouble but the first one's way", async () => {
			return (await troubles(agent, 1)) === past && (await troubles(agent, 2)) === "";
		});
	}
}, 60_000);

test("an agent whose copy of default/kubernetes is old learns the new one, and goes by it", async () => {
	await using server = await startHub({ host: "0.0.0.0", kubernetes: false });
	using place = agentPlace();
	const { port } = server;
	const kubernetes = { namespace: "default", name: "kubernetes", port };
	server.apply(claim({ ...kubernetes, ...DEAD }));
	{
		await using agent = start(server, place);
		await agent.ready();
		await agent.stop("SIGKILL");
	}
	await using agent = start(server, place);
	await until("the hub reached", () => said(agent, REACHED) > 0);
	// 127.0.0.1 is left to the kernel's own routes, as it is to kube-proxy on other hosts.
	server.apply(claim({ ...kubernetes, endpoints: ["127.0.0.2"] }));
	await until("the new endpoint", async () => {
		const backends = (await frontend(place, "default/kubernetes"))?.backends ?? [];
		return String(backends.map(({ address }) => address)) === `127.0.0.2:${port}/TCP`;
	});
	await until("no trouble", async () => (await troubles(agent)) === "");
	const before = (await frontend(place, "default/kubernetes"))?.resolved ?? 0;
	for (const connection of server.connections()) connection.reset();
	await until("a connection by the frontend", async () => {
		return ((await frontend(place, "default/kubernetes"))?.resolved ?? 0) > before;
	});
	await until("followed again", async () => (await troubles(agent)) === "");
	expect(said(agent, REACHED)).toBe(1);
}, 60_000);

test("an agent in a PID namespace of its own is known by the kernel's name", async () => {
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const { port } = server;
	server.apply(claim({ namespace: "demo", name: "claim", port, endpoints: [] }));
	const around = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
	{
		await using agent = start(server, place, { around });
		await agent.ready();
		await agent.stop("SIGKILL");
		// That was its parent, which takes it along.
		await until("the agent gone", () => readFileSync(`${place.cgroup.path}/cgroup.procs`, "utf8") === "");
	}
	await using agent = start(server, place, { around });
	await agent.ready();
	expect(JSON.parse((await agent.page("/status"))?.body ?? "{}").pid).toBe(1);
	expect(said(agent, REACHED)).toBe(1);
	expect(await neighbour(place, port)).toBe("Connection refused");
}, 60_000);

/** Says that every name is 127.0.0.1, at 127.0.77.53 port 53. */
async function nameServer(): Promise<Disposable> {
	const socket = createSocket("udp4");
	socket.on("message", (query, from) => {
		const question = query.subarray(12, query.indexOf(0, 12) + 5);
		const isA = question.readUInt16BE(question.length - 4) === 1;
		const header = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
		const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
		socket.send(Buffer.concat([header, question, ...(isA ? [answer] : [])]), from.port, from.address);
	});
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	socket.once("error", reject);
	socket.bind(53, "127.0.77.53", resolve);
	await promise;
	return { [Symbol.dispose]: () => void socket.close() };
}

test("a name server behind a frontend without backends keeps nobody from finding the hub but others", async () => {
	using _ = await nameServer();
	await using server = await startHub({ kubernetes: false });
	using place = agentPlace();
	const resolv = `${place.folder}/resolv.conf`;
	writeFileSync(resolv, "nameserver 127.0.77.53\n");
	const around = ["unshare", "--mount", "sh", "-c", `mount --bind ${resolv} /etc/resolv.conf && exec "$@"`, "sh"];
	const flags = [`--api-server=hub.balancing.test:${server.port}`];
	server.apply({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "dns", namespace: "demo" },
		spec: {
			clusterIP: "127.0.77.53",
			clusterIPs: ["127.0.77.53"],
			ports: [{ name: "dns", port: 53, protocol: "UDP" }],
		},
	});
	{
		await using agent = start(server, place, { around, flags });
		await agent.ready();
		await agent.stop("SIGKILL");
	}
	await using agent = start(server, place, { around, flags });
	await agent.ready();
	expect(await troubles(agent)).toBe(
		"It is reached without translation: 127.0.77.53:53/UDP (demo/dns:dns) does not lead to it",
	);
	server.delete("Service", "demo", "dns");
	await until("the Service gone", async () => (await frontend(place, "demo/dns")) === undefined);
	expect(await troubles(agent)).toBe("");
}, 60_000);
