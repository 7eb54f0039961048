// Health checks end to end: an agent as users run it, real backends that die and come back, and clients that must not notice.

import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type AgentPlace, type AgentProcess, agentPlace, programmed, SOURCES } from "../support/agent_place.ts";
import { type Client, client } from "../support/client.ts";
import { type Lab, lab } from "../support/lab.ts";
import { parseAnswer } from "../support/server.ts";
import { until as untilWithin } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(120_000);

/** Some rounds of probes, on a busy machine. */
const DEADLINE = 30_000;

function until(what: string, condition: () => Promise<boolean>): Promise<void> {
	return untilWithin(what, condition, DEADLINE);
}

/** Servers answer on 8080 at all of these addresses; whether they are well is asked at this port of theirs. */
const HEALTH_PORT = 9000;
const [ONE, TWO] = ["10.202.0.1", "10.202.0.2"];
const [ONE6, TWO6] = ["fd00:202::1", "fd00:202::2"];
const CHECK = `tcp interval=1s timeout=500ms fails=2 passes=2 port=${HEALTH_PORT}`;
const VIP = "10.96.0.20";
const VIP6 = "fd00:96::20";

let place: Lab;
let at: AgentPlace;
let stack: AsyncDisposableStack;

beforeAll(async () => {
	place = await lab();
	// A local route is not enough for bind() of IPv6.
	for (const ip of [ONE6, TWO6]) place.servers.ip("-6", "address", "add", `${ip}/128`, "dev", "lo", "nodad");
});
beforeEach(() => {
	at = agentPlace();
	stack = new AsyncDisposableStack();
});
afterEach(async () => {
	await stack.disposeAsync();
	at[Symbol.dispose]();
});
afterAll(() => place[Symbol.dispose]());

/** An agent in the clients' network; in its own cgroup if it is to be a client of its programs. */
function start(isClient = false): AgentProcess {
	const joins = isClient ? `echo $$ > ${at.cgroup.path}/cgroup.procs; ` : "";
	const net = ["nsenter", `--net=/run/netns/${place.clients.name}`];
	const program = [...net, "sh", "-c", `${joins}exec "$@"`, "sh", ...SOURCES];
	return stack.use(at.start({ program }));
}

interface Wellness {
	/** Opens the port that is asked, a name server's over UDP, or closes it: what comes is refused. */
	set(isWell: boolean): Promise<void>;
}

const LISTENER = `
	const [hostname, port] = process.argv.slice(-2);
	Bun.listen({ hostname, port: Number(port), socket: { open: (socket) => void socket.write(hostname + " " + port + " - -\\n"), data() {} } });
	const names = require("node:dgram").createSocket(hostname.includes(":") ? "udp6" : "udp4");
	names.on("message", (question, { address, port }) => {
		question.writeUInt16BE(0x8180, 2);
		names.send(question, port, address);
	});
	names.bind(Number(port), hostname, () => console.log("ready"));
`;

/** Of one address of the servers' network. */
function wellness(address: string, port = HEALTH_PORT): Wellness {
	let end = async () => {};
	stack.defer(() => end());
	return {
		async set(isWell) {
			await end();
			end = async () => {};
			if (!isWell) return;
			const net = ["nsenter", `--net=/run/netns/${place.servers.name}`];
			const command = [...net, process.execPath, "-e", LISTENER, address, String(port)];
			const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
			end = async () => {
				child.kill("SIGKILL");
				await child.exited;
			};
			const { done } = await child.stdout.getReader().read();
			if (done) throw new Error(`Cannot serve ${address} ${port}: ${await child.stderr.text()}`);
		},
	};
}

function databaseYaml(addresses: readonly string[], check = CHECK): string {
	const [vip, type] = addresses[0]?.includes(":") ? [VIP6, "IPv6"] : [VIP, "IPv4"];
	return `apiVersion: v1
kind: Service
metadata: { name: database, namespace: demo, annotations: { balancing.elf.io/health-check: "${check}" } }
spec:
  clusterIPs: ["${vip}"]
  ports: [{ name: sql, port: 5432 }, { name: dns, port: 53, protocol: UDP }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: database-1, namespace: demo, labels: { kubernetes.io/service-name: database } }
addressType: ${type}
endpoints: [${addresses.map((address) => `{ addresses: ["${address}"] }`).join(", ")}]
ports: [{ name: sql, port: 8080 }, { name: dns, port: 5353, protocol: UDP }]
`;
}

function policyYaml(vip: string, addresses: readonly string[], check = CHECK): string {
	const port = (number: number) => `[{ name: sql, port: "${number}", protocol: TCP }]`;
	return `apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: legacy-db, annotations: { balancing.elf.io/health-check: "${check}" } }
spec:
  frontend: { addressMatcher: { ip: "${vip}", toPorts: ${port(8080)} } }
  backend: { addressEndpoint: { addresses: [${addresses.map((one) => `"${one}"`).join(", ")}], toPorts: ${port(8080)} } }
`;
}

/** Who answers at an address, over a dozen new connections. */
async function servedBy(vip = VIP, port = 5432): Promise<readonly string[]> {
	await using user = client({ netns: place.clients.name, cgroup: at.cgroup.path });
	const seen = new Set<string>();
	for (let count = 0; count < 12; count++) {
		await user.each(`socket s ${vip.includes(":") ? "inet6" : "inet"} tcp`, `connect s ${vip} ${port}`);
		seen.add(parseAnswer(await user.ask("recv s")).server.split(" ")[0] ?? "");
		await user.ask("close s");
	}
	return [...seen].sort();
}

interface Health {
	readonly backend: string;
	readonly state: string;
	readonly lastError: string | null;
}

async function healthOf(agent: AgentProcess): Promise<readonly Health[]> {
	return JSON.parse((await agent.page("/status"))?.body ?? "{}").health?.backends ?? [];
}

async function closedSockets(agent: AgentProcess): Promise<number> {
	return JSON.parse((await agent.page("/status"))?.body ?? "{}").sockets?.closed.UDP.closed;
}

async function untilHealth(agent: AgentProcess, ...states: readonly string[]): Promise<void> {
	await until(`health ${states.join(" ")}`, async () => {
		const now = (await healthOf(agent)).map(({ backend, state }) => `${backend.split(":8080")[0]} ${state}`);
		return states.every((state) => now.includes(state));
	});
}

async function untilServedBy(...expected: readonly string[]): Promise<void> {
	const backends = expected.map((ip) => `${ip.includes(":") ? `[${ip}]` : ip}:8080/TCP`);
	await untilProgrammed(expected[0]?.includes(":") ? `[${VIP6}]:5432/TCP` : `${VIP}:5432/TCP`, backends);
}

async function untilProgrammed(frontend: string, backends: readonly string[]): Promise<void> {
	await until(`${frontend} to ${backends.join(" and ")}`, async () => {
		const { code, out } = await at.run("frontends", "-o", "json");
		return code === 0 && [...new Set(programmed(out)[frontend])].join() === backends.join();
	});
}

test("a database dies: new connections go to the other one, its UDP sockets are closed; all die: all are used; back", async () => {
	const [one, two] = [wellness(ONE), wellness(TWO)];
	await one.set(true);
	await two.set(true);
	at.write("database", databaseYaml([ONE, TWO]));
	const agent = start();
	await agent.ready();
	await untilHealth(agent, `${ONE} ok`, `${TWO} ok`);
	expect(await servedBy()).toEqual([ONE, TWO]);
	const users = await flows();

	await one.set(false);
	await untilServedBy(TWO);
	expect(await servedBy()).toEqual([TWO]);
	await untilHealth(agent, `${ONE} quarantined`, `${TWO} ok`);
	const lost = users.filter(({ backend }) => backend === ONE);
	await until("closed", async () => (await closedSockets(agent)) === lost.length);
	for (const { user } of lost) expect(await user.run("recv u")).toBe("ECONNABORTED");
	for (const { user, backend } of users) if (backend === TWO) await user.each("send u again", "recv u");

	await two.set(false);
	await untilServedBy(ONE, TWO);
	await untilHealth(agent, `${ONE} quarantined`, `${TWO} quarantined`);
	expect(await servedBy()).toEqual([ONE, TWO]);

	await one.set(true);
	await untilServedBy(ONE);
	expect(await servedBy()).toEqual([ONE]);
	await two.set(true);
	await untilServedBy(ONE, TWO);
	await untilHealth(agent, `${ONE} ok`, `${TWO} ok`);
	expect(await servedBy()).toEqual([ONE, TWO]);
	expect(sayings(agent, ONE)).toEqual([
		"Backend fails its health check",
		"Backend is in quarantine",
		"Backend is out of quarantine",
	]);
});

/** Connected UDP sockets that have talked to their backends, of which both have some. */
async function flows(): Promise<readonly { readonly user: Client; readonly backend: string }[]> {
	const found: { readonly user: Client; readonly backend: string }[] = [];
	await until("flows to both", async () => {
		const user = stack.use(client({ netns: place.clients.name, cgroup: at.cgroup.path }));
		const answer = await user.each("socket u inet udp", `connect u ${VIP} 53`, "send u x", "recv u");
		found.push({ user, backend: parseAnswer(answer).server.split(" ")[0] ?? "" });
		return new Set(found.map(({ backend }) => backend)).size === 2;
	});
	return found;
}

/** What the log says of a backend. */
function sayings(agent: AgentProcess, ip: string, port = "8080/TCP"): readonly unknown[] {
	const address = `${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
	return agent
		.log()
		.filter(({ backend }) => backend === address)
		.map(({ msg }) => msg);
}

test("edge/examples/external-database.yaml, but asked more often: a server dies, and comes back", async () => {
	const [first, second, vip] = ["192.0.2.11", "192.0.2.12", "169.254.50.50"];
	const text = readFileSync(`${import.meta.dir}/../../edge/examples/external-database.yaml`, "utf8");
	const often = text.replace("interval=5s timeout=1s fails=3", "interval=1s timeout=500ms fails=2");
	expect(often).not.toBe(text);
	place.servers.ip("route", "replace", "local", "192.0.2.0/24", "dev", "lo");
	const [one, two] = [wellness(first, 5432), wellness(second, 5432)];
	await one.set(true);
	await two.set(true);
	at.write("example", often);
	const agent = start();
	await agent.ready();
	const [frontend, to] = [`${vip}:5432/TCP`, (ip: string) => `${ip}:5432/TCP`];
	await untilProgrammed(frontend, [to(first), to(second)]);
	await until("both serve", async () => (await servedBy(vip)).join() === [first, second].join());
	await one.set(false);
	await untilProgrammed(frontend, [to(second)]);
	expect(await servedBy(vip)).toEqual([second]);
	await two.set(false);
	await untilProgrammed(frontend, [to(first), to(second)]);
	await using user = client({ netns: place.clients.name, cgroup: at.cgroup.path });
	await user.ask("socket s inet tcp");
	expect(await user.run(`connect s ${vip} 5432`)).toBe("ECONNREFUSED");
	await two.set(true);
	await untilProgrammed(frontend, [to(second)]);
	expect(await servedBy(vip)).toEqual([second]);
	await one.set(true);
	await untilProgrammed(frontend, [to(first), to(second)]);
});

test("IPv6 backends are probed, too; status and backends say what is known, the log each change once", async () => {
	const one = wellness(ONE6);
	await one.set(true);
	at.write("database", databaseYaml([ONE6, TWO6]));
	const agent = start();
	await agent.ready();
	await untilServedBy(ONE6);
	expect(await servedBy(VIP6)).toEqual([ONE6]);
	const { out } = await at.run("status");
	expect(out).toContain("Health      2 ok, 2 quarantined\n");
	expect(out).toMatch(/ {2}\[fd00:202::1\]:8080\/TCP +tcp port=9000 +ok +20\S+ +-\n/);
	expect(out).toMatch(
		/ {2}\[fd00:202::2\]:8080\/TCP +tcp port=9000 +quarantined +20\S+ +connection refused, or no route\n/,
	);
	const metrics = (await agent.page("/metrics"))?.body ?? "";
	expect(metrics).toContain(
		`balancing_backend_state{backend="[${TWO6}]:8080/TCP",check="tcp port=9000",state="quarantined"} 1\n`,
	);
	expect(metrics).toMatch(/balancing_health_probes_total\{result="passed"\} [1-9]/);
	expect(metrics).toMatch(/balancing_health_probes_total\{result="failed"\} [1-9]/);
	const known = await at.run("backends");
	expect(known.out).toMatch(/\[fd00:202::1\]:8080\/TCP +active +ok +\d+ +\d+ +demo\/database:sql\n/);
	expect(known.out).toMatch(/\[fd00:202::2\]:8080\/TCP +unused +quarantined +\d+ +\d+\n/);
	const views: readonly object[] = JSON.parse((await at.run("backends", "-o", "json")).out);
	expect(views).toContainEqual(
		expect.objectContaining({ address: `[${ONE6}]:8080/TCP`, state: "active", health: "ok" }),
	);
	expect(views).toContainEqual(
		expect.objectContaining({ address: `[${TWO6}]:8080/TCP`, state: "unused", health: "quarantined" }),
	);
});

test("what nobody answers for fails in time", async () => {
	// On the wire, by a link-layer address that nobody has.
	const nobody = "10.201.0.77";
	place.clients.ip("neigh", "replace", nobody, "lladdr", "02:00:00:00:00:99", "dev", "wire", "nud", "permanent");
	const one = wellness(ONE);
	await one.set(true);
	at.write("database", databaseYaml([nobody, ONE]));
	const agent = start();
	await agent.ready();
	await untilServedBy(ONE);
	const health = await healthOf(agent);
	expect(health.find(({ backend }) => backend.startsWith(nobody))?.lastError).toBe("no connection within 500 ms");
	// Whatever is being asked just now.
	expect(await agent.stop("SIGTERM")).toBe(0);
	expect(agent.err()).toBe("");
});

test("after a restart a dead backend is not used for a moment, and one that came back meanwhile is", async () => {
	const [one, two] = [wellness(ONE), wellness(TWO)];
	await one.set(true);
	at.write("database", databaseYaml([ONE, TWO], CHECK.replace("fails=2", "fails=100")));
	const patient = start();
	await patient.ready();
	expect(await servedBy()).toEqual([ONE, TWO]);
	at.write("database", databaseYaml([ONE, TWO]));
	await untilServedBy(ONE);
	await patient.stop("SIGKILL");

	at.write("database", databaseYaml([ONE, TWO], CHECK.replace("fails=2", "fails=100")));
	const second = start();
	await second.ready();
	expect(await servedBy()).toEqual([ONE]);
	await untilHealth(second, `${ONE} ok`, `${TWO} quarantined`);
	expect(await servedBy()).toEqual([ONE]);
	await second.stop("SIGKILL");

	await two.set(true);
	const third = start();
	await untilServedBy(ONE, TWO);
	await untilHealth(third, `${ONE} ok`, `${TWO} ok`);
	expect(sayings(third, TWO)).toEqual(["Backend passes its health check"]);
});

test("a policy's custom addresses are probed; the check can be changed and taken off while the agent runs", async () => {
	const vip = "192.0.2.10";
	const one = wellness(ONE);
	await one.set(true);
	at.write("policy", policyYaml(vip, [ONE, TWO]));
	const agent = start();
	await agent.ready();
	await untilHealth(agent, `${ONE} ok`, `${TWO} quarantined`);
	await until("served by one", async () => (await servedBy(vip, 8080)).join() === ONE);
	at.write("policy", policyYaml(vip, [ONE, TWO], "off"));
	await until("no health", async () => (await healthOf(agent)).length === 0);
	await until("served by both", async () => (await servedBy(vip, 8080)).join() === [ONE, TWO].join());
	// Another question: it is asked anew. 8080 is served at both.
	at.write("policy", policyYaml(vip, [ONE, TWO], "tcp interval=1s"));
	await untilHealth(agent, `${ONE} ok`, `${TWO} ok`);
	expect(await servedBy(vip, 8080)).toEqual([ONE, TWO]);
});

test.each([
	["TCP", "tcp", ONE, TWO],
	["UDP", "dns:example.org", ONE6, TWO6],
])(
	"a backend that is a frontend itself is probed as it is by an agent that is a client of its own programs (%s)",
	async (protocol, probe, first, second) => {
		// The address of the first server leads to both: a stand-in takes over when it dies.
		const [one, two] = [wellness(first), wellness(second)];
		await one.set(true);
		await two.set(true);
		const check = `${probe} interval=1s timeout=500ms fails=2 passes=2`;
		const port = `[{ name: sql, port: "${HEALTH_PORT}", protocol: ${protocol} }]`;
		at.write(
			"policy",
			`apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: stand-in, annotations: { balancing.elf.io/health-check: "${check}" } }
spec:
  frontend: { addressMatcher: { ip: "${first}", toPorts: ${port} } }
  backend: { addressEndpoint: { addresses: ["${first}", "${second}"], toPorts: ${port} } }
`,
		);
		const agent = start(true);
		await agent.ready();
		const states = async () => (await healthOf(agent)).map(({ state }) => state).join();
		const failures = async () => {
			const metrics = (await agent.page("/metrics"))?.body ?? "";
			return Number(/health_probes_total\{result="failed"\} (\d+)/.exec(metrics)?.[1]);
		};
		await until("both ok", async () => (await states()) === "ok,ok");
		await one.set(false);
		// If its probes were translated, some would reach the other one, and once that is alone, all.
		await until("the first in quarantine", async () => (await states()) === "quarantined,ok");
		await until("some more probes", async () => (await failures()) >= 5);
		expect(sayings(agent, first, `${HEALTH_PORT}/${protocol}`)).toEqual([
			"Backend fails its health check",
			"Backend is in quarantine",
		]);
		await two.set(false);
		await until("both in quarantine", async () => (await states()) === "quarantined,quarantined");
		await one.set(true);
		await until("the first back", async () => (await states()) === "ok,quarantined");
	},
);
