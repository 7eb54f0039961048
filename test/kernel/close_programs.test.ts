// Real programs whose name server is replaced behind its Service: whose sockets are closed, and that all of them go on.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { client } from "../support/client.ts";
import { must } from "../support/command.ts";
import { type Lab, lab } from "../support/lab.ts";
import { bunResolver, type NameProgram, nameServer, nginx, resolver } from "../support/name_programs.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(120_000);

const VIP = "10.96.0.53";
/** Addresses of the name servers, and what they answer: upstreams of nginx. */
const [ONE, TWO] = ["10.202.0.53", "10.202.0.54"];
const [FIRST, SECOND] = ["127.0.0.2", "127.0.0.3"];

const missing = ["dnsmasq", "nginx"].filter((program) => Bun.which(program) === null);
const why = missing.length === 0 ? "" : ` (skipped: no ${missing.join(", no ")}; scripts/setup test installs them)`;

let place: Lab;
let agentAt: AgentPlace;
let agent: AgentProcess;

function serviceOf(endpoint: string): string {
	return `apiVersion: v1
kind: Service
metadata: { name: dns, namespace: demo }
spec: { clusterIPs: ["${VIP}"], ports: [{ name: dns, port: 53, protocol: UDP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: dns-1, namespace: demo, labels: { kubernetes.io/service-name: dns } }
addressType: IPv4
endpoints: [{ addresses: ["${endpoint}"] }]
ports: [{ name: dns, port: 53, protocol: UDP }]
`;
}

/** The Service's one name server is this one from now on, and the kernel knows it. */
async function serveBy(endpoint: string): Promise<void> {
	agentAt.write("dns", serviceOf(endpoint));
	await until(`served by ${endpoint}`, async () => (await agentAt.run("frontends")).out.includes(`${endpoint}:53/UDP`));
}

/** How many sockets are connected to a name server, in the clients' namespace. */
function connectedTo(endpoint: string): number {
	const listed = must(
		"ip",
		"netns",
		"exec",
		place.clients.name,
		"ss",
		"-Hun",
		"state",
		"established",
		"dst",
		`${endpoint}:53`,
	);
	return listed.split("\n").filter((line) => line !== "").length;
}

/** What the agent counts. */
async function closedSockets(): Promise<number> {
	const { body = "" } = (await agent.page("/metrics")) ?? {};
	expect(body).toContain('balancing_sockets_closed_total{protocol="udp",result="failed"} 0');
	return Number(/^balancing_sockets_closed_total\{protocol="udp",result="closed"\} (\d+)$/m.exec(body)?.[1]);
}

/** One of each kind, in the clients' namespace and the agent's cgroup. */
async function programs(stack: AsyncDisposableStack): Promise<readonly NameProgram[]> {
	const where = { netns: place.clients.name, cgroup: agentAt.cgroup.path, folder: agentAt.folder };
	return [
		stack.use(resolver(where, VIP, "plain")),
		stack.use(resolver(where, VIP, "library")),
		stack.use(resolver(where, VIP, "stayopen")),
		stack.use(bunResolver(where, VIP)),
		stack.use(await nginx(where, VIP, [FIRST, SECOND])),
	];
}

async function answers(all: readonly NameProgram[]): Promise<Readonly<Record<string, string>>> {
	return Object.fromEntries(await Promise.all(all.map(async (program) => [program.name, await program.ask()])));
}

function everyone(all: readonly NameProgram[], answer: string): Readonly<Record<string, string>> {
	return Object.fromEntries(all.map(({ name }) => [name, answer]));
}

describe.skipIf(missing.length > 0)(`Programs with a name server that is replaced${why}`, () => {
	beforeAll(async () => {
		place = await lab();
		agentAt = agentPlace();
		agentAt.write("dns", serviceOf(ONE));
		agent = agentAt.start();
		await agent.ready();
	});

	afterAll(async () => {
		await agent?.[Symbol.asyncDispose]();
		agentAt?.[Symbol.dispose]();
		place?.[Symbol.dispose]();
	});

	test("the sockets that they keep are closed, and all of them ask the next one", async () => {
		await using stack = new AsyncDisposableStack();
		await serveBy(ONE);
		stack.use(await nameServer(place.servers.name, ONE, FIRST));
		stack.use(await nameServer(place.servers.name, TWO, SECOND));
		const all = await programs(stack);
		expect(await answers(all)).toEqual(everyone(all, FIRST));
		// Two C programs and nginx keep their sockets; glibc's default and c-ares take a new one for each question.
		await until("only what is kept", () => connectedTo(ONE) === 3);
		await using direct = client({ netns: place.clients.name, cgroup: agentAt.cgroup.path });
		await direct.each("socket a inet udp", `connect a ${ONE} 53`);
		expect(connectedTo(ONE)).toBe(4);
		const before = await closedSockets();
		await serveBy(TWO);
		await until("closed", async () => (await closedSockets()) === before + 3);
		// What went there directly stays.
		expect(connectedTo(ONE)).toBe(1);
		expect(await direct.run("send a x")).toBe("ok");
		expect(await answers(all)).toEqual(everyone(all, SECOND));
		expect(connectedTo(ONE)).toBe(1);
		expect(await closedSockets()).toBe(before + 3);
	});

	test("those that wait for a name server that hangs get an answer from the next one", async () => {
		await using stack = new AsyncDisposableStack();
		await serveBy(ONE);
		const hanging = stack.use(await nameServer(place.servers.name, ONE, FIRST));
		stack.use(await nameServer(place.servers.name, TWO, SECOND));
		const all = await programs(stack);
		expect(await answers(all)).toEqual(everyone(all, FIRST));
		hanging.hang();
		// C programs ask again at once. nginx and c-ares do so after five seconds, nginx on the socket that it has.
		const waiting = answers(all);
		await until("asked by all", () => connectedTo(ONE) === all.length);
		const before = await closedSockets();
		await serveBy(TWO);
		expect(await waiting).toEqual(everyone(all, SECOND));
		expect(await closedSockets()).toBe(before + all.length);
		hanging.goOn();
	});

	test("the agent tells what it closed", () => {
		const told = agent.log().filter(({ msg }) => msg === "Closed sockets whose backend is gone");
		expect(told.map(({ udp, tcp }) => ({ udp, tcp }))).toEqual([
			{ udp: 3, tcp: 0 },
			{ udp: 5, tcp: 0 },
		]);
	});
});
