// The whole place: an API server, the nodes' network, and a real agent on two of the nodes.

import { writeFileSync } from "node:fs";
import { type AgentPlace, type AgentProcess, agentPlace, SOURCES } from "../support/agent_place.ts";
import { type Client, client } from "../support/client.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { createBarrier, MARKER, type Witness } from "./barrier.ts";
import {
	externalIps,
	type HostName,
	hostNamed,
	type MachineName,
	type Network,
	NODES,
	type NodeName,
	openNetwork,
} from "./network.ts";

/** An agent as users run it, in its node's network namespace. */
export interface NodeAgent {
	readonly process: AgentProcess;
	/** SIGTERM; its programs stay. */
	stop(): Promise<void>;
	/** Starts another one, with more flags perhaps, and waits until it is ready. */
	start(flags?: readonly string[]): Promise<void>;
}

export interface World extends AsyncDisposable {
	readonly hub: TestHub;
	readonly network: Network;
	/** Of node-1, node-2 and out-1; node-3 has none. */
	agent(machine: MachineName): NodeAgent;
	/** A new client process in that network namespace, in the cgroup of its node's agent. */
	client(name: HostName): Client;
	/** Waits until the agents have written all that the API server says. */
	settled(): Promise<void>;
}

/** Machines with an agent; out-1 is no node of the cluster. */
const FOLLOWERS: readonly MachineName[] = ["node-1", "node-2", "out-1"];

const ZONES: Readonly<Record<NodeName, string>> = { "node-1": "zone-a", "node-2": "zone-a", "node-3": "zone-b" };

/** node-2 is also the proxy of its node ports, for who asks for that (reach node-proxy). */
export function nodeObject(name: NodeName, zone: string = ZONES[name]): Readonly<Record<string, unknown>> {
	const one = hostNamed(name);
	const { v4, v6 } = externalIps(one);
	const annotations =
		name === "node-2" ? { "balancing.elf.io/nodeProxyIpv4": v4, "balancing.elf.io/nodeProxyIpv6": v6 } : {};
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, annotations, labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone } },
		status: {
			addresses: [
				{ type: "InternalIP", address: one.v4 },
				{ type: "InternalIP", address: one.v6 },
				{ type: "ExternalIP", address: v4 },
				{ type: "ExternalIP", address: v6 },
				{ type: "Hostname", address: name },
			],
		},
	};
}

function nodeAgent(place: AgentPlace, netns: string, name: MachineName): NodeAgent & AsyncDisposable {
	const launch = (flags: readonly string[]) =>
		place.start({
			program: ["nsenter", `--net=/run/netns/${netns}`, "--", ...SOURCES],
			manifests: false,
			flags: [`--kubeconfig=${place.folder}/kubeconfig`, `--node-name=${name}`, "--events=off", ...flags],
		});
	let running = launch([]);
	return {
		get process() {
			return running;
		},
		async stop() {
			const code = await running.stop("SIGTERM");
			if (code !== 0) throw new Error(`The agent of ${name} ended with ${code}: ${running.err()}`);
		},
		async start(flags = []) {
			running = launch(flags);
			await running.ready();
		},
		[Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
	};
}

function witness(place: AgentPlace, netns: string, agent: NodeAgent): Witness & AsyncDisposable {
	const asker = client({ netns, cgroup: place.cgroup.path });
	return {
		async probe(port) {
			const answer = await asker.ask(`storm quiet 1 ${MARKER.ip} ${port}`);
			return answer.startsWith("0>") ? "ok" : answer;
		},
		answers: async () => (await agent.process.page("/healthz")) !== undefined,
		[Symbol.asyncDispose]: asker.kill,
	};
}

/** `first` is the network namespace of node-1, in which this process is. */
export async function openWorld(first: string): Promise<World> {
	await using stack = new AsyncDisposableStack();
	const network = stack.use(await openNetwork(first));
	const hub = stack.use(await startHub({ host: hostNamed("node-1").v4, kubernetes: false }));
	hub.apply(NODES.map(({ node }) => nodeObject(node)));
	const places = new Map<MachineName, AgentPlace>();
	const agents = new Map<MachineName, NodeAgent>();
	const witnesses: Witness[] = [];
	for (const name of FOLLOWERS) {
		const place = stack.use(agentPlace());
		writeFileSync(`${place.folder}/kubeconfig`, hub.kubeconfig());
		places.set(name, place);
		const agent = stack.use(nodeAgent(place, network.netns(name), name));
		agents.set(name, agent);
		witnesses.push(stack.use(witness(place, network.netns(name), agent)));
	}
	await Promise.all([...agents.values()].map((agent) => agent.process.ready()));
	const held = stack.move();
	return {
		hub,
		network,
		agent(node) {
			const agent = agents.get(node);
			if (agent === undefined) throw new Error(`Cannot find an agent on ${node}`);
			return agent;
		},
		client(name) {
			const place = places.get(hostNamed(name).node);
			if (place === undefined) throw new Error(`Cannot start a client in ${name}: its node has no agent`);
			return client({ netns: network.netns(name), cgroup: place.cgroup.path });
		},
		settled: createBarrier(hub, () => witnesses),
		[Symbol.asyncDispose]: () => held.disposeAsync(),
	};
}
