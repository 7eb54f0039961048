// The demo: two pods in network namespaces, a Service in a folder, the compiled agent, and what happens to connections.

import type { DemoPod } from "./demo_network.ts";
import { type Agent, createStage, type Seen, type Stage, until } from "./demo_stage.ts";

const VIPS = ["10.96.0.10", "fd00:10:96::10"] as const;

const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec:
  ipFamilyPolicy: PreferDualStack
  clusterIPs: ["${VIPS[0]}", "${VIPS[1]}"]
  selector: { app: web }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: dns, port: 53, targetPort: 5353, protocol: UDP }
`;

function podManifest({ name, ips }: DemoPod): string {
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

function show(text: string): void {
	for (const line of text.trimEnd().split("\n")) console.log(`   ${line}`);
}

function expect(holds: boolean, what: string): void {
	if (!holds) throw new Error(`The demo failed: ${what}`);
}

function answered(seen: Seen, pods: readonly DemoPod[]): boolean {
	const names = pods.map(({ name }) => name);
	return Object.keys(seen).sort().join() === names.sort().join();
}

function prepare(stage: Stage): void {
	step("Two pods: servers in two network namespaces, beside a node");
	for (const pod of stage.pods) {
		show(`${pod.name}: TCP 8080 and UDP 5353 on ${pod.ips.join(" and ")}`);
		stage.writeManifest(pod.name, podManifest(pod));
	}
	stage.writeManifest("service", SERVICE);
}

async function showPlan(stage: Stage): Promise<void> {
	step("A Service and the pods as YAML in a folder; what is to be programmed (balancing plan)");
	show(await stage.balancing("plan"));
}

async function showBalancing(stage: Stage): Promise<void> {
	step("Connections to the ClusterIP are balanced: TCP and UDP, IPv4 and IPv6");
	for (const protocol of ["tcp", "udp"] as const) {
		for (const ip of VIPS) {
			const seen = await stage.ask(protocol, ip, 40);
			expect(answered(seen, stage.pods), `not both pods, or somebody else, answered ${protocol} to ${ip}`);
		}
	}
}

async function showEvents(stage: Stage): Promise<void> {
	step("Each resolution is an event in the agent's log");
	const events = () => stage.log().filter((line) => line.includes('"msg":"resolution"'));
	await until("160 resolution events in the agent's log", () => events().length >= 160);
	show([events().at(0), events().at(-1)].join("\n"));
	expect(
		VIPS.every((ip) => events().some((line) => line.includes(`"original":{"ip":"${ip}"`))),
		"a ClusterIP is in no event",
	);
}

async function showRemoval(stage: Stage): Promise<void> {
	const [left, gone] = stage.pods;
	step(`${gone.name} goes away: its file is removed while connections are made`);
	const asking = stage.ask("tcp", VIPS[0], 300);
	stage.removeManifest(gone.name);
	expect(
		Object.keys(await asking).every((who) => !who.startsWith("error")),
		"a connection failed during the change",
	);
	await until("the change in the kernel", async () => {
		const backends = await stage.balancing("backends");
		return gone.ips.every((ip) => !backends.includes(ip));
	});
	expect(answered(await stage.ask("tcp", VIPS[0], 20), [left]), "a connection did not go to the pod that is left");
	expect(answered(await stage.ask("udp", VIPS[1], 20), [left]), "a datagram did not go to the pod that is left");
}

async function showKill(stage: Stage, agent: Agent): Promise<void> {
	const [left] = stage.pods;
	step("The agent is killed (SIGKILL) while connections are made: the kernel serves without it");
	const asking = stage.ask("tcp", VIPS[0], 300);
	await agent.stop("SIGKILL");
	expect(answered(await asking, [left]), "a connection failed when the agent was killed");
	expect(answered(await stage.ask("udp", VIPS[0], 20), [left]), "a datagram was lost without the agent");
	show(await stage.balancing("frontends"));
}

async function showReturn(stage: Stage): Promise<Agent> {
	const [, gone] = stage.pods;
	step(`${gone.name} is back, and a new agent goes on from what the kernel holds`);
	stage.writeManifest(gone.name, podManifest(gone));
	const agent = await stage.startAgent();
	show(await stage.balancing("status"));
	expect(answered(await stage.ask("tcp", VIPS[1], 40), stage.pods), "not both pods answered after the restart");
	return agent;
}

async function showRefusal(stage: Stage): Promise<void> {
	step("Without any pod a client is refused at once");
	for (const { name } of stage.pods) stage.removeManifest(name);
	const refused = async (protocol: "tcp" | "udp", ip: string) =>
		Object.keys(await stage.ask(protocol, ip, 1)).join() === "error ECONNREFUSED";
	await until("a refusal", () => refused("tcp", VIPS[0]));
	for (const ip of VIPS) expect(await refused("udp", ip), `a datagram to ${ip} was not refused`);
}

async function showDetach(stage: Stage, agent: Agent): Promise<void> {
	step("The agent stops, and detach takes everything away");
	expect((await agent.stop("SIGTERM")) === 0, "the agent did not stop cleanly");
	show(await stage.balancing("detach"));
}

async function demo(): Promise<void> {
	await using stage = await createStage();
	prepare(stage);
	await showPlan(stage);
	step("The agent, attached to a cgroup of the demo's own (balancing status)");
	const agent = await stage.startAgent();
	show(await stage.balancing("status"));
	await showBalancing(stage);
	await showEvents(stage);
	await showRemoval(stage);
	await showKill(stage, agent);
	const next = await showReturn(stage);
	await showRefusal(stage);
	await showDetach(stage, next);
}

try {
	await demo();
	console.log(`\n${bold("The demo showed all it promised, and cleaned up.")}`);
} catch (error) {
	console.error(`\n${error instanceof Error ? error.message : String(error)}`);
	process.exitCode = 1;
}
