// An agent closes sockets whose backend is gone: of its own accord, as Services say, and what went while no agent ran.

import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { type Client, client } from "../support/client.ts";
import { type Lab, lab } from "../support/lab.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

const VIP = "10.96.0.1";
const [ONE, TWO] = ["10.202.0.1", "10.202.0.2"];

let place: Lab;
let at: AgentPlace;

beforeAll(async () => {
	place = await lab();
});
beforeEach(() => {
	at = agentPlace();
});
afterEach(() => at[Symbol.dispose]());
afterAll(() => place[Symbol.dispose]());

function serviceOf(endpoint: string, closeOnRemove?: string): string {
	const annotations =
		closeOnRemove === undefined ? "" : `, annotations: { balancing.elf.io/close-on-remove: "${closeOnRemove}" }`;
	return `apiVersion: v1
kind: Service
metadata: { name: echo, namespace: demo${annotations} }
spec:
  clusterIPs: ["${VIP}"]
  ports: [{ name: udp, port: 53, protocol: UDP }, { name: tcp, port: 80, protocol: TCP }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: echo-1, namespace: demo, labels: { kubernetes.io/service-name: echo } }
addressType: IPv4
endpoints: [{ addresses: ["${endpoint}"] }]
ports: [{ name: udp, port: 5353, protocol: UDP }, { name: tcp, port: 8080, protocol: TCP }]
`;
}

/** Two connected sockets, u of UDP and t of TCP, which have talked to their backend. */
async function connected(): Promise<Client> {
	const user = client({ netns: place.clients.name, cgroup: at.cgroup.path });
	await user.each("socket u inet udp", `connect u ${VIP} 53`, "send u x", "recv u");
	await user.each("socket t inet tcp", `connect t ${VIP} 80`, "recv t");
	return user;
}

/** UDP, TCP. */
async function closed(agent: AgentProcess): Promise<string> {
	const { sockets } = JSON.parse((await agent.page("/status"))?.body ?? "{}");
	expect([sockets.limit, sockets.closed.UDP.failed, sockets.closed.TCP.failed]).toEqual([null, 0, 0]);
	return `${sockets.closed.UDP.closed}, ${sockets.closed.TCP.closed}`;
}

async function untilServedBy(endpoint: string): Promise<void> {
	await until(`served by ${endpoint}`, async () => (await at.run("frontends")).out.includes(`${endpoint}:5353`));
}

test("closes UDP sockets when the endpoint is replaced, and says how many", async () => {
	at.write("echo", serviceOf(ONE));
	await using agent = at.start();
	await agent.ready();
	await using user = await connected();
	at.write("echo", serviceOf(TWO));
	await until("closed", async () => (await closed(agent)) === "1, 0");
	expect(await user.run("recv u")).toBe("ECONNABORTED");
	await user.each("send t hello", "recv t");
	expect((await at.run("status")).out).toContain("Closed      1 UDP, 0 TCP\n");
	expect((await agent.page("/metrics"))?.body).toContain(
		'balancing_sockets_closed_total{protocol="udp",result="closed"} 1\n',
	);
	expect(agent.log().filter(({ msg }) => msg === "Closed sockets whose backend is gone")).toMatchObject([
		{ udp: 1, tcp: 0 },
	]);
});

test("closes TCP sockets where the Service says so, and those of UDP once it does not refuse any more", async () => {
	at.write("echo", serviceOf(ONE, "all"));
	await using agent = at.start();
	await agent.ready();
	await using first = await connected();
	at.write("echo", serviceOf(TWO, "all"));
	await until("closed", async () => (await closed(agent)) === "1, 1");
	expect(await first.run("recv t")).toBe("ECONNABORTED");

	at.write("echo", serviceOf(TWO, "none"));
	await until("looked at", async () => (await at.run("maps", "frontends")).out.includes("closeOnRemove=none"));
	await using second = await connected();
	at.write("echo", serviceOf(ONE, "none"));
	await untilServedBy(ONE);
	await second.each("send u x", "recv u", "send t hello", "recv t");
	at.write("echo", serviceOf(ONE));
	await until("closed", async () => (await closed(agent)) === "2, 1");
	await second.each("send t hello", "recv t");
});

test("closes what went while no agent ran", async () => {
	at.write("echo", serviceOf(ONE));
	const before = at.start();
	await before.ready();
	await using user = await connected();
	expect(await before.stop("SIGKILL")).toBeGreaterThan(0);
	at.write("echo", serviceOf(TWO));
	await user.each("send u x", "recv u");
	await using agent = at.start();
	await until("closed", async () =>
		(await agent.page("/status"))?.status === 200 ? (await closed(agent)) === "1, 0" : false,
	);
	expect(await user.run("recv u")).toBe("ECONNABORTED");
});
