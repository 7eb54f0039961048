// Waits until every agent has written all that the API server says now.

import type { TestHub } from "../support/hub/hub.ts";
import { until } from "../support/wait.ts";

/** Where one agent's programs can be asked. */
export interface Witness {
	/** Connects a UDP socket to the marker at this port: ok, or what errno came. */
	probe(port: number): Promise<string>;
	/** A request that the agent answers between two rounds, never during one. */
	answers(): Promise<boolean>;
}

export const MARKER = { ip: "10.211.255.1", backend: "10.210.3.1" } as const;
const FIRST_PORT = 1024;

/**
 * A Service whose port moves on each time, and its slice, whose port's name does: the port is there when both kinds have been read
 * up to here. The round that wrote it is through when the agent answers again.
 */
function mark(hub: TestHub, number: number): number {
	const port = FIRST_PORT + (number % 60_000);
	const name = `m${number}`;
	const metadata = { namespace: "marker", name: "marker" };
	hub.apply([
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { ...metadata, labels: { "kubernetes.io/service-name": "marker" } },
			addressType: "IPv4",
			endpoints: [{ addresses: [MARKER.backend] }],
			ports: [{ name, port: 9, protocol: "UDP" }],
		},
		{
			apiVersion: "v1",
			kind: "Service",
			metadata,
			spec: { clusterIP: MARKER.ip, clusterIPs: [MARKER.ip], ports: [{ name, port, protocol: "UDP" }] },
		},
	]);
	return port;
}

async function seen({ probe, answers }: Witness, port: number): Promise<void> {
	await until("all changes in the kernel", async () => (await probe(port)) === "ok");
	await until("the end of the agent's round", answers);
}

/** Calls during one wait share the next one. */
export function createBarrier(hub: TestHub, witnesses: () => readonly Witness[]): () => Promise<void> {
	let last = 0;
	let running: Promise<void> = Promise.resolve();
	let next: Promise<void> | undefined;

	async function pass(): Promise<void> {
		next = undefined;
		last += 1;
		const port = mark(hub, last);
		await Promise.all(witnesses().map((witness) => seen(witness, port)));
	}

	return () => {
		if (next === undefined) {
			next = running.then(pass);
			running = next.catch(() => {});
		}
		return next;
	};
}
