// Services as an API server has them: with all that its controllers write and that a client has to read past.

import { createHash } from "node:crypto";
import { type BenchService, ENDPOINT_PORT, SERVICE_PORT } from "./services.ts";

const NAMESPACE = "bench";
/** Nodes that the endpoints are spread over. */
const NODES = 100;
const TIME = "2026-11-20T12:43:22Z";

export interface BenchObject {
	readonly metadata: { readonly name: string; readonly namespace: string; readonly [field: string]: unknown };
	readonly [field: string]: unknown;
}

/** As random as a real one, and always the same. */
function uid(of: string): string {
	const hex = createHash("md5").update(of).digest("hex");
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export function serviceObject({ name, ip, protocol }: BenchService): BenchObject {
	return {
		metadata: {
			name,
			namespace: NAMESPACE,
			uid: uid(name),
			creationTimestamp: TIME,
			labels: { "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench" },
			managedFields: [
				{
					manager: "kubectl-client-side-apply",
					operation: "Update",
					apiVersion: "v1",
					time: TIME,
					fieldsType: "FieldsV1",
					fieldsV1: {
						"f:metadata": {
							"f:labels": { ".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {} },
						},
						"f:spec": { "f:internalTrafficPolicy": {}, "f:ports": { ".": {} }, "f:selector": {}, "f:type": {} },
					},
				},
			],
		},
		spec: {
			ports: [{ name: "main", protocol, port: SERVICE_PORT, targetPort: ENDPOINT_PORT }],
			selector: { "app.kubernetes.io/name": name },
			clusterIP: ip,
			clusterIPs: [ip],
			type: "ClusterIP",
			sessionAffinity: "None",
			ipFamilies: ["IPv4"],
			ipFamilyPolicy: "SingleStack",
			internalTrafficPolicy: "Cluster",
		},
		status: { loadBalancer: {} },
	};
}

/** Its slice, with these of its endpoints. */
export function sliceObject(service: BenchService, endpoints: readonly string[] = service.endpoints): BenchObject {
	const { name, protocol } = service;
	return {
		metadata: {
			name: `${name}-abcde`,
			generateName: `${name}-`,
			namespace: NAMESPACE,
			uid: uid(`${name}-abcde`),
			generation: 7,
			creationTimestamp: TIME,
			labels: {
				"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
				"kubernetes.io/service-name": name,
			},
			ownerReferences: [
				{ apiVersion: "v1", kind: "Service", name, uid: uid(name), controller: true, blockOwnerDeletion: true },
			],
			managedFields: [
				{
					manager: "kube-controller-manager",
					operation: "Update",
					apiVersion: "discovery.k8s.io/v1",
					time: TIME,
					fieldsType: "FieldsV1",
					fieldsV1: {
						"f:addressType": {},
						"f:endpoints": {},
						"f:metadata": { "f:generateName": {}, "f:labels": { ".": {}, "f:kubernetes.io/service-name": {} } },
						"f:ports": {},
					},
				},
			],
		},
		addressType: "IPv4",
		endpoints: endpoints.map((ip) => endpoint(name, ip)),
		ports: [{ name: "main", protocol, port: ENDPOINT_PORT }],
	};
}

function endpoint(service: string, ip: string): object {
	const number = ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
	const name = `${service}-${(number >>> 0).toString(36)}`;
	return {
		addresses: [ip],
		conditions: { ready: true, serving: true, terminating: false },
		targetRef: { kind: "Pod", namespace: NAMESPACE, name, uid: uid(name) },
		nodeName: `node-${number % NODES}.example.internal`,
		zone: `zone-${number % 3}`,
	};
}
