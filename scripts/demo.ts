// The demo: two pods in network namespaces, a Service in a folder, the compiled agent, and what happens to connections.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { findCgroupRoot } from "../src/datapath/cgroup.ts";
import { createDemoNetwork } from "./demo_network.ts";

const ROOT = `${import.meta.dir}/..`;
const BINARY = `${ROOT}/dist/balancing`;
const TIMEOUT = 10_000;

const VIPS = { v4: "10.96.0.10", v6: "fd00:10:96::10" } as const;

const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec:
  ipFamilyPolicy: PreferDualStack
  clusterIPs: ["${VIPS.v4}", "${VIPS.v6}"]
  selector: { app: web }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: dns, port: 53, targetPort: 5353, protocol: UDP }
`;

function pod(name: string, ips: readonly string[]): string {
	return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: demo, labels: { app: web } }
status:
  podIPs: [${ips.map((ip) => `{ ip: "${ip}" }`).join(", ")}]
`;
}

const bold = process.stdout.isTTY ? (text: string) => `\x1b[1m${text}\x1b[0m` : (text: string) => text;

function step(text: string): void {
	console.log(`\n${bold(`== ${text}`)}`);
}

function expect(holds: boolean, what: string): void {
	if (!holds) throw new Error(`The demo failed: ${what}`);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = performance.now() + TIMEOUT;
	while (!(await holds())) {
		if (performance.now() > deadline)
			throw new Error(`The demo failed: ${what} did not happen within ${TIMEOUT / 1000} s`);
		await sleep(50);
	}
}

type Seen = Readonly<Record<string, number>>;

async function main(): Promise<void> {
	const work = mkdtempSync(`${tmpdir()}/balancing-demo-`);
	const id = `balancing-demo-${process.pid}`;
	const manifests = `${work}/manifests`;
	mkdirSync(manifests);
	const cgroup = `${findCgroupRoot()}/${id}`;
	const pinPath = `/sys/fs/bpf/${id}`;
	const paths = ["--pin-path", pinPath, "--state-dir", `${work}/state`];
	await using stack = new AsyncDisposableStack();
	stack.defer(() => rmSync(work, { recursive: true, force: true }));
	mkdirSync(cgroup);
	stack.defer(async () => {
		writeFileSync(`${cgroup}/cgroup.kill`, "1");
		await until("the end of the demo's processes", () => readFileSync(`${cgroup}/cgroup.procs`, "utf8") === "");
		rmSync(cgroup, { recursive: false, force: true });
		await Bun.$`rmdir ${cgroup}`.quiet().nothrow();
	});
	stack.defer(async () => {
		await Bun.$`${BINARY} detach ${paths}`.quiet().nothrow();
	});

	step("Two pods: servers in two network namespaces, beside a node");
	const network = stack.use(await createDemoNetwork(id));
	for (const { name, namespace, ips } of network.pods) {
		const command = ["ip", "netns", "exec", namespace, process.execPath, "run", `${ROOT}/scripts/demo_pod.ts`, name];
		const server = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
		stack.defer(async () => {
			server.kill("SIGKILL");
			await server.exited;
		});
		await server.stdout.getReader().read();
		console.log(`   ${name}: TCP 8080 and UDP 5353 on ${ips.join(" and ")}`);
		writeFileSync(`${manifests}/${name}.yaml`, pod(name, ips));
	}

	step(`A Service in a folder of manifests: demo/web on ${VIPS.v4} and ${VIPS.v6}`);
	writeFileSync(`${manifests}/service.yaml`, SERVICE);
	console.log(await Bun.$`${BINARY} plan --manifests ${manifests}`.text());

	const logFile = `${work}/agent.log`;
	function startAgent() {
		const flags = ["--manifests", manifests, "--cgroup", cgroup, ...paths, "--listen", "off", "--log-format", "json"];
		const agent = Bun.spawn([BINARY, "agent", ...flags], { stdout: Bun.file(logFile), stderr: "inherit" });
		stack.defer(async () => {
			agent.kill("SIGKILL");
			await agent.exited;
		});
		return agent;
	}
	async function isReady(): Promise<boolean> {
		return (await Bun.$`${BINARY} status ${paths}`.quiet().nothrow()).exitCode === 0;
	}

	step("The agent, attached to a cgroup of the demo's own");
	let agent = startAgent();
	await until("readiness of the agent", isReady);
	console.log(await Bun.$`${BINARY} status ${paths}`.text());

	async function ask(protocol: "tcp" | "udp", ip: string, count: number): Promise<Seen> {
		const port = protocol === "tcp" ? "80" : "53";
		const client = [process.execPath, "run", `${ROOT}/scripts/demo_client.ts`, protocol, ip, port, String(count)];
		const inside = `echo $$ > ${cgroup}/cgroup.procs && exec ip netns exec ${network.node} "$@"`;
		const seen: Seen = JSON.parse(await Bun.$`sh -c ${inside} sh ${client}`.text());
		const counts = Object.entries(seen).map(([who, times]) => `${who} x${times}`);
		console.log(`   ${count} x ${protocol} ${ip} port ${port}: ${counts.sort().join(", ")}`);
		return seen;
	}
	const [first, second] = network.pods;
	const bothAnswer = (seen: Seen) => Object.keys(seen).sort().join() === [first.name, second.name].sort().join();
	const only = (seen: Seen, who: string) => Object.keys(seen).join() === who;

	step("Connections to the ClusterIP are balanced");
	for (const protocol of ["tcp", "udp"] as const) {
		for (const ip of [VIPS.v4, VIPS.v6]) {
			expect(bothAnswer(await ask(protocol, ip, 40)), `not both pods, or somebody else, answered ${protocol} ${ip}`);
		}
	}

	step("Each resolution is an event");
	const events = () =>
		readFileSync(logFile, "utf8")
			.split("\n")
			.filter((line) => line.includes('"resolution"'));
	await until("160 resolution events in the agent's log", () => events().length >= 160);
	for (const line of [events().at(0), events().at(-1)]) console.log(`   ${line}`);
	expect(
		events().some((line) => line.includes('"10.96.0.10"') && line.includes('"TCP"')),
		"no event names the ClusterIP",
	);

	step(`${second.name} goes away: its file is removed while connections are made`);
	rmSync(`${manifests}/${second.name}.yaml`);
	const meanwhile = await ask("tcp", VIPS.v4, 200);
	expect(
		Object.keys(meanwhile).every((who) => !who.startsWith("error")),
		"a connection failed during the change",
	);
	await until("the change in the kernel", async () => {
		const listed: { address: string }[] = await Bun.$`${BINARY} backends ${["--pin-path", pinPath]} -o json`.json();
		return listed.every(({ address }) => !second.ips.some((ip) => address.includes(ip)));
	});
	expect(only(await ask("tcp", VIPS.v4, 20), first.name), "a connection did not go to the pod that is left");
	expect(only(await ask("udp", VIPS.v6, 20), first.name), "a datagram did not go to the pod that is left");

	step("The agent is killed (SIGKILL): the kernel serves without it");
	agent.kill("SIGKILL");
	await agent.exited;
	expect(only(await ask("tcp", VIPS.v4, 20), first.name), "connections failed without the agent");
	console.log(await Bun.$`${BINARY} frontends ${["--pin-path", pinPath]}`.text());

	step(`${second.name} is back, and a new agent takes over from the kernel's maps`);
	writeFileSync(`${manifests}/${second.name}.yaml`, pod(second.name, second.ips));
	agent = startAgent();
	await until("readiness of the new agent", isReady);
	expect(bothAnswer(await ask("tcp", VIPS.v6, 40)), "not both pods answered after the restart");

	step("Without any pod, a connection is refused at once");
	for (const { name } of network.pods) rmSync(`${manifests}/${name}.yaml`);
	await until("refusal", async () => only(await ask("tcp", VIPS.v4, 1), "error ECONNREFUSED"));
	expect(only(await ask("udp", VIPS.v4, 1), "error ECONNREFUSED"), "a datagram was not refused");

	step("detach takes everything away");
	agent.kill("SIGTERM");
	expect((await agent.exited) === 0, "the agent did not stop cleanly");
	console.log(await Bun.$`${BINARY} detach ${paths}`.text());
}

await main();
console.log(bold("The demo showed all it promised, and cleaned up."));
