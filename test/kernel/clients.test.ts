// Events name who made a resolution: real cgroups of every kind, real processes, the agent from its sources.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { cgroupV1Roots } from "../../src/datapath/cgroup.ts";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { type Cgroup, nestedCgroup } from "../support/cgroup.ts";
import { type Client, client } from "../support/client.ts";
import { type Family, V4, V6 } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";
import { testName } from "../support/names.ts";
import { until, untilSync } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(120_000);

const NODE = "here";
/** By Pod: what its cgroup is named after. */
const UIDS = {
	shop: "6f0c9c5e-4c0b-4c57-8f3b-2f4f0f6d2a11",
	bank: "7a1d9c5e-4c0b-4c57-8f3b-2f4f0f6d2a22",
	"etcd-here": "0c37cd26bb4ee3e6b0a1a1bba29fc8a2",
} as const;
const [APP, LOG, BANK, ETCD, PLAIN] = ["0a", "0b", "0c", "0d", "0e"].map((pair) => pair.repeat(32));

function sliceYaml(family: Family): string {
	return `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-${family.name.toLowerCase()}, namespace: demo, labels: { kubernetes.io/service-name: web } }
addressType: ${family.name}
endpoints: [{ addresses: ["${family.backend(1)}"] }]
ports: [{ name: http, port: 8080 }, { name: dns, port: 5353, protocol: UDP }]
`;
}

const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo }
spec:
  clusterIPs: ["${V4.vip(1)}", "${V6.vip(1)}"]
  ports: [{ name: http, port: 80 }, { name: dns, port: 53, protocol: UDP }]
${sliceYaml(V4)}${sliceYaml(V6)}`;

const PODS = `apiVersion: v1
kind: Pod
metadata: { name: shop, namespace: demo, uid: ${UIDS.shop} }
spec: { nodeName: ${NODE} }
status:
  podIPs: [{ ip: 10.244.0.1 }]
  containerStatuses:
    - { name: app, containerID: "containerd://${APP}" }
    - { name: log, containerID: "containerd://${LOG}" }
---
apiVersion: v1
kind: Pod
metadata: { name: bank, namespace: money, uid: ${UIDS.bank} }
spec: { nodeName: ${NODE} }
status: { podIPs: [{ ip: 10.244.0.2 }], containerStatuses: [{ name: vault, containerID: "cri-o://${BANK}" }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: etcd-here
  namespace: kube-system
  uid: 11111111-2222-3333-4444-555555555555
  annotations: { kubernetes.io/config.hash: ${UIDS["etcd-here"]}, kubernetes.io/config.source: file }
spec: { nodeName: ${NODE}, hostNetwork: true }
status: { podIPs: [{ ip: 10.244.0.3 }], containerStatuses: [{ name: etcd, containerID: "docker://${ETCD}" }] }
`;

let place: Lab;
let agentAt: AgentPlace;
let agent: AgentProcess;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
	place = stack.use(await lab());
	agentAt = stack.use(agentPlace());
	agentAt.write("service", SERVICE);
	agentAt.write("pods", PODS);
	agent = stack.use(agentAt.start({ flags: [`--node-name=${NODE}`] }));
	await agent.ready();
});

afterAll(() => stack.disposeAsync());

/** What the events of a process say of it. */
function clientsOf({ pid }: Client) {
	const events = agent.log().filter(({ msg }) => msg === "resolution");
	return events.flatMap(({ original, protocol, client: who }) =>
		typeof who === "object" && who !== null && "pid" in who && who.pid === pid ? [{ original, protocol, who }] : [],
	);
}

/** Connects by TCP and UDP, IPv4 and IPv6. */
async function connectAll(one: Client): Promise<void> {
	for (const family of [V4, V6]) {
		await one.each(`socket t ${family.domain} tcp`, `connect t ${family.vip(1)} 80`, "close t");
		await one.each(`socket u ${family.domain} udp`, `connect u ${family.vip(1)} 53`, "close u");
	}
}

const ASKED = [V4, V6].flatMap((family) => [
	{ original: { ip: family.vip(1), port: 80 }, protocol: "TCP" },
	{ original: { ip: family.vip(1), port: 53 }, protocol: "UDP" },
]);
const NOBODY = { hostProcess: false, pod: "", namespace: "", podUid: "", container: "", containerId: "", unit: "" };
const SHOP = { ...NOBODY, pod: "shop", namespace: "demo", podUid: UIDS.shop };

/** All that events say of a client in that cgroup. */
async function expectNamed(one: Client, { id }: Cgroup, names: object): Promise<void> {
	await connectAll(one);
	await until("four resolutions", () => clientsOf(one).length >= ASKED.length);
	const comm = readFileSync(`/proc/${one.pid}/comm`, "utf8").trim();
	const who = { pid: one.pid, tid: one.pid, uid: 0, comm, cgroupId: Number(id), ...names };
	expect<unknown>(clientsOf(one)).toEqual(ASKED.map((asked) => ({ ...asked, who })));
}

function slice(uid: string): string {
	return `pod${uid.replaceAll("-", "_")}.slice`;
}

describe("events of TCP and UDP, IPv4 and IPv6 name", () => {
	test.each([
		{
			kind: "a pod's container",
			folder: `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${slice(UIDS.shop)}/cri-containerd-${APP}.scope`,
			names: { ...SHOP, container: "app", containerId: APP },
		},
		{
			kind: "the other container of that pod",
			folder: `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${slice(UIDS.shop)}/cri-containerd-${LOG}.scope`,
			names: { ...SHOP, container: "log", containerId: LOG },
		},
		{
			kind: "a pod by the cgroupfs driver",
			folder: `kubepods/burstable/pod${UIDS.shop}/${APP}`,
			names: { ...SHOP, container: "app", containerId: APP },
		},
		{
			kind: "a Guaranteed pod, of CRI-O",
			folder: `kubepods.slice/kubepods-${slice(UIDS.bank)}/crio-${BANK}.scope/container`,
			names: { ...NOBODY, pod: "bank", namespace: "money", podUid: UIDS.bank, container: "vault", containerId: BANK },
		},
		{
			kind: "a static pod, of docker",
			folder: `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${slice(UIDS["etcd-here"])}/docker-${ETCD}.scope`,
			names: {
				...NOBODY,
				pod: "etcd-here",
				namespace: "kube-system",
				podUid: UIDS["etcd-here"],
				container: "etcd",
				containerId: ETCD,
			},
		},
		{
			kind: "a plain container",
			folder: `system.slice/docker-${PLAIN}.scope`,
			names: { ...NOBODY, containerId: PLAIN },
		},
		{
			kind: "a service of the host",
			folder: "system.slice/sshd.service",
			names: { ...NOBODY, unit: "sshd.service", hostProcess: true },
		},
	])("$kind", async ({ folder, names }) => {
		using group = nestedCgroup(agentAt.cgroup.path, folder);
		await using one = client({ netns: place.clients.name, cgroup: group.path });
		await expectNamed(one, group, names);
	});
});

const [v1 = ""] = cgroupV1Roots();
const whyNot = v1 === "" ? " (skipped: this machine has no cgroup v1)" : "";
test.skipIf(v1 === "")(`a pod that is in cgroup v1 alone, with its runtime's cgroup of v2${whyNot}`, async () => {
	using group = nestedCgroup(agentAt.cgroup.path, "system.slice/containerd.service");
	using folders = new DisposableStack();
	let path = `${v1}/${testName()}`;
	for (const name of ["", "/kubepods", "/burstable", `/pod${UIDS.shop}`, `/${LOG}`]) {
		path += name;
		const made = path;
		mkdirSync(made);
		folders.defer(() => rmdirSync(made));
	}
	// The last process leaves its cgroup some time after its end.
	folders.defer(() => untilSync("empty", () => readFileSync(`${path}/cgroup.procs`, "utf8") === ""));
	await using one = client({ netns: place.clients.name, cgroup: group.path });
	await expectNamed(one, group, { ...NOBODY, unit: "containerd.service", hostProcess: true });
	await using inside = client({ netns: place.clients.name, cgroup: group.path });
	writeFileSync(`${path}/cgroup.procs`, String(inside.pid));
	await expectNamed(inside, group, { ...SHOP, container: "log", containerId: LOG });
});

test("a Pod whose container is started anew has the new one's name as soon as a hub knows it", async () => {
	const next = "0f".repeat(32);
	using group = nestedCgroup(agentAt.cgroup.path, `kubepods/pod${UIDS.bank}/${next}`);
	await using one = client({ netns: place.clients.name, cgroup: group.path });
	await connectAll(one);
	await until("four resolutions", () => clientsOf(one).length >= ASKED.length);
	for (const { who } of clientsOf(one)) expect(who).toMatchObject({ pod: "bank", container: "", containerId: next });
	agentAt.write("pods", PODS.replace(BANK ?? "", next));
	await until("the container's name", async () => {
		await connectAll(one);
		return clientsOf(one).some(({ who }) => "container" in who && who.container === "vault");
	});
	agentAt.write("pods", PODS);
});
