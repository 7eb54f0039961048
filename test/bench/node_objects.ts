// Nodes as kubelets report them: 10 kB each, most of it about images and conditions, and new every five minutes.

const IMAGES = 50;
const CONDITIONS = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable", "Ready"];

export interface NodeObject {
	readonly metadata: { readonly name: string; readonly [field: string]: unknown };
	readonly [field: string]: unknown;
}

/** As random as a real digest, and always the same. */
function digest(of: string): string {
	return new Bun.CryptoHasher("sha256").update(of).digest("hex");
}

/** The node of this number; `heartbeat` counts the kubelet's reports, which differ in their times alone. */
export function nodeObject(number: number, heartbeat = 0): NodeObject {
	const name = `node-${number}.example.internal`;
	const time = new Date(Date.UTC(2026, 10, 20) + heartbeat * 300_000).toISOString().replace(".000", "");
	return {
		metadata: {
			name,
			uid: digest(name).slice(0, 36),
			creationTimestamp: "2026-11-20T00:00:00Z",
			labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${number % 3}` },
			annotations: {
				"node.alpha.kubernetes.io/ttl": "0",
				"volumes.kubernetes.io/controller-managed-attach-detach": "true",
			},
		},
		spec: { podCIDR: `10.${number >> 8}.${number & 255}.0/24`, providerID: `example://${digest(name).slice(0, 17)}` },
		status: {
			addresses: [
				{ type: "InternalIP", address: `10.${200 + (number >> 14)}.${(number >> 6) & 255}.${1 + (number & 63)}` },
				{ type: "Hostname", address: name },
			],
			allocatable: { cpu: "7910m", memory: "31482304Ki", pods: "110" },
			capacity: { cpu: "8", memory: "32500160Ki", pods: "110" },
			conditions: CONDITIONS.map((type) => ({
				type,
				status: type === "Ready" ? "True" : "False",
				lastHeartbeatTime: time,
				lastTransitionTime: "2026-11-20T00:00:00Z",
				reason: `Kubelet${type}`,
				message: `kubelet says of ${type} what it has to say`,
			})),
			images: Array.from({ length: IMAGES }, (_, index) => ({
				names: [
					`registry.example/app-${index}@sha256:${digest(`image ${index}`)}`,
					`registry.example/app-${index}:1.${index}`,
				],
				sizeBytes: 50_000_000 + index,
			})),
			nodeInfo: { architecture: "amd64", kubeletVersion: "v1.36.2", machineID: digest(name).slice(0, 32) },
		},
	};
}
