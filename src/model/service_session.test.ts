// What a Service says about its clients' sessions and sockets, and about the way to its endpoints.

import { describe, expect, test } from "bun:test";
import type { Service } from "./cluster.ts";
import type { Projection } from "./report.ts";
import { projectService } from "./service.ts";

type Fields = Readonly<Record<string, unknown>>;

function project(spec: Fields, annotations: unknown = {}): Projection<Service> {
	return projectService({
		metadata: { name: "web", namespace: "demo", annotations },
		spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }], ...spec },
	});
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

const IDENTITY = "balancing.elf.io/client-identity";
const CLOSE = "balancing.elf.io/close-on-remove";
const REACH = "balancing.elf.io/reach";

function timeout(timeoutSeconds: unknown): Fields {
	return { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

describe("projectService() reads session affinity:", () => {
	test.each<[string, Fields, Fields, Service["affinity"]]>([
		["none", {}, {}, undefined],
		["None", { sessionAffinity: "None", sessionAffinityConfig: null }, {}, undefined],
		["an empty text", { sessionAffinity: "" }, {}, undefined],
		["a configuration of nothing", { sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }, {}, undefined],
		["no client without it", {}, { [IDENTITY]: "uid" }, undefined],
		["three hours", { sessionAffinity: "ClientIP" }, {}, { seconds: 10_800, client: "netns" }],
		[
			"an empty configuration",
			{ sessionAffinity: "ClientIP", sessionAffinityConfig: {} },
			{},
			{ seconds: 10_800, client: "netns" },
		],
		[
			"null in it",
			{ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: null } },
			{},
			{ seconds: 10_800, client: "netns" },
		],
		["no timeout", timeout(null), {}, { seconds: 10_800, client: "netns" }],
		["a second", timeout(1), {}, { seconds: 1, client: "netns" }],
		["a day", timeout(86_400), {}, { seconds: 86_400, client: "netns" }],
		["a cgroup's", timeout(5), { [IDENTITY]: "cgroup" }, { seconds: 5, client: "cgroup" }],
		["a user's", timeout(5), { [IDENTITY]: "uid" }, { seconds: 5, client: "uid" }],
		["a process's", timeout(5), { [IDENTITY]: "process" }, { seconds: 5, client: "process" }],
		["a network namespace's", timeout(5), { [IDENTITY]: "netns" }, { seconds: 5, client: "netns" }],
	])("%s", (_, spec, annotations, affinity) => {
		const projection = project(spec, annotations);
		expect(complaints(projection)).toEqual([]);
		expect(projection.value?.affinity).toEqual(affinity);
		expect(Object.hasOwn(projection.value ?? {}, "affinity")).toBe(affinity !== undefined);
	});

	test.each<[string, Fields, Fields, string, Service["affinity"]]>([
		...[0, -1, 86_401, 1.5, "60", true].map((seconds): [string, Fields, Fields, string, Service["affinity"]] => [
			`a timeout of ${JSON.stringify(seconds)}`,
			timeout(seconds),
			{},
			`InvalidObject spec.sessionAffinityConfig.clientIP.timeoutSeconds: ${JSON.stringify(seconds)} is not a timeout: give seconds, a whole number from 1 to 86400; 10800 seconds are used`,
			{ seconds: 10_800, client: "netns" },
		]),
		[
			"a type",
			{ sessionAffinity: "clientip" },
			{},
			'InvalidObject spec.sessionAffinity: "clientip" is not a session affinity: use None, ClientIP; None is used',
			undefined,
		],
		[
			"a configuration",
			{ sessionAffinity: "ClientIP", sessionAffinityConfig: 5 },
			{},
			"InvalidObject spec.sessionAffinityConfig: 5 is not an object: give clientIP.timeoutSeconds; 10800 seconds are used",
			{ seconds: 10_800, client: "netns" },
		],
		[
			"a part of it",
			{ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: [] } },
			{},
			"InvalidObject spec.sessionAffinityConfig.clientIP: a list is not an object: give clientIP.timeoutSeconds; 10800 seconds are used",
			{ seconds: 10_800, client: "netns" },
		],
		[
			"a client",
			timeout(5),
			{ [IDENTITY]: "pod" },
			`InvalidObject metadata.annotations["${IDENTITY}"]: "pod" is not a client identity: use netns, cgroup, uid, process; netns is used`,
			{ seconds: 5, client: "netns" },
		],
	])("wrong: %s", (_, ...row) => {
		const [spec, annotations, problem, affinity] = row;
		const projection = project(spec, annotations);
		expect(complaints(projection)).toEqual([problem]);
		expect(projection.value?.affinity).toEqual(affinity);
	});
});

describe("projectService() reads annotations:", () => {
	test.each<[string, Fields, Partial<Service>]>([
		["none", {}, {}],
		["sockets of UDP", { [CLOSE]: "udp" }, {}],
		["all sockets", { [CLOSE]: "all" }, { closeOnRemove: "all" }],
		["no sockets", { [CLOSE]: "none" }, { closeOnRemove: "none" }],
		["null is the same as absent", { [CLOSE]: null, [REACH]: null, [IDENTITY]: null }, {}],
		["an empty text is the same as absent", { [CLOSE]: "", [REACH]: "" }, {}],
		...(["pod", "node-port", "node-proxy", "load-balancer", "auto"] as const).map(
			(reach): [string, Fields, Partial<Service>] => [`reach ${reach}`, { [REACH]: reach }, { reach }],
		),
	])("%s", (_, annotations, value) => {
		const projection = project({}, annotations);
		expect(complaints(projection)).toEqual([]);
		const { closeOnRemove, reach } = projection.value ?? {};
		expect({ closeOnRemove, reach }).toEqual({ closeOnRemove: undefined, reach: undefined, ...value });
		expect(Object.keys(projection.value ?? {}).filter((key) => /^(closeOnRemove|reach|client)$/.test(key))).toEqual(
			Object.keys(value),
		);
	});

	test.each<[string, Fields, string]>([
		[
			"sockets",
			{ [CLOSE]: "tcp" },
			`InvalidObject metadata.annotations["${CLOSE}"]: "tcp" is not a choice of sockets: use udp, all, none; udp is used`,
		],
		[
			"a reach",
			{ [REACH]: "nodeport" },
			`InvalidObject metadata.annotations["${REACH}"]: "nodeport" is not a way to reach Pods: use pod, node-port, node-proxy, load-balancer, auto; the agent's own is used`,
		],
		["no text", { [REACH]: 5 }, `InvalidObject metadata.annotations["${REACH}"]: 5 is not a string: put it in quotes`],
	])("wrong: %s", (_, annotations, problem) => {
		const projection = project({}, annotations);
		expect(complaints(projection)).toEqual([problem]);
		expect(projection.value).not.toHaveProperty("reach");
		expect(projection.value).not.toHaveProperty("closeOnRemove");
	});
});
