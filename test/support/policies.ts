// Policies and the Pods that they are about, as manifests in a few words.

import { AUDIENCE } from "./follow_hub.ts";

const OWN_NODE = AUDIENCE.kind === "node" ? AUDIENCE.nodeName : "";

export interface PodFields {
	readonly labels?: Readonly<Record<string, string>>;
	readonly node?: string;
	readonly ip?: string;
	readonly ready?: boolean;
}

/** The Pod demo/NAME; on the agent's own node if nothing is said. */
export function policyPod(
	name: string,
	{ labels = {}, node = OWN_NODE, ip = "10.1.0.1", ready = true }: PodFields = {},
): object {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: "demo", labels },
		spec: { nodeName: node, containers: [{ name: "c", image: "i" }] },
		status: { podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
	};
}

const API = "balancing.elf.io/v1beta1";
const TO_PORTS = [{ port: "80", protocol: "TCP" }];

function frontendOf(name: string): object {
	const index = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 60_000, 7);
	return { addressMatcher: { ip: `198.18.${index >> 8}.${index & 255}`, toPorts: TO_PORTS } };
}

/** A policy that needs no Pods but those of the agent's own node. */
export function addressPolicy(kind: "BalancingPolicy" | "LocalRedirectPolicy", name: string): object {
	const backend =
		kind === "BalancingPolicy"
			? { addressEndpoint: { addresses: ["192.0.2.1"], toPorts: TO_PORTS } }
			: { endpointSelector: { matchLabels: { app: name } }, toPorts: TO_PORTS };
	return { apiVersion: API, kind, metadata: { name }, spec: { frontend: frontendOf(name), backend } };
}

/** The BalancingPolicy NAME to all Pods with these labels. */
export function podPolicy(name: string, matchLabels: Readonly<Record<string, string>>): object {
	const backend = { serviceEndpoint: { endpointSelector: { matchLabels }, toPorts: TO_PORTS } };
	return {
		apiVersion: API,
		kind: "BalancingPolicy",
		metadata: { name },
		spec: { frontend: frontendOf(name), backend },
	};
}
