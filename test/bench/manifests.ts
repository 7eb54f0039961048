// Services as manifests: a Service and its EndpointSlice each.

import { type BenchService, ENDPOINT_PORT, SERVICE_PORT } from "./services.ts";

/** Services in one file. */
const PER_FILE = 100;

function yaml({ name, protocol, ip, endpoints }: BenchService): string {
	return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  namespace: bench
spec:
  clusterIPs: ["${ip}"]
  ports:
    - { name: main, port: ${SERVICE_PORT}, protocol: ${protocol} }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-abcde
  namespace: bench
  labels: { kubernetes.io/service-name: ${name} }
addressType: IPv4
endpoints:
${endpoints.map((endpoint) => `  - { addresses: ["${endpoint}"], conditions: { ready: true } }`).join("\n")}
ports:
  - { name: main, port: ${ENDPOINT_PORT}, protocol: ${protocol} }
`;
}

/** The texts of as many files as it takes. */
export function manifestsOf(services: readonly BenchService[]): readonly string[] {
	const files: string[] = [];
	for (let at = 0; at < services.length; at += PER_FILE) {
		const some = services.slice(at, at + PER_FILE);
		files.push(some.map(yaml).join("---\n"));
	}
	return files;
}

/** As the demo's: a dual-stack Service with two ports, and two pods. */
export const DEMO = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec:
  ipFamilyPolicy: PreferDualStack
  clusterIPs: ["10.96.0.10", "fd00:10:96::10"]
  selector: { app: web }
  ports:
    - { name: http, port: 80, targetPort: 8080 }
    - { name: dns, port: 53, targetPort: 5353, protocol: UDP }
${[1, 2].map(pod).join("")}`;

function pod(index: number): string {
	return `---
apiVersion: v1
kind: Pod
metadata: { name: web-${index}, namespace: demo, labels: { app: web } }
status:
  podIPs: [{ ip: 10.244.1.1${index} }, { ip: "fd00:10:244::1${index}" }]
`;
}
