// The demo's network: a node and two pods as namespaces on one bridge; the machine's own network is not touched.

import { $ } from "bun";

export interface DemoPod {
	readonly name: string;
	readonly namespace: string;
	readonly ips: readonly [v4: string, v6: string];
}

export interface DemoNetwork extends AsyncDisposable {
	/** The namespace that clients run in. */
	readonly node: string;
	readonly pods: readonly [DemoPod, DemoPod];
}

async function addPod(node: string, { namespace, ips: [v4, v6] }: DemoPod, port: string): Promise<void> {
	await $`ip netns add ${namespace}`;
	await $`ip -n ${node} link add ${port} type veth peer name eth0 netns ${namespace}`;
	await $`ip -n ${node} link set ${port} master br0 up`;
	await $`ip -n ${namespace} link set lo up`;
	await $`ip -n ${namespace} link set eth0 up`;
	await $`ip -n ${namespace} addr add ${v4}/24 dev eth0`;
	await $`ip -n ${namespace} addr add ${v6}/64 dev eth0 nodad`;
}

async function build(node: string, pods: readonly DemoPod[]): Promise<void> {
	await $`ip netns add ${node}`;
	await $`ip -n ${node} link set lo up`;
	await $`ip -n ${node} link add br0 type bridge`;
	await $`ip -n ${node} link set br0 up`;
	await $`ip -n ${node} addr add 10.244.1.1/24 dev br0`;
	await $`ip -n ${node} addr add fd00:10:244:1::1/64 dev br0 nodad`;
	for (const [index, pod] of pods.entries()) await addPod(node, pod, `pod${index}`);
}

/** Namespaces are named after `id`; disposing removes them. */
export async function createDemoNetwork(id: string): Promise<DemoNetwork> {
	const pods = [
		{ name: "web-1", namespace: `${id}-web-1`, ips: ["10.244.1.11", "fd00:10:244:1::11"] },
		{ name: "web-2", namespace: `${id}-web-2`, ips: ["10.244.1.12", "fd00:10:244:1::12"] },
	] as const;
	const node = `${id}-node`;
	async function remove(): Promise<void> {
		for (const name of [node, ...pods.map(({ namespace }) => namespace)])
			await $`ip netns del ${name}`.quiet().nothrow();
	}
	try {
		await build(node, pods);
	} catch (error) {
		await remove();
		throw error;
	}
	return { node, pods, [Symbol.asyncDispose]: remove };
}
