// Services and EndpointSlices by chance: as API servers have them, and as none would take them.

import type { Dice } from "./dice.ts";

export type Fields = Readonly<Record<string, unknown>>;

export interface Named {
	readonly metadata: {
		readonly name: string;
		readonly namespace: string;
		readonly labels?: Readonly<Record<string, string>>;
		readonly annotations?: Readonly<Record<string, string>>;
	};
}

export const NODE = "here";
/** The Service that always has endpoints, none of which any other Service has. */
export const STEADY = {
	namespace: "steady",
	name: "steady",
	ips: ["10.96.255.1", "fd00:96::ffff"],
	tcp: { port: 80, target: 8080 },
	udp: { port: 53, target: 5353 },
	v4: Array.from({ length: 10 }, (_, index) => `10.202.255.${index + 1}`),
	v6: Array.from({ length: 10 }, (_, index) => `fd00:202::ff:${(index + 1).toString(16)}`),
	/** Those that its clients are redirected to now and then: IPv4, IPv6. */
	pods: {
		p901: ["10.202.254.1", "fd00:202::fe:1"],
		p902: ["10.202.254.2", "fd00:202::fe:2"],
		p903: ["10.202.254.3", "fd00:202::fe:3"],
	},
} as const;

export type SteadyPod = keyof typeof STEADY.pods;
export const STEADY_PODS: readonly SteadyPod[] = ["p901", "p902", "p903"];

const NAMESPACES = ["demo", "shop"] as const;
/** Few enough that they meet all the time, and that most of them exist. */
const SERVICES = 40;

export interface Place {
	readonly namespace: string;
	readonly name: string;
}

export function anyPlace(dice: Dice): Place {
	const index = dice.below(SERVICES);
	return { namespace: NAMESPACES[index % 2] ?? "demo", name: `s${index}` };
}

const PORTS: readonly Fields[] = [
	{ name: "http", port: 80, protocol: "TCP" },
	{ name: "alt", port: 8080, protocol: "TCP" },
	{ name: "dns", port: 53, protocol: "UDP" },
	{ name: "dns-tcp", port: 53, protocol: "TCP" },
	{ name: "web", port: 80, protocol: "TCP" },
	{ name: "metrics", port: 9090, protocol: "TCP" },
];
/** Ports on which every backend answers. */
const TARGETS = { TCP: [80, 8080, 8081], UDP: [5353] } as const;

export function anyService(dice: Dice, { namespace, name }: Place): Named & Fields {
	const labels = dice.percent(4) ? { "service.kubernetes.io/service-proxy-name": "another" } : { app: name };
	const annotations = dice.percent(20) ? { "balancing.elf.io/peer-address": "backend" } : {};
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace, labels, annotations },
		spec: anySpec(dice),
	};
}

function anySpec(dice: Dice): Fields {
	if (dice.percent(4)) return { type: "ExternalName", externalName: "example.com" };
	const ports = withoutClash(dice.some(PORTS, 1 + dice.below(3)));
	if (dice.percent(4)) return { clusterIP: "None", clusterIPs: ["None"], ports };
	const clusterIPs = anyAddresses(dice);
	return {
		type: dice.pick(["ClusterIP", "ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"]),
		clusterIP: clusterIPs[0],
		clusterIPs,
		...(clusterIPs.length > 1 ? { ipFamilyPolicy: "RequireDualStack" } : {}),
		internalTrafficPolicy: dice.percent(15) ? "Local" : "Cluster",
		...(dice.percent(25) ? { sessionAffinity: "ClientIP" } : {}),
		ports,
	};
}

function withoutClash(ports: readonly Fields[]): readonly Fields[] {
	const numbers = ports.map(({ port, protocol }) => `${port}/${protocol}`);
	return ports.filter((_, index) => numbers.indexOf(numbers[index] ?? "") === index);
}

/** Of a small range: now and then two Services claim one address. */
function anyAddresses(dice: Dice): readonly string[] {
	const [v4, v6] = [`10.96.1.${1 + dice.below(200)}`, `fd00:96::1:${(1 + dice.below(200)).toString(16)}`];
	return dice.pick([[v4], [v4], [v6], [v4, v6], [v6, v4]]);
}

export function anySlice(dice: Dice, { namespace, name }: Place, sliceName: string): Named & Fields {
	const v6 = sliceName.includes("-v6");
	const headless = dice.percent(3) ? { "service.kubernetes.io/headless": "" } : {};
	return {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: { name: sliceName, namespace, labels: { "kubernetes.io/service-name": name, ...headless } },
		addressType: v6 ? "IPv6" : "IPv4",
		endpoints: Array.from({ length: dice.below(7) }, () => anyEndpoint(dice, v6)),
		ports: withoutSameName(PORTS.map((port) => ({ name: port["name"], ...anyTarget(dice, port["protocol"]) }))),
	};
}

function withoutSameName(ports: readonly Fields[]): readonly Fields[] {
	return [...new Map(ports.map((port) => [port["name"], port])).values()];
}

function anyTarget(dice: Dice, protocol: unknown): Fields {
	return protocol === "UDP"
		? { protocol, port: dice.pick(TARGETS.UDP) }
		: { protocol: "TCP", port: dice.pick(TARGETS.TCP) };
}

const CONDITIONS: readonly Fields[] = [
	{ ready: true, serving: true, terminating: false },
	{ ready: true },
	{},
	{ ready: false, serving: false, terminating: false },
	{ ready: false, serving: true, terminating: true },
	{ ready: false, serving: false, terminating: true },
];

/** Services share backends. */
function anyEndpoint(dice: Dice, v6: boolean): Fields {
	const [net, host] = [dice.below(4), 1 + dice.below(30)];
	return {
		addresses: [v6 ? `fd00:202::${net + 1}:${host.toString(16)}` : `10.202.${net}.${host}`],
		conditions: dice.percent(70) ? { ready: true } : dice.pick(CONDITIONS),
		...(dice.percent(80) ? { nodeName: dice.pick([NODE, "there"]) } : {}),
	};
}

/** What no API server would take: one to three values somewhere below the metadata are others. */
export function broken(dice: Dice, object: Named & Fields): Named & Fields {
	const copy = structuredClone(object);
	const { apiVersion: _, kind: __, metadata: ___, ...body } = copy;
	for (let edits = 1 + dice.below(3); edits > 0; edits--) {
		const parents = parentsOf(body);
		const parent = dice.pick(parents);
		const key = dice.pick([...Object.keys(parent), "ports", "__proto__"]);
		// As JSON.parse does it: a key __proto__ is a key.
		Object.defineProperty(parent, key, { value: junk(dice), configurable: true, enumerable: true, writable: true });
	}
	return { ...copy, ...body };
}

function parentsOf(value: object): readonly object[] {
	const below = Object.values(value).filter((each) => typeof each === "object" && each !== null);
	return [value, ...below.flatMap(parentsOf)];
}

function junk(dice: Dice): unknown {
	return dice.pick<unknown>([
		...[
			null,
			true,
			"",
			0,
			-1,
			80.5,
			65_536,
			2 ** 60,
			"None",
			"10.0.0.1",
			"::ffff:10.0.0.1",
			"8080",
			"a b\n\0\u{1f600}",
		],
		...[[], {}, [[[]]], [null, 1], { name: "x" }, "x".repeat(2000), JSON.parse('{"__proto__": {"port": 1}}')],
	]);
}

/** Both families, TCP and UDP; so many endpoints of its own, at least one. */
export function steadyObjects(dice: Dice): readonly (Named & Fields)[] {
	const { namespace, name, ips, tcp, udp } = STEADY;
	const metadata = { name, namespace };
	const count = 1 + dice.below(6);
	const slice = (addressType: string, pool: readonly string[]): Named & Fields => ({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			...metadata,
			name: `${name}-${addressType.toLowerCase()}`,
			labels: { "kubernetes.io/service-name": name },
		},
		addressType,
		endpoints: dice.some(pool, count).map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
		ports: [
			{ name: "http", port: tcp.target, protocol: "TCP" },
			{ name: "dns", port: udp.target, protocol: "UDP" },
		],
	});
	const ports = [
		{ name: "http", port: tcp.port, protocol: "TCP" },
		{ name: "dns", port: udp.port, protocol: "UDP" },
	];
	const spec = { clusterIP: ips[0], clusterIPs: ips, ipFamilyPolicy: "RequireDualStack", ports };
	return [{ apiVersion: "v1", kind: "Service", metadata, spec }, slice("IPv4", STEADY.v4), slice("IPv6", STEADY.v6)];
}
