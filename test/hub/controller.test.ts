// Controllers at an API server over TLS: admission, conditions, Events, certificates, and what happens when they die.

import { afterEach, describe, expect, test } from "bun:test";
import { AUTHORITY_NAME } from "../../src/agent/controller/certificates.ts";
import { needsOf } from "../../src/hub/kinds/needs.ts";
import { createAuthority, createServerPair } from "../../src/lib/certificate.ts";
import {
	applyWebhooks,
	controllerRules,
	type FailurePolicy,
	hubForControllers,
	type RunningController,
	type RunOptions,
	runOne,
	spawnOne,
} from "../support/controller.ts";
import { ask } from "../support/hub/ask.ts";
import type { TestHub } from "../support/hub/hub.ts";
import { at, type Fields, fieldsOf, listOf } from "../support/hub/object.ts";
import { invalid } from "../support/hub/status.ts";
import { until } from "../support/wait.ts";

const POLICIES = "/apis/balancing.elf.io/v1beta1/balancingpolicies";
const SERVICE_ID = "balancing.elf.io/serviceId";

const open: AsyncDisposable[] = [];
afterEach(async () => {
	for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function hubWith(policy?: FailurePolicy): Promise<TestHub> {
	const hub = await hubForControllers(policy);
	open.push(hub);
	return hub;
}

async function run(hub: TestHub, identity: string, options?: RunOptions): Promise<RunningController> {
	const running = await runOne(hub, identity, options);
	open.push(running);
	return running;
}

interface Shape {
	readonly ip?: string;
	readonly addresses?: readonly string[];
	readonly port?: string;
	readonly metadata?: object;
}

function vip(
	name: string,
	{ ip = "169.254.50.50", addresses = ["192.0.2.11"], port = "5432", metadata = {} }: Shape = {},
): Fields {
	return {
		apiVersion: "balancing.elf.io/v1beta1",
		kind: "BalancingPolicy",
		metadata: { name, ...metadata },
		spec: {
			frontend: { addressMatcher: { ip, toPorts: [{ port, protocol: "TCP" }] } },
			backend: { addressEndpoint: { addresses, toPorts: [{ port: "5432", protocol: "TCP" }] } },
		},
	};
}

function forService(name: string, service: string): Fields {
	return {
		...vip(name),
		spec: {
			frontend: { serviceMatcher: { namespace: "demo", serviceName: service } },
			backend: {
				serviceEndpoint: {
					endpointSelector: { matchLabels: { app: service } },
					toPorts: [{ port: "80", protocol: "TCP" }],
				},
			},
		},
	};
}

function webService(name: string): Fields {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "demo" },
		spec: { ports: [{ port: 80, protocol: "TCP" }] },
	};
}

function pod(name: string, app: string, ip: string): Fields {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: "demo", labels: { app } },
		spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] },
		status: { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] },
	};
}

/** `Accepted=True Accepted`, of both conditions. */
function conditionsOf(hub: TestHub, name: string, kind = "BalancingPolicy"): readonly string[] {
	const conditions = listOf(at(hub.get(kind, undefined, name), "status", "conditions")).map(fieldsOf);
	return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

function messageOf(hub: TestHub, name: string, type: string): unknown {
	const conditions = listOf(at(hub.get("BalancingPolicy", undefined, name), "status", "conditions")).map(fieldsOf);
	return conditions.find((condition) => condition["type"] === type)?.["message"];
}

const FINE = ["Accepted=True Accepted", "Resolved=True Resolved"];

async function shows(hub: TestHub, name: string, ...conditions: readonly string[]): Promise<void> {
	await until(`${name}: ${conditions}`, () => String(conditionsOf(hub, name)) === String(conditions)).catch((error) => {
		throw new Error(`${error.message}; it is ${conditionsOf(hub, name)}`);
	});
}

function eventsOf(hub: TestHub): readonly string[] {
	return hub
		.list("events.events.k8s.io")
		.map(
			(event) =>
				`${event["type"]} ${event["reason"]} ${at(event, "regarding", "name")} ${at(event, "series", "count") ?? 1}`,
		)
		.sort();
}

/** API servers trust this authority, and no other. */
function trust(hub: TestHub, caBundle: string): void {
	for (const kind of ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]) {
		const configuration = hub.get(kind, undefined, "balancing");
		const webhooks = listOf(configuration?.["webhooks"]).map(fieldsOf);
		const told = webhooks.map((hook) => ({ ...hook, clientConfig: { ...fieldsOf(hook["clientConfig"]), caBundle } }));
		hub.apply({ ...configuration, webhooks: told });
	}
}

function hasBundle(hub: TestHub): boolean {
	return ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"].every((kind) =>
		listOf(hub.get(kind, undefined, "balancing")?.["webhooks"]).every(
			(webhook) => at(webhook, "clientConfig", "caBundle") !== undefined,
		),
	);
}

/** A policy as a person creates it: its code, its message and its warnings. */
async function create(hub: TestHub, object: Fields, query = ""): Promise<readonly unknown[]> {
	const body = JSON.stringify(object);
	const answer = await ask(hub, `${POLICIES}${query}`, {
		method: "POST",
		body,
		headers: { "content-type": "application/json" },
	});
	return [answer.code, answer.at("message"), answer.headers.get("warning") ?? undefined];
}

describe("conditions", () => {
	test("say what became of each policy, and follow what it refers to", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		hub.apply([vip("db"), forService("web", "web")]);
		await shows(hub, "db", ...FINE);
		await shows(hub, "web", "Accepted=True Accepted", "Resolved=False ServiceNotFound");
		hub.apply(webService("web"));
		await shows(hub, "web", "Accepted=True Accepted", "Resolved=False NoBackends");
		hub.apply(pod("web-1", "web", "10.1.0.1"));
		await shows(hub, "web", ...FINE);
		hub.delete("Pod", "demo", "web-1");
		await shows(hub, "web", "Accepted=True Accepted", "Resolved=False NoBackends");
		expect(String(messageOf(hub, "web", "Resolved"))).toContain("spec.backend: ");
		await until("told", () => eventsOf(hub).includes("Warning NoBackends web 2"));
		expect(eventsOf(hub)).toEqual([
			"Normal Resolved web 1",
			"Warning NoBackends web 2",
			"Warning ServiceNotFound web 1",
		]);
	});

	test("of a redirect ask for a Pod on any node, and do not mind which hosts it is for", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		hub.apply({
			apiVersion: "balancing.elf.io/v1beta1",
			kind: "LocalRedirectPolicy",
			metadata: { name: "dns" },
			spec: {
				config: { nodeLabelSelector: { matchLabels: { "dns-cache": "on" } }, enableOutCluster: false },
				frontend: { addressMatcher: { ip: "169.254.20.10", toPorts: [{ port: "53", protocol: "UDP" }] } },
				backend: { endpointSelector: { matchLabels: { app: "cache" } }, toPorts: [{ port: "53", protocol: "UDP" }] },
			},
		});
		const shown = () => String(conditionsOf(hub, "dns", "LocalRedirectPolicy"));
		await until("no Pod", () => shown() === "Accepted=True Accepted,Resolved=False NoBackends");
		hub.apply(pod("cache-1", "cache", "10.1.0.1"));
		await until("a Pod", () => shown() === String(FINE));
		hub.apply({
			...pod("cache-1", "cache", "10.1.0.1"),
			status: {
				phase: "Running",
				podIP: "10.1.0.1",
				podIPs: [{ ip: "10.1.0.1" }],
				conditions: [{ type: "Ready", status: "False" }],
			},
		});
		await until("no ready Pod", () => shown() === "Accepted=True Accepted,Resolved=False NoBackends");
	});

	test("are written by a controller that is told where the API server is (A-37)", async () => {
		const hub = await hubWith("Fail");
		// The address of a Service that nobody translates, without kube-proxy.
		await run(hub, "one", { server: "https://localhost:1", args: [`--api-server=127.0.0.1:${hub.port}`] });
		await until("the API server trusts it", () => hasBundle(hub));
		expect((await create(hub, vip("db")))[0]).toBe(201);
		await shows(hub, "db", ...FINE);
	});

	test("go on when the server was away", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		hub.apply(vip("db"));
		await shows(hub, "db", ...FINE);
		await hub.restart();
		hub.apply([forService("web", "web"), webService("web")]);
		await until(
			"followed again",
			() => String(conditionsOf(hub, "web")) === "Accepted=True Accepted,Resolved=False NoBackends",
			40_000,
		);
	}, 60_000);

	test("of two policies with one address the younger is not accepted, until the older goes", async () => {
		const hub = await hubWith();
		const old = { creationTimestamp: "2026-01-01T00:00:00Z" };
		const metadata = { name: "z-old", generation: 1, uid: "u-1", ...old };
		hub.put("BalancingPolicy", { ...vip("z-old"), metadata });
		hub.apply(vip("young"));
		await run(hub, "one");
		await shows(hub, "young", "Accepted=False FrontendConflict", "Resolved=True Resolved");
		await shows(hub, "z-old", ...FINE);
		expect(String(messageOf(hub, "young", "Accepted"))).toContain("BalancingPolicy z-old");
		hub.delete("BalancingPolicy", undefined, "z-old");
		await shows(hub, "young", ...FINE);
	});

	test("a policy of which nothing can be programmed has its conditions, too", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		// No schema can say that an address is nobody's to listen on.
		hub.apply(vip("bad", { ip: "224.0.0.1" }));
		await shows(hub, "bad", "Accepted=False InvalidObject", "Resolved=Unknown NotAccepted");
		hub.apply(vip("bad"));
		await shows(hub, "bad", ...FINE);
	});

	test("are written only where they change, with their times and the generation", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		hub.apply(vip("db"));
		await shows(hub, "db", ...FINE);
		const [before] = listOf(at(hub.get("BalancingPolicy", undefined, "db"), "status", "conditions")).map(fieldsOf);
		const patches = () => hub.requests({ verb: "patch" }).filter(({ subresource }) => subresource === "status").length;
		const sofar = patches();
		hub.apply(vip("db", { addresses: ["192.0.2.12"] }));
		await until(
			"observed",
			() => at(hub.get("BalancingPolicy", undefined, "db"), "status", "observedGeneration") === 2,
		);
		const [after] = listOf(at(hub.get("BalancingPolicy", undefined, "db"), "status", "conditions")).map(fieldsOf);
		expect([after?.["lastTransitionTime"], after?.["observedGeneration"]]).toEqual([before?.["lastTransitionTime"], 2]);
		hub.apply(vip("other", { ip: "169.254.50.51" }));
		await shows(hub, "other", ...FINE);
		expect(patches()).toBe(sofar + 2);
	});

	test("of a policy that was made again are written again", async () => {
		const hub = await hubWith();
		await run(hub, "one");
		for (let round = 0; round < 5; round++) {
			hub.apply(vip("db"));
			await shows(hub, "db", ...FINE);
			hub.delete("BalancingPolicy", undefined, "db");
		}
	});
});

describe("without", () => {
	test("election and webhooks: a single controller writes conditions, and leaves no trace of the rest", async () => {
		const hub = await hubWith();
		await run(hub, "one", { args: ["--leader-election=off", "--webhook-listen=off"] });
		hub.apply(vip("db"));
		await shows(hub, "db", ...FINE);
		expect([hub.list("Lease").length, hub.list("Secret").length]).toEqual([0, 0]);
	});

	test("the rights to write: what can be done is done, and each trouble is told once", async () => {
		const hub = await hubWith("Ignore");
		hub.setRules(
			"controller",
			controllerRules().filter(({ verbs }) => verbs.includes("watch")),
		);
		const one = await run(hub, "one", { args: ["--leader-election=off"], waits: false });
		hub.apply([vip("a"), vip("b", { ip: "169.254.50.51" })]);
		await until("told", () => one.log.messages().filter((line) => line.startsWith("warn")).length >= 2);
		await until("tried again and again", () => hub.count({ verb: "get", resource: "secrets" }) > 2);
		const troubles = one.log.messages().filter((line) => line.startsWith("warn"));
		expect(troubles.sort()).toEqual([
			"warn Cannot refresh the webhooks' certificate",
			"warn Cannot write the status of a policy",
		]);
	});
});

test("a status that the server does not take is not sent again and again", async () => {
	const hub = await hubWith();
	const refusal = hub.inject(
		{ verb: "patch" },
		{ kind: "error", error: invalid({ name: "db", group: "", kind: "x" }, []) },
	);
	const one = await run(hub, "one");
	hub.apply(vip("db"));
	await until("told", () => one.log.messages().includes("warn Cannot write the status of a policy"));
	// Another round, for another policy: this one is left alone.
	hub.apply(vip("other", { ip: "169.254.50.51" }));
	await until("another round", () => refusal.hits() >= 2);
	expect(hub.requests({ verb: "patch" }).map(({ name }) => name)).toEqual(["db", "other"]);
	hub.clearFaults();
	hub.apply(vip("db", { addresses: ["192.0.2.12"] }));
	await shows(hub, "db", ...FINE);
});

describe("many policies", () => {
	test("are read by two lists when a leader begins", async () => {
		const hub = await hubWith();
		const names = Array.from({ length: 40 }, (_, number) => `p${number}`);
		hub.apply(names.map((name, number) => vip(name, { ip: `169.254.1.${number}` })));
		hub.apply(vip("z-conflict", { ip: "169.254.1.1" }));
		{
			await using _ = await runOne(hub, "one");
			for (const name of names) await shows(hub, name, ...FINE);
			await shows(hub, "z-conflict", "Accepted=False FrontendConflict", "Resolved=True Resolved");
		}
		expect(hub.requests({ verb: "get" }).filter(({ resource }) => resource.startsWith("balancing")).length).toBe(0);
		hub.resetCounters();
		hub.apply(vip("new", { ip: "169.254.2.1" }));
		await run(hub, "two");
		await shows(hub, "new", ...FINE);
		// All others say already what they are to say.
		expect(hub.count({ verb: "patch" })).toBe(1);
	});
});

describe("webhooks", () => {
	test("are served with a certificate that somebody else put into the Secret, who tells whom to trust", async () => {
		const hub = await hubWith("Fail");
		const validity = { from: new Date(Date.now() - 60_000), until: new Date(Date.now() + 3_600_000) };
		const authority = createAuthority("somebody", validity);
		const pair = createServerPair(["balancing-controller.balancing.svc"], validity, { name: "somebody", ...authority });
		const base64 = (text: string) => Buffer.from(text).toString("base64");
		const data = {
			"ca.crt": base64(authority.certificate),
			"tls.crt": base64(pair.certificate),
			"tls.key": base64(pair.key),
		};
		const metadata = { name: "balancing-webhook-certs", namespace: "balancing" };
		hub.apply({ apiVersion: "v1", kind: "Secret", metadata, data });
		trust(hub, data["ca.crt"]);
		await run(hub, "one");
		expect((await create(hub, vip("db")))[0]).toBe(201);
		await shows(hub, "db", ...FINE);
		expect(at(hub.get("Secret", "balancing", "balancing-webhook-certs"), "data")).toEqual(data);
		expect(hub.requests({ verb: "patch" }).filter(({ resource }) => resource.includes("webhook")).length).toBe(0);
	});

	test("check and complete policies as they are written", async () => {
		const hub = await hubWith("Fail");
		await run(hub, "one");
		await until("the API server trusts it", () => hasBundle(hub));
		expect(await create(hub, vip("db"))).toEqual([201, undefined, undefined]);
		const id = at(hub.get("BalancingPolicy", undefined, "db"), "metadata", "annotations", SERVICE_ID);
		expect(String(id)).toMatch(/^[1-9]\d{0,9}$/);
		await shows(hub, "db", ...FINE);
		const [code, message] = await create(hub, vip("a-second"));
		expect([code, String(message)]).toEqual([
			422,
			expect.stringMatching(/^admission webhook "validate\.balancing\.elf\.io" denied the request: FrontendConflict: /),
		]);
		const [missing, , warning] = await create(hub, forService("web", "web"));
		expect([missing, String(warning)]).toEqual([201, expect.stringMatching(/^299 - "ServiceNotFound: /)]);
		expect((await create(hub, vip("dry", { ip: "169.254.1.1" }), "?dryRun=All"))[0]).toBe(201);
		expect(hub.get("BalancingPolicy", undefined, "dry")).toBeUndefined();
	});

	test("with all controllers dead policies are created all the same", async () => {
		const hub = await hubWith("Ignore");
		const one = await run(hub, "one");
		await until("the API server trusts it", () => hasBundle(hub));
		expect((await create(hub, vip("a")))[0]).toBe(201);
		await shows(hub, "a", ...FINE);
		expect((await create(hub, vip("b")))[0]).toBe(422);
		await one.stop();
		expect(await create(hub, vip("c"))).toEqual([201, undefined, undefined]);
		expect(at(hub.get("BalancingPolicy", undefined, "c"), "metadata", "annotations")).toBeUndefined();
	});

	test("replicas share one certificate, and a configuration that is applied again is mended", async () => {
		const hub = await hubWith("Fail");
		await Promise.all([run(hub, "one"), run(hub, "two"), run(hub, "three")]);
		await until("the API server trusts them", () => hasBundle(hub));
		for (let number = 0; number < 9; number++) {
			expect((await create(hub, vip(`p${number}`, { ip: `169.254.9.${number}` })))[0]).toBe(201);
		}
		expect(hub.count({ verb: "create", resource: "secrets", code: 201 })).toBe(1);
		applyWebhooks(hub, "Fail");
		expect(hasBundle(hub)).toBe(false);
		await until("mended", () => hasBundle(hub));
		expect((await create(hub, vip("last", { ip: "169.254.10.1" })))[0]).toBe(201);
	});

	test("certificate and authority are replaced under requests, and not one fails", async () => {
		const hub = await hubWith("Fail");
		const day = 86_400_000;
		const from = (days: number) => new Date(Date.now() + days * day);
		// An authority that is due, and a server's certificate that is not.
		const authority = createAuthority(AUTHORITY_NAME, { from: from(-7 * 365), until: from(3 * 365) });
		const names = [
			"balancing-controller",
			"balancing-controller.balancing",
			"balancing-controller.balancing.svc",
			"balancing-controller.balancing.svc.cluster.local",
		];
		const server = createServerPair(
			names,
			{ from: from(-10), until: from(300) },
			{ name: AUTHORITY_NAME, ...authority },
		);
		const base64 = (text: string) => Buffer.from(text).toString("base64");
		const data = {
			"ca.crt": base64(authority.certificate),
			"ca.key": base64(authority.key),
			"tls.crt": base64(server.certificate),
			"tls.key": base64(server.key),
		};
		const secret = {
			apiVersion: "v1",
			kind: "Secret",
			metadata: { name: "balancing-webhook-certs", namespace: "balancing" },
		};
		hub.apply({ ...secret, type: "kubernetes.io/tls", data });
		trust(hub, data["ca.crt"]);
		let number = 0;
		let failed: readonly unknown[] = [];
		const stored = (key: string) => at(hub.get("Secret", "balancing", "balancing-webhook-certs"), "data", key);
		const [one, two] = await Promise.all([run(hub, "one"), run(hub, "two")]);
		await until("replaced", async () => {
			number += 1;
			const answer = await create(hub, vip(`p${number}`, { ip: `169.254.${number >> 8}.${number & 255}` }));
			if (answer[0] !== 201) failed = answer;
			const replaced = [one, two].every(
				({ log }) => log.messages().filter((line) => line.endsWith("have another certificate")).length > 0,
			);
			return replaced || failed.length > 0;
		});
		expect(failed).toEqual([]);
		expect([stored("ca.crt") === data["ca.crt"], stored("tls.crt") === data["tls.crt"]]).toEqual([false, false]);
		expect((await create(hub, vip("after", { ip: "169.255.1.1" })))[0]).toBe(201);
	});
});

describe("several replicas", () => {
	test("a leader that is killed is followed by another one, and nothing is lost", async () => {
		const hub = await hubWith("Ignore");
		const first = await spawnOne(hub, "first");
		open.push(first);
		hub.apply(forService("web", "web"));
		await shows(hub, "web", "Accepted=True Accepted", "Resolved=False ServiceNotFound");
		const second = await spawnOne(hub, "second");
		open.push(second);
		const holder = () => at(hub.get("Lease", "balancing", "balancing-controller"), "spec", "holderIdentity");
		expect(holder()).toBe("first");
		await first.kill();
		// While nobody leads.
		hub.apply([webService("web"), pod("web-1", "web", "10.1.0.1"), vip("db")]);
		await shows(hub, "web", ...FINE);
		await shows(hub, "db", ...FINE);
		expect(holder()).toBe("second");
		await until("told", () => eventsOf(hub).includes("Normal Resolved web 1"));
		expect(eventsOf(hub).filter((event) => event.startsWith("Warning ServiceNotFound"))).toEqual([
			"Warning ServiceNotFound web 1",
		]);
	});

	test("a leader that may not renew any more stops writing, and another one goes on", async () => {
		const hub = await hubWith();
		hub.addUser("other", { credentials: "token", rules: controllerRules() });
		await run(hub, "one");
		hub.apply(vip("db"));
		await shows(hub, "db", ...FINE);
		await run(hub, "two", { user: "other" });
		hub.setRules(
			"controller",
			controllerRules().filter(({ resources }) => !resources.includes("leases")),
		);
		await until(
			"another one leads",
			() => at(hub.get("Lease", "balancing", "balancing-controller"), "spec", "holderIdentity") === "two",
		);
		hub.resetCounters();
		hub.apply(vip("later", { ip: "169.254.50.51" }));
		await shows(hub, "later", ...FINE);
		expect(hub.requests({ verb: "patch" }).map(({ user }) => user)).toEqual(["other"]);
	});
});

test("the delivered account has the rights to follow that the table of needs names", () => {
	const follows = controllerRules().filter(({ verbs }) => verbs.includes("watch"));
	const needed = needsOf({ kind: "cluster" }).map(({ group, resource }) => ({
		groups: [group],
		resources: [resource],
		verbs: ["list", "watch"],
	}));
	const sorted = (rules: readonly object[]) =>
		rules.map((rule) => JSON.stringify(rule, ["verbs", "groups", "resources"])).sort();
	expect(sorted(follows)).toEqual(sorted(needed));
});
