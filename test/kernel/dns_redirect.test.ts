// A node-local DNS cache behind a redirect of the cluster's DNS: real name servers and programs, the agent from its sources.

import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { must } from "../support/command.ts";
import { type DnsClient, type DnsServer, dnsClient, dnsServer } from "../support/dns_cache.ts";
import { startHub } from "../support/hub/hub.ts";
import { type Lab, lab } from "../support/lab.ts";
import { netns, wire } from "../support/netns.ts";
import { podCgroup } from "../support/pod_cgroup.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(120_000);

const missing = ["dnsmasq"].filter((program) => Bun.which(program) === null);
const why = missing.length === 0 ? "" : ` (skipped: no ${missing.join(", no ")}; scripts/setup test installs them)`;

/** The Service's, and the port that caches listen on. */
const VIP = { v4: "10.96.0.53", v6: "fd00:96::53" } as const;
const REAL = { v4: "10.202.0.53", v6: "fd00:202::53" } as const;
const CACHE_PORT = 5353;
/** What tells who answered: a name that both know, and one that a cache has to ask for. */
const WHO = "who.test";
const FAR = "far.test";
const [BY_REAL, BY_CACHE, BY_OTHER] = ["127.0.0.2", "127.0.0.9", "127.0.0.10"];

const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIPs: ["${VIP.v4}", "${VIP.v6}"]
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53 }]
---
${sliceYaml("IPv4", REAL.v4)}---
${sliceYaml("IPv6", REAL.v6)}`;

function sliceYaml(family: "IPv4" | "IPv6", address: string): string {
	return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kube-dns-${family.toLowerCase()}, namespace: kube-system, labels: { kubernetes.io/service-name: kube-dns } }
addressType: ${family}
endpoints: [{ addresses: ["${address}"] }]
ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53 }]
`;
}

/** As users have it; the annotation is for events alone. */
const POLICY = `apiVersion: balancing.elf.io/v1beta1
kind: LocalRedirectPolicy
metadata: { name: dns-to-local-cache, annotations: { balancing.elf.io/serviceId: "41007" } }
spec:
  frontend:
    serviceMatcher:
      namespace: kube-system
      serviceName: kube-dns
      toPorts:
        - { name: dns, port: "53", protocol: UDP }
        - { name: dns-tcp, port: "53", protocol: TCP }
  backend:
    endpointSelector: { matchLabels: { app: dns-cache } }
    toPorts:
      - { name: dns, port: "${CACHE_PORT}", protocol: UDP }
      - { name: dns-tcp, port: "${CACHE_PORT}", protocol: TCP }
`;

type PodState = "ready" | "unready" | "terminating";

interface PodPlace {
	readonly name: string;
	readonly uid: string;
	readonly ips: readonly string[];
	readonly hostNetwork?: boolean;
}

function podYaml({ name, uid, ips, hostNetwork = false }: PodPlace, state: PodState): string {
	const deletion = state === "terminating" ? ", deletionTimestamp: '2026-01-02T03:04:05Z'" : "";
	return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: kube-system, uid: "${uid}", labels: { app: dns-cache }${deletion} }
spec: { nodeName: here, hostNetwork: ${hostNetwork} }
status:
  phase: Running
  podIPs: [${ips.map((ip) => `{ ip: "${ip}" }`).join(", ")}]
  conditions: [{ type: Ready, status: "${state === "ready" ? "True" : "False"}" }]
`;
}

const ONE: PodPlace = {
	name: "cache-one",
	uid: "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11",
	ips: ["10.203.1.7", "fd00:203:1::7"],
};
const TWO: PodPlace = {
	name: "cache-two",
	uid: "7a1d9c5e-4c0b-4c57-8f3b-2f4f0f6d2a22",
	ips: ["10.203.2.7", "fd00:203:2::7"],
};
/** On a network of its own, said to be the host's. */
const ON_HOST_LIKE: PodPlace = { ...TWO, name: "cache-late" };
/** On the clients' own network, as on that of a node. */
const ON_HOST: PodPlace = { ...ONE, name: "cache-host", ips: ["10.201.0.1", "fd00:201::1"], hostNetwork: true };

let place: Lab;
let agentAt: AgentPlace;
let stack: AsyncDisposableStack;
let client: DnsClient;

/** A pod's network namespace behind a wire of its own to that of the servers, which is a router by that. */
function podNetwork({ ips }: PodPlace): string {
	const net = stack.use(netns());
	const [v4 = "", v6 = ""] = ips;
	const [gateway4, gateway6] = [v4.replace(/\.7$/, ".1"), v6.replace(/::7$/, "::1")];
	wire(
		`pod${v4.split(".")[2]}`,
		{ net, addresses: [`${v4}/24`, `${v6}/64`] },
		{ net: place.servers, addresses: [`${gateway4}/24`, `${gateway6}/64`] },
	);
	net.ip("route", "add", "default", "via", gateway4);
	net.ip("-6", "route", "add", "default", "via", gateway6);
	return net.name;
}

/** A cache that asks upstream by the very address that is redirected to it. */
async function startCache(pod: PodPlace, { netns, cgroup }: CachePlace, answer = BY_CACHE): Promise<DnsServer> {
	return stack.use(
		await dnsServer({
			netns,
			cgroup,
			addresses: pod.ips,
			port: CACHE_PORT,
			knows: { [WHO]: answer },
			upstream: VIP.v4,
		}),
	);
}

async function startAgent(flags: readonly string[] = []): Promise<AgentProcess> {
	agentAt.write("service", SERVICE);
	agentAt.write("policy", POLICY);
	const agent = stack.use(agentAt.start({ flags: ["--node-name=here", ...flags] }));
	await agent.ready();
	return agent;
}

async function answeredBy(answer: string): Promise<void> {
	await until(`answered by ${answer}`, async () => (await client.ask(VIP.v4, WHO)) === answer);
}

beforeEach(async () => {
	stack = new AsyncDisposableStack();
	place = stack.use(await lab());
	agentAt = stack.use(agentPlace());
	must("ip", "netns", "exec", place.servers.name, "sysctl", "-q", "net.ipv4.ip_forward=1");
	must("ip", "netns", "exec", place.servers.name, "sysctl", "-q", "net.ipv6.conf.all.forwarding=1");
	// A local route lets nobody bind to an IPv6 address.
	place.servers.ip("address", "add", `${REAL.v6}/128`, "dev", "lo", "nodad");
	const knows = { [WHO]: BY_REAL, [FAR]: BY_REAL };
	stack.use(await dnsServer({ netns: place.servers.name, addresses: [REAL.v4, REAL.v6], port: 53, knows }));
	client = stack.use(dnsClient({ netns: place.clients.name, cgroup: agentAt.cgroup.path }));
});
afterEach(() => stack.disposeAsync());

/** Where a cache runs: its network, and the cgroup of its processes. */
interface CachePlace {
	readonly netns: string;
	readonly cgroup: string;
}

const SLICES = "kubepods.slice/kubepods-burstable.slice";

function inCgroup(netnsName: string, folder: string): CachePlace {
	return { netns: netnsName, cgroup: stack.use(podCgroup(agentAt.cgroup.path, folder)).container };
}

/** As kubelet and systemd make it. */
function podPlace(pod: PodPlace): CachePlace {
	return inCgroup(podNetwork(pod), `${SLICES}/kubepods-burstable-pod${pod.uid.replaceAll("-", "_")}.slice`);
}

const KINDS: readonly (readonly [string, PodPlace, readonly string[], () => CachePlace])[] = [
	["known by its cgroup and its network namespace", ONE, ["cgroup", "netns"], () => podPlace(ONE)],
	["known by its network namespace alone", ONE, ["netns"], () => inCgroup(podNetwork(ONE), "somewhere/else")],
	[
		"on the host's network, known by its cgroup alone",
		ON_HOST,
		["cgroup"],
		() => inCgroup(place.clients.name, `docker/4f5a/kubelet/kubepods/burstable/pod${ON_HOST.uid}`),
	],
];

/** Of both families, by both protocols. */
async function expectAnswers(who: string): Promise<void> {
	for (const protocol of ["udp", "tcp"] as const) {
		for (const vip of [VIP.v4, VIP.v6]) {
			expect(await client.ask(vip, WHO, protocol)).toBe(who);
			// A cache knows nothing of it: it has asked the real one.
			expect(await client.ask(vip, FAR, protocol)).toBe(BY_REAL);
		}
	}
}

describe.skipIf(missing.length > 0)(`A node-local DNS cache${why}`, () => {
	test.each(KINDS)(
		"answers, and reaches the real one by the address that leads to it: %s",
		async (_, pod, knownBy, prepare) => {
			const where = prepare();
			const cache = await startCache(pod, where);
			agentAt.write("pod", podYaml(pod, "ready"));
			const agent = await startAgent();
			await expectAnswers(BY_CACHE);
			const status = await agentAt.run("status");
			expect(status.out).toMatch(/^ {2}LocalRedirectPolicy dns-to-local-cache +programmed +4 +4 +-$/m);
			expect(status.out).toMatch(/^Problems +0$/m);
			const guards = (await agentAt.run("maps", "guards")).out;
			expect([...guards.matchAll(/ kind=(\w+)/g)].map(([, kind]) => kind).sort()).toEqual([...knownBy]);
			expect((await agentAt.run("frontends")).out).toMatch(
				/^kube-system\/kube-dns:dns +10\.96\.0\.53:53\/UDP +ClusterIP \(next\) /m,
			);

			// It dies without a word; once the agent hears of it, the Service serves.
			await cache.kill();
			agentAt.write("pod", podYaml(pod, "unready"));
			await answeredBy(BY_REAL);
			await expectAnswers(BY_REAL);
			expect((await agentAt.run("status")).out).toMatch(/^ {2}LocalRedirectPolicy dns-to-local-cache +idle +0 +0 /m);

			// Its container is started again, in another cgroup below the pod's.
			const again = await startCache(pod, {
				...where,
				cgroup: stack.use(podCgroup(dirname(where.cgroup), "again")).path,
			});
			agentAt.write("pod", podYaml(pod, "ready"));
			await answeredBy(BY_CACHE);
			await expectAnswers(BY_CACHE);
			await again.kill();
			expect(agent.err()).toBe("");
		},
	);

	test("a pod that cannot be told from others asks itself, which is a Problem until it is found", async () => {
		const where = podPlace(ONE);
		await startCache(ONE, where);
		// Its network tells nothing, as is said of it, and its cgroup is called otherwise.
		const stranger = { ...ONE, uid: "00000000-0000-0000-0000-000000000000", hostNetwork: true };
		agentAt.write("pod", podYaml(stranger, "ready"));
		await startAgent();
		const problem = `  Pod kube-system/cache-one: What it connects to itself is redirected by LocalRedirectPolicy dns-to-local-cache as well: no process is in a cgroup v2 of pod ${stranger.uid}, and its network namespace is the host's; balancing doctor says what the agent lacks (Unguarded)`;
		expect((await agentAt.run("status")).out).toContain(problem);
		expect(await client.ask(VIP.v4, WHO)).toBe(BY_CACHE);
		expect(await client.ask(VIP.v4, FAR)).not.toBe(BY_REAL);
		agentAt.write("pod", podYaml(ONE, "ready"));
		await until("found", async () => /^Problems +0$/m.test((await agentAt.run("status")).out));
		await until("no loop", async () => (await client.ask(VIP.v4, FAR)) === BY_REAL);
		await expectAnswers(BY_CACHE);
	});

	test("a pod whose cgroup comes late is found then", async () => {
		const net = podNetwork(ON_HOST_LIKE);
		agentAt.write("pod", podYaml({ ...ON_HOST_LIKE, hostNetwork: true }, "ready"));
		await startAgent();
		expect((await agentAt.run("status")).out).toContain("and its network namespace is the host's; ");
		await startCache(ON_HOST_LIKE, inCgroup(net, `kubepods/pod${ON_HOST_LIKE.uid}`));
		await until("found", async () => /^Problems +0$/m.test((await agentAt.run("status")).out), 40_000);
		await expectAnswers(BY_CACHE);
	});

	test("events tell the redirect from the Service, with the policy's name and id", async () => {
		const where = podPlace(ONE);
		await startCache(ONE, where);
		agentAt.write("pod", podYaml(ONE, "ready"));
		const agent = await startAgent();
		expect(await client.ask(VIP.v4, FAR)).toBe(BY_REAL);
		const events = () => agent.log().filter(({ msg }) => msg === "resolution");
		await until("two resolutions", () => events().length >= 2);
		expect(events()[0]).toMatchObject({
			result: "success",
			original: { ip: VIP.v4, port: 53 },
			backend: { ip: ONE.ips[0], port: CACHE_PORT },
			nat: { type: "localRedirect", mode: "localRedirectService" },
			object: "dns-to-local-cache",
			serviceId: 41_007,
			redirectHitLimit: false,
		});
		expect(events()[1]).toMatchObject({
			result: "success",
			original: { ip: VIP.v4, port: 53 },
			backend: { ip: REAL.v4, port: 53 },
			nat: { type: "service", mode: "ServiceClusterIP" },
			object: "kube-system/kube-dns",
			redirectHitLimit: false,
			client: { comm: "dnsmasq" },
		});
	});

	test("--redirect-qos-limit: what is over it goes to the Service, and its event says so", async () => {
		await startCache(ONE, podPlace(ONE));
		agentAt.write("pod", podYaml(ONE, "ready"));
		const agent = await startAgent(["--redirect-qos-limit=1"]);
		const answers: string[] = [];
		/** Asks on until that one answers. */
		const askUntil = async (answer: string) => {
			await until(`answered by ${answer}`, async () => {
				answers.push(await client.ask(VIP.v4, WHO));
				return answers.at(-1) === answer;
			});
		};
		// In one second after the other: the first is redirected, then it is enough.
		for (let second = 0; second < 3; second++) {
			await askUntil(BY_CACHE);
			await askUntil(BY_REAL);
		}
		const over = answers.filter((answer) => answer === BY_REAL).length;
		expect(answers.filter((answer) => answer === BY_CACHE).length).toBe(answers.length - over);
		const events = () => agent.log().filter(({ msg }) => msg === "resolution");
		await until("all resolutions", () => events().length >= answers.length);
		const limited = events().filter(({ redirectHitLimit }) => redirectHitLimit === true);
		expect(limited).toHaveLength(over);
		for (const event of limited) expect(event["nat"]).toEqual({ type: "service", mode: "ServiceClusterIP" });
		expect((await agentAt.run("plan", "--node-name=here", "--redirect-qos-limit=1")).out).toContain(
			" localRedirectService limit=1/s -> ",
		);
	});

	test.each([
		["the next one comes first", true],
		["the last one goes first", false],
	])("is replaced without one look-up that fails: %s", async (_, surge) => {
		const first = await startCache(ONE, podPlace(ONE));
		agentAt.write("one", podYaml(ONE, "ready"));
		await startAgent();
		await answeredBy(BY_CACHE);
		const asking = keepAsking();

		async function bringTwo(): Promise<void> {
			await startCache(TWO, podPlace(TWO), BY_OTHER);
			agentAt.write("two", podYaml(TWO, "ready"));
			await asking.until(BY_OTHER);
		}

		async function takeOne(): Promise<void> {
			agentAt.write("one", podYaml(ONE, "terminating"));
			const takesQuestions = new RegExp(` ${ONE.ips[0]}:${CACHE_PORT}/UDP(?! \\(terminating\\))`);
			await until("without new questions", async () => !takesQuestions.test((await agentAt.run("frontends")).out));
			// Within its grace period it answers what it was asked.
			await asking.some();
			await first.kill();
			agentAt.remove("one");
		}

		if (surge) {
			await bringTwo();
			await takeOne();
		} else {
			await takeOne();
			await asking.until(BY_REAL);
			await bringTwo();
		}
		await asking.until(BY_OTHER);
		const answers = await asking.stop();
		const allowed = new Set(surge ? [BY_CACHE, BY_OTHER] : [BY_CACHE, BY_REAL, BY_OTHER]);
		expect(answers.filter((answer) => !allowed.has(answer))).toEqual([]);
		expect(answers.length).toBeGreaterThan(20);
	});

	test("is found by the uid that an API server gave it, and again after its Pod was made anew", async () => {
		const server = stack.use(await startHub({ kubernetes: false }));
		const kubeconfig = `${agentAt.folder}/kubeconfig`;
		writeFileSync(kubeconfig, server.kubeconfig());
		server.apply(SERVICE);
		server.apply(POLICY);
		const flags = ["--node-name=here", `--kubeconfig=${kubeconfig}`];
		const agent = stack.use(agentAt.start({ flags, manifests: false }));
		await agent.ready();
		await expectAnswers(BY_REAL);
		const network = podNetwork(ONE);
		for (let round = 0; round < 2; round++) {
			const spec = { nodeName: "here", containers: [{ name: "c", image: "i" }] };
			const metadata = { name: ONE.name, namespace: "kube-system", labels: { app: "dns-cache" } };
			const [created] = server.apply({ apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: "Pending" } });
			const uid = created?.metadata.uid ?? expect.unreachable();
			// As if on the host's network, below: the uid must do.
			const { cgroup } = inCgroup(network, `${SLICES}/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`);
			const cache = await startCache(ONE, { netns: network, cgroup });
			const status = {
				phase: "Running",
				podIPs: ONE.ips.map((ip) => ({ ip })),
				conditions: [{ type: "Ready", status: "True" }],
			};
			server.apply({ apiVersion: "v1", kind: "Pod", metadata, spec: { ...spec, hostNetwork: true }, status });
			await answeredBy(BY_CACHE);
			await expectAnswers(BY_CACHE);
			expect((await agentAt.run("status")).out).toMatch(/^Problems +0$/m);
			server.delete("Pod", "kube-system", ONE.name);
			await answeredBy(BY_REAL);
			await cache.kill();
			await expectAnswers(BY_REAL);
		}
	});

	test("goes on as it is when the agent is killed, and when it comes back", async () => {
		await startCache(ONE, podPlace(ONE));
		agentAt.write("pod", podYaml(ONE, "ready"));
		const agent = await startAgent();
		await expectAnswers(BY_CACHE);
		const asking = keepAsking();
		await agent.stop("SIGKILL");
		await expectAnswers(BY_CACHE);
		const again = stack.use(agentAt.start({ flags: ["--node-name=here"] }));
		await again.ready();
		await asking.some();
		await expectAnswers(BY_CACHE);
		expect(again.log().filter(({ msg }) => msg === "Written")).toEqual([]);
		const answers = await asking.stop();
		expect(answers.filter((answer) => answer !== BY_CACHE && answer !== BY_REAL)).toEqual([]);
	});
});

/** Asks one question after the other, in turn who answers and what only the real one knows. */
function keepAsking() {
	const answers: string[] = [];
	let asking = true;
	async function ask(): Promise<void> {
		const [other] = [stack.use(dnsClient({ netns: place.clients.name, cgroup: agentAt.cgroup.path }))];
		while (asking) {
			const far = await other.ask(VIP.v4, FAR);
			// What fails is not hidden by who it would have been.
			answers.push(far === BY_REAL ? await other.ask(VIP.v4, WHO) : far);
		}
	}
	const done = ask();
	return {
		async until(answer: string) {
			const from = answers.length;
			await until(`answered by ${answer}`, () => answers.slice(from).includes(answer));
		},
		/** Whatever was on its way is over. */
		async some() {
			const from = answers.length;
			await until("asked again", () => answers.length >= from + 3);
		},
		async stop() {
			asking = false;
			await done;
			return answers;
		},
	};
}
