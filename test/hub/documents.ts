// Real-looking manifests to mutate: as people write them, and as an API server gives them.

/** A multi-line YAML document each. */
export const YAML_DOCUMENTS: readonly string[] = [
	`apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: demo
  labels: {app: web, "service.kubernetes.io/service-proxy-name": other}
  annotations:
    balancing.elf.io/peer-address: backend   # what getpeername() shows
spec:
  type: ClusterIP
  clusterIP: 10.96.0.10
  clusterIPs: ["10.96.0.10", "fd00:96::10"]
  internalTrafficPolicy: Local
  selector:
    app: web
    tier: front
  ports:
    - name: http
      port: 80
      targetPort: http
    - {name: dns, port: 53, protocol: UDP, targetPort: 5353}
`,
	`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-abcde
  namespace: demo
  labels:
    kubernetes.io/service-name: web
addressType: IPv4
endpoints:
  - addresses: [10.244.1.21]
    conditions: {ready: true, serving: true, terminating: false}
    nodeName: node-a
    targetRef: {kind: Pod, name: web-1, namespace: demo}
  - addresses:
      - "10.244.2.21"
    conditions:
      ready: false
  - addresses: ["10.244.2.22"]
ports:
  - name: http
    port: 8080
    protocol: TCP
  - name: dns
    port: 5353
    protocol: UDP
    appProtocol: example.com/dns
`,
	`---
# Comments, an anchor, a merge key and a block scalar.
apiVersion: v1
kind: Pod
metadata: &meta
  name: web-1
  namespace: demo
  labels: &labels
    app: web
    tier: front
  annotations:
    <<: *labels
    note: |
      several
        lines --- here
      - of text
spec:
  nodeName: node-a
  initContainers:
    - name: proxy
      restartPolicy: Always
      ports: [{name: metrics, containerPort: 9090}]
  containers:
    - name: main
      ports:
        - name: http
          containerPort: 8080
status:
  phase: Running
  podIP: 10.244.1.21
  podIPs:
    - ip: 10.244.1.21
    - ip: fd00:244::21
  conditions:
    - type: Ready
      status: "True"
`,
	`apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: demo
  annotations:
    balancing.elf.io/client-identity: cgroup
    balancing.elf.io/close-on-remove: "all"
    balancing.elf.io/reach: node-port
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.11
  externalIPs: [192.0.2.11, "2001:db8::11"]
  externalTrafficPolicy: Local
  healthCheckNodePort: 30999
  trafficDistribution: PreferSameNode
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}
  selector: {app: web}
  ports: [{port: 80, nodePort: 30080}]
status:
  loadBalancer:
    ingress:
      - ip: 192.0.2.12
        ipMode: VIP
---
apiVersion: v1
kind: Node
metadata:
  name: node-a
  labels: {topology.kubernetes.io/zone: zone-a}
  annotations: {balancing.elf.io/nodeProxyIpv4: 192.0.2.9, balancing.elf.io/nodeProxyIpv6: "2001:db8::9"}
status:
  addresses:
    - {type: InternalIP, address: 10.0.0.1}
    - {type: Hostname, address: node-a}
`,
	`apiVersion: balancing.elf.io/v1beta1
kind: LocalRedirectPolicy
metadata:
  name: dns-to-local-cache
  annotations: {balancing.elf.io/redirect-qos-limit: "100", balancing.elf.io/serviceId: "41007"}
spec:
  config:
    nodeLabelSelector:
      matchLabels: { dns-cache: "on" }
    enableOutCluster: false
  frontend:
    serviceMatcher:
      namespace: kube-system
      serviceName: kube-dns
      toPorts:
        - { name: dns,     port: "53", protocol: UDP }
        - { name: dns-tcp, port: 53, protocol: TCP }
  backend:
    endpointSelector:
      matchExpressions:
        - { key: app, operator: In, values: [dns-cache] }
    toPorts:
      - { name: dns,     port: "5353", protocol: UDP }
      - { name: dns-tcp, port: "5353", protocol: TCP }
---
apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: shop-hostport }
spec:
  frontend:
    serviceMatcher: { namespace: shop, serviceName: api, toPorts: [ { name: http, port: "80", protocol: TCP } ] }
  backend:
    serviceEndpoint:
      endpointSelector: { matchLabels: { app: api } }
      redirectMode: hostPort
      toPorts: [ { name: http, port: "31080", protocol: TCP } ]
`,
	`apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: api
    creationTimestamp: "2026-01-02T03:04:05Z"
  spec:
    clusterIP: None
    ports:
    - port: 443
- apiVersion: v1
  kind: Endpoints
  metadata:
    name: api
  subsets: []
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: api
kind: List
metadata:
  resourceVersion: ""
`,
];

const SERVICE = {
	apiVersion: "v1",
	kind: "Service",
	metadata: {
		name: "api",
		namespace: "demo",
		uid: "8bf087f5-b95b-4c0b-9a82-767ef28d7a8a",
		resourceVersion: "378",
		creationTimestamp: "2026-01-02T03:04:05Z",
		annotations: {
			"balancing.elf.io/reach": "node-proxy",
			"balancing.elf.io/client-identity": "uid",
			"balancing.elf.io/health-check": "http:/healthz fails=5",
		},
		managedFields: [{ manager: "kubectl", operation: "Apply", fieldsV1: { "f:spec": { "f:ports": { ".": {} } } } }],
	},
	spec: {
		type: "LoadBalancer",
		clusterIP: "10.96.41.7",
		clusterIPs: ["10.96.41.7"],
		ipFamilies: ["IPv4"],
		ipFamilyPolicy: "SingleStack",
		publishNotReadyAddresses: true,
		selector: { app: "api" },
		ports: [
			{ name: "http", protocol: "TCP", port: 80, targetPort: 8080, nodePort: 30080 },
			{ name: "sctp", protocol: "SCTP", port: 81, targetPort: 0 },
		],
		externalIPs: ["192.0.2.7", "2001:db8::7"],
		externalTrafficPolicy: "Local",
		healthCheckNodePort: 31234,
		sessionAffinity: "ClientIP",
		sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
		trafficDistribution: "PreferSameZone",
	},
	status: { loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }, { hostname: "api.example" }] } },
};

const SLICE = {
	apiVersion: "discovery.k8s.io/v1",
	kind: "EndpointSlice",
	metadata: { name: "api-vt57p", namespace: "demo", labels: { "kubernetes.io/service-name": "api" } },
	addressType: "IPv6",
	endpoints: [
		{
			addresses: ["fd00:244::15"],
			conditions: { ready: true, serving: true, terminating: false },
			nodeName: "node-a",
			hints: { forZones: [{ name: "zone-a" }, { name: "zone-b" }], forNodes: [{ name: "node-a" }] },
		},
		{ addresses: ["fd00:244::16"], conditions: { ready: null, serving: null, terminating: true }, zone: "zone-b" },
	],
	ports: [{ name: "http", protocol: "TCP", port: 8080 }],
};

const POD = {
	apiVersion: "v1",
	kind: "Pod",
	metadata: {
		name: "api-1",
		namespace: "demo",
		uid: "8bf087f5-b95b-4c0b-9a82-767ef28d7a8c",
		annotations: { "kubernetes.io/config.hash": "0c37cd26bb4ee3e6b0a1a1bba29fc8a2", "balancing.elf.io/weight": "20" },
		labels: { app: "api" },
		deletionTimestamp: "2026-01-02T03:04:05Z",
	},
	spec: {
		nodeName: "node-b",
		hostNetwork: true,
		containers: [
			{
				name: "c",
				ports: [
					{ name: "http", containerPort: 8080, hostPort: 8080, hostIP: "10.0.0.1", protocol: "TCP" },
					{ containerPort: 53, hostPort: 5353, protocol: "UDP" },
				],
			},
		],
	},
	status: {
		phase: "Running",
		podIP: "10.244.1.21",
		podIPs: [{ ip: "10.244.1.21" }],
		conditions: [{ type: "Ready", status: "False" }],
	},
};

const NODE = {
	apiVersion: "v1",
	kind: "Node",
	metadata: {
		name: "node-a",
		labels: { "kubernetes.io/hostname": "node-a", "topology.kubernetes.io/zone": "zone-a" },
		annotations: { "balancing.elf.io/nodeProxyIpv4": "192.0.2.9", "balancing.elf.io/nodeProxyIpv6": "2001:db8::9" },
	},
	spec: { podCIDR: "10.244.1.0/24", taints: [{ key: "a", effect: "NoSchedule" }] },
	status: {
		addresses: [
			{ type: "ExternalIP", address: "198.51.100.1" },
			{ type: "InternalIP", address: "10.0.0.1" },
			{ type: "InternalIP", address: "fd00::1" },
			{ type: "Hostname", address: "node-a" },
		],
		conditions: [{ type: "Ready", status: "True" }],
	},
};

const META = { uid: "8bf087f5-b95b-4c0b-9a82-767ef28d7a8b", creationTimestamp: "2026-01-02T03:04:05Z", generation: 3 };

const REDIRECT = {
	apiVersion: "balancing.elf.io/v1beta1",
	kind: "LocalRedirectPolicy",
	metadata: {
		...META,
		name: "metadata-proxy",
		annotations: {
			"balancing.elf.io/serviceId": "41007",
			"balancing.elf.io/redirect-qos-limit": "10",
			"balancing.elf.io/close-on-remove": "all",
		},
	},
	spec: {
		config: { nodeLabelSelector: { matchLabels: { zone: "edge" } }, enableOutCluster: true },
		frontend: { addressMatcher: { ip: "169.254.77.7", toPorts: [{ name: "web", port: "80", protocol: "TCP" }] } },
		backend: {
			endpointSelector: { matchExpressions: [{ key: "role", operator: "NotIn", values: ["a", "b"] }] },
			toPorts: [{ name: "web", port: "8100", protocol: "TCP" }],
		},
	},
	status: { observedGeneration: 3, conditions: [{ type: "Accepted", status: "True" }] },
};

const TO_PODS = {
	apiVersion: "balancing.elf.io/v1beta1",
	kind: "BalancingPolicy",
	metadata: { ...META, name: "shop" },
	spec: {
		frontend: { serviceMatcher: { namespace: "shop", serviceName: "api", toPorts: [] } },
		backend: {
			serviceEndpoint: {
				endpointSelector: { matchLabels: { app: "api" }, matchExpressions: [{ key: "canary", operator: "Exists" }] },
				redirectMode: "nodeProxy",
				toPorts: [{ port: "30080", protocol: "TCP" }],
			},
		},
	},
};

const TO_ADDRESSES = {
	apiVersion: "balancing.elf.io/v1beta1",
	kind: "BalancingPolicy",
	metadata: {
		...META,
		name: "legacy-db",
		annotations: {
			"balancing.elf.io/weight": "192.0.2.11=3, 2001:db8::11=0",
			"balancing.elf.io/health-check": "https:/healthz interval=5s timeout=500ms panic=50% port=8081",
		},
	},
	spec: {
		frontend: {
			addressMatcher: {
				ip: "2001:db8::50",
				toPorts: [
					{ name: "pg", port: "5432", protocol: "TCP" },
					{ name: "dns", port: "53", protocol: "UDP" },
				],
			},
		},
		backend: {
			addressEndpoint: {
				addresses: ["192.0.2.11", "192.0.2.12", "2001:db8::11"],
				toPorts: [
					{ name: "pg", port: "5432", protocol: "TCP" },
					{ name: "dns", port: 5353, protocol: "UDP" },
				],
			},
		},
	},
};

/** Of each kind that is projected one or more, as an API server gives it. */
export const SINGLE: readonly unknown[] = [SERVICE, SLICE, POD, NODE, REDIRECT, TO_PODS, TO_ADDRESSES];

/** Objects as an API server gives them. */
export const OBJECTS: readonly unknown[] = [
	...SINGLE,
	{
		apiVersion: "v1",
		kind: "ServiceList",
		metadata: { resourceVersion: "531" },
		items: [{ metadata: SERVICE.metadata, spec: SERVICE.spec }],
	},
	{ apiVersion: "v1", kind: "List", items: [SERVICE, SLICE, { apiVersion: "v1", kind: "PodList", items: [POD] }] },
];
