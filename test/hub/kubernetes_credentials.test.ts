// Every way to prove who we are, to find the server and to trust it; credentials that change; and what is said when they are wrong.

import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { chmodSync, readFileSync } from "node:fs";
import { stringify } from "yaml";
import {
	agentRights,
	type Follower,
	followHub,
	jumpUntil,
	temporaryFolder,
	webService,
} from "../support/follow_hub.ts";
import { type HubOptions, startHub, type TestHub } from "../support/hub/hub.ts";
import { startProxy } from "../support/proxy.ts";
import { until } from "../support/wait.ts";

const RIGHTS = agentRights();
const EDGE: HubOptions = { kubernetes: false, users: { edge: { credentials: "token", rules: RIGHTS } } };

const base64 = (text: string | undefined) => Buffer.from(text ?? "").toString("base64");

/** A kubeconfig with these fields of cluster and user. */
function kubeconfig(cluster: object, user: object): string {
	return stringify({
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: "test", cluster }],
		users: [{ name: "edge", user }],
		contexts: [{ name: "main", context: { cluster: "test", user: "edge" } }],
		"current-context": "main",
	});
}

function trusting(server: TestHub, more: object = {}): object {
	return { server: server.url, "certificate-authority-data": base64(server.credentials().authority), ...more };
}

async function follows(client: Follower): Promise<void> {
	await client.shows("demo/web");
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
}

/** What is the matter, as the status page says it. */
async function problemOf(client: Follower): Promise<string> {
	await until("a problem", () => client.hub.status().kinds[0]?.problem !== null);
	return client.hub.status().kinds[0]?.problem ?? "";
}

test("a client certificate, inline and by files with paths from the kubeconfig's folder", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	const { certificate, key, authority } = server.credentials();
	const inline = { "client-certificate-data": base64(certificate), "client-key-data": base64(key) };
	await using one = followHub(server, { kubeconfig: kubeconfig(trusting(server), inline) });
	await follows(one);
	using folder = temporaryFolder();
	folder.write("client.crt", certificate ?? "");
	folder.write("client.key", key ?? "");
	folder.write("ca.crt", authority);
	const cluster = { server: server.url, "certificate-authority": "ca.crt" };
	const file = folder.write(
		"config",
		kubeconfig(cluster, { "client-certificate": "client.crt", "client-key": "client.key" }),
	);
	await using two = followHub(server, { source: { kind: "kubeconfig", files: [file] } });
	await follows(two);
	expect(server.requests().every(({ user }) => user === "admin")).toBe(true);
});

test("a token, and a token file that rotates: the old token is refused, the new one is read and used at once", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const tokenFile = folder.write("token", `${server.credentials("edge").token}\n`);
	await using plain = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await follows(plain);
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge", tokenFile }) });
	await follows(client);
	folder.write("token", `${server.rotateCredentials("edge").token}\n`);
	for (const watch of server.watches()) watch.end();
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(server.requests({ code: 401 }).length).toBeGreaterThan(0);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
	expect(await problemOf(plain)).toContain(
		"401 Unauthorized (the API server does not accept the credentials of current",
	);
});

test("credentials that are refused for a while: what is known stays, and the kubeconfig is read again", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await follows(client);
	server.rotateCredentials("edge");
	for (const watch of server.watches()) watch.end();
	await jumpUntil(client, "told", () => client.hub.status().kinds[0]?.problem !== null);
	expect(client.services()).toEqual(["demo/web"]);
	client.configure(server.kubeconfig({ user: "edge" }));
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
});

test("a new authority: its certificate is trusted as soon as the kubeconfig says so, not before", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	await using client = followHub(server);
	await follows(client);
	await server.rotateAuthority({ forgetOld: true });
	for (const connection of server.connections()) connection.reset();
	await jumpUntil(client, "mistrust", () =>
		client.hub.status().kinds.every(({ problem }) => problem?.includes("is not signed by the configured CA") === true),
	);
	server.apply(webService("more"));
	client.configure(server.kubeconfig());
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
});

test("in-cluster: token and CA of the Pod, address from the environment", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const { token, authority } = server.credentials("edge");
	folder.write("token", `${token}\n`);
	folder.write("ca.crt", authority);
	const source = { kind: "in-cluster", folder: folder.path } as const;
	await using client = followHub(server, { source: { ...source, host: "127.0.0.1", port: String(server.port) } });
	await follows(client);
	expect(client.hub.status().name).toBe("in-cluster");
	await using nowhere = followHub(server, { source });
	expect(await problemOf(nowhere)).toContain(
		"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set (give --api-server HOST:PORT, or --kubeconfig FILE)",
	);
	await using direct = followHub(server, { source, apiServer: `127.0.0.1:${server.port}` });
	await follows(direct);
	// The address of the Service is in the certificate; where we connect to need not be.
	const named = { ...source, host: "127.0.0.1", port: "443" };
	await using other = followHub(server, { source: named, apiServer: `localhost:${server.port}` });
	await follows(other);
	await using wrong = followHub(server, {
		source: { ...named, host: "10.96.0.1" },
		apiServer: `127.0.0.1:${server.port}`,
	});
	expect(await problemOf(wrong)).toContain(
		" as 10.96.0.1: ERR_TLS_CERT_ALTNAME_INVALID (its certificate is for other names",
	);
});

test("an exec plugin: run once, told about the cluster if it wants, and again when its token is refused", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const credential = (token: string | undefined) =>
		JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } });
	folder.write("credential", credential(server.credentials("edge").token));
	const program = folder.write(
		"plugin",
		'#!/bin/sh\ncd "$(dirname "$0")"\necho "$1 $FLAVOUR $KUBERNETES_EXEC_INFO" >>runs\ncat credential\n',
	);
	chmodSync(program, 0o700);
	const exec = {
		apiVersion: "client.authentication.k8s.io/v1",
		command: "./plugin",
		args: ["get-token"],
		env: [{ name: "FLAVOUR", value: "sweet" }],
		provideClusterInfo: true,
	};
	const file = folder.write("config", kubeconfig(trusting(server), { exec }));
	await using client = followHub(server, { source: { kind: "kubeconfig", files: [file] } });
	await follows(client);
	const runs = () => readFileSync(`${folder.path}/runs`, "utf8").trim().split("\n");
	expect(runs()).toHaveLength(1);
	const [first = ""] = runs();
	expect(first).toStartWith("get-token sweet {");
	expect(JSON.parse(first.slice("get-token sweet ".length))).toMatchObject({
		kind: "ExecCredential",
		spec: { interactive: false, cluster: { server: server.url } },
	});
	folder.write("credential", credential(server.rotateCredentials("edge").token));
	for (const watch of server.watches()) watch.end();
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(runs().length).toBeGreaterThan(1);
});

test("an exec plugin that gives a client certificate", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const { certificate, key } = server.credentials();
	const status = { clientCertificateData: certificate, clientKeyData: key };
	folder.write("credential", JSON.stringify({ kind: "ExecCredential", status }));
	const exec = { command: "/bin/cat", args: [`${folder.path}/credential`] };
	await using client = followHub(server, { kubeconfig: kubeconfig(trusting(server), { exec }) });
	await follows(client);
	expect(server.requests()[0]?.user).toBe("admin");
});

test.each([
	["that fails", { command: "/bin/sh", args: ["-c", "echo not logged in >&2; exit 1"] }, "/bin/sh: not logged in"],
	["that does not exist", { command: "/nowhere/plugin" }, "from the program /nowhere/plugin: "],
])("an exec plugin %s is told by name", async (_, exec, message) => {
	await using server = await startHub({ kubernetes: false });
	await using client = followHub(server, { kubeconfig: kubeconfig(trusting(server), { exec }) });
	const problem = await problemOf(client);
	expect(problem).toStartWith("Cannot watch Services: Cannot get credentials for context main from the program ");
	expect(problem).toContain(message);
});

test("an exec plugin that hangs is given up, and does not keep the hub from ending", async () => {
	await using server = await startHub({ kubernetes: false });
	using folder = temporaryFolder();
	// It ends with the test.
	const exec = { command: "/bin/sh", args: ["-c", `while [ -d ${folder.path} ]; do sleep 0.05; done`] };
	await using client = followHub(server, { kubeconfig: kubeconfig(trusting(server), { exec }) });
	await jumpUntil(client, "given up", () => client.log.some((line) => line.includes("nothing was heard for 30 s")));
});

test("tls-server-name: the name in the certificate is what counts, whatever the address", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	const user = { token: server.credentials("edge").token };
	await using right = followHub(server, {
		kubeconfig: kubeconfig(trusting(server, { "tls-server-name": "localhost" }), user),
	});
	await follows(right);
	await using wrong = followHub(server, {
		kubeconfig: kubeconfig(trusting(server, { "tls-server-name": "api.example.com" }), user),
	});
	expect(await problemOf(wrong)).toContain("as api.example.com: ERR_TLS_CERT_ALTNAME_INVALID");
});

test("--api-server: connects there, and expects the kubeconfig's name", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	const user = { token: server.credentials("edge").token };
	const apiServer = `127.0.0.1:${server.port}`;
	const at = (url: string) => kubeconfig(trusting(server, { server: url }), user);
	await using right = followHub(server, { kubeconfig: at("https://localhost:1"), apiServer });
	await follows(right);
	await using wrong = followHub(server, { kubeconfig: at("https://api.example.com"), apiServer });
	expect(await problemOf(wrong)).toContain(`at https://${apiServer} as api.example.com: ERR_TLS_CERT_ALTNAME_INVALID`);
});

test("an unknown authority is not trusted, unless the kubeconfig says not to look", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	const user = { token: server.credentials("edge").token };
	await using careful = followHub(server, { kubeconfig: kubeconfig({ server: server.url }, user) });
	expect(await problemOf(careful)).toContain("(its certificate is not signed by the configured CA)");
	const reckless = { server: server.url, "insecure-skip-tls-verify": true };
	await using careless = followHub(server, { kubeconfig: kubeconfig(reckless, user) });
	await follows(careless);
});

test("a proxy, by the environment or by proxy-url, and none where NO_PROXY says so", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	await using proxy = await startProxy(server.port);
	const user = { token: server.credentials("edge").token };
	const far = trusting(server, { server: "https://api.invalid:6443", "tls-server-name": "localhost" });
	const CONNECT = "CONNECT api.invalid:6443 HTTP/1.1";
	await using byEnvironment = followHub(server, { kubeconfig: kubeconfig(far, user), proxies: { https: proxy.url } });
	await follows(byEnvironment);
	expect(new Set(proxy.asked)).toEqual(new Set([CONNECT]));
	const before = proxy.asked.length;
	await using byField = followHub(server, { kubeconfig: kubeconfig({ ...far, "proxy-url": proxy.url }, user) });
	await follows(byField);
	expect(proxy.asked.length).toBeGreaterThan(before);
	await using direct = followHub(server, {
		kubeconfig: kubeconfig(far, user),
		proxies: { https: proxy.url, no: "other,.invalid" },
	});
	expect(await problemOf(direct)).not.toContain("through");
	await using dead = followHub(server, {
		kubeconfig: kubeconfig(far, user),
		proxies: { https: "http://me:secret@127.0.0.1:1" },
	});
	const problem = await problemOf(dead);
	expect(problem).toContain("through http://127.0.0.1:1");
	expect(problem).not.toContain("secret");
});

test("plain HTTP, and a path before the API's, as of a proxy that logs in for us", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	const { token, authority } = server.credentials("edge");
	await using proxy = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		idleTimeout: 0,
		fetch(request) {
			const { pathname, search } = new URL(request.url);
			if (!pathname.startsWith("/k8s/one/")) return new Response("no such cluster", { status: 404 });
			const target = `${server.url}${pathname.slice("/k8s/one".length)}${search}`;
			return fetch(target, { headers: { authorization: `Bearer ${token}` }, tls: { ca: authority } });
		},
	});
	const at = (path: string) => kubeconfig({ server: `http://127.0.0.1:${proxy.port}${path}` }, {});
	await using client = followHub(server, { kubeconfig: at("/k8s/one/") });
	await follows(client);
	server.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	await using wrong = followHub(server, { kubeconfig: at("/k8s/two") });
	expect(await problemOf(wrong)).toBe("Cannot watch Services: 404 no such cluster");
});

test("one of several contexts, from several files: the first file that says something about a name wins", async () => {
	await using server = await startHub(EDGE);
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const one = folder.write(
		"one",
		stringify({
			contexts: [{ name: "edge", context: { cluster: "test", user: "edge" } }],
			users: [{ name: "edge", user: { token: server.credentials("edge").token } }],
			"current-context": "elsewhere",
		}),
	);
	const two = folder.write("two", kubeconfig(trusting(server), { token: "wrong" }));
	const files = [`${folder.path}/missing`, one, two];
	await using client = followHub(server, { source: { kind: "kubeconfig", files, context: "edge" } });
	await follows(client);
	expect(client.hub.status().name).toBe(`context edge of ${files.join(":")}`);
});

const CLUSTER = { server: "https://127.0.0.1:1" };
test.each<[string, string, string | undefined, string]>([
	["no context", "current-context: ''\n", undefined, "it has no current-context; give --context NAME"],
	["an empty file", "", undefined, "it has no current-context; give --context NAME"],
	["an unknown context", kubeconfig(CLUSTER, {}), "other", "no such context; it has main"],
	[
		"an unknown cluster",
		"contexts: [{name: a, context: {cluster: gone}}]\nclusters: [{name: b, cluster: {}}, {name: c}]\n",
		"a",
		"there is no cluster gone; it has b, c",
	],
	[
		"an unknown user",
		"contexts: [{name: a, context: {cluster: b, user: gone}}]\nclusters: [{name: b, cluster: {}}]\n",
		"a",
		"there is no user gone; it has no users",
	],
	["a cluster without a server", kubeconfig({}, {}), undefined, "Cannot use cluster test: it has no server"],
	["a server that is no URL", kubeconfig({ server: "127.0.0.1:1" }, {}), undefined, "is no URL; write it as https://"],
	[
		"a certificate that is no PEM",
		kubeconfig({ ...CLUSTER, "certificate-authority-data": "AAAA" }, {}),
		undefined,
		"Cannot use certificate-authority-data of test: it is no PEM in base64",
	],
	[
		"a file that is not there",
		kubeconfig({ ...CLUSTER, "certificate-authority": "/nowhere/ca.crt" }, {}),
		undefined,
		"Cannot read certificate-authority of test, /nowhere/ca.crt: ENOENT",
	],
	[
		"a certificate without a key",
		kubeconfig(CLUSTER, { "client-certificate-data": base64("-----BEGIN CERTIFICATE-----") }),
		undefined,
		"Cannot use user edge: it has a client-certificate and no client-key; give both",
	],
	[
		"a proxy of another kind",
		kubeconfig({ ...CLUSTER, "proxy-url": "socks5://127.0.0.1:1" }, {}),
		undefined,
		"proxy-url socks5://127.0.0.1:1 is not supported; use http://HOST:PORT",
	],
	["no YAML", "a: [1", undefined, "Cannot read kubeconfig "],
	["a list", "- a\n", undefined, "it is no kubeconfig"],
])("a kubeconfig with %s says what to do", async (_, text, context, message) => {
	await using server = await startHub({ kubernetes: false });
	using folder = temporaryFolder();
	const files = [folder.write("config", text)];
	await using client = followHub(server, {
		source: { kind: "kubeconfig", files, ...(context === undefined ? {} : { context }) },
	});
	const problem = await problemOf(client);
	expect(problem).toContain(message);
	expect(problem).toStartWith("Cannot watch Services: ");
});

test("a kubeconfig that is not there, and comes", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	using folder = temporaryFolder();
	const file = `${folder.path}/config`;
	await using client = followHub(server, { source: { kind: "kubeconfig", files: [file] } });
	expect(await problemOf(client)).toBe(
		`Cannot watch Services: Cannot read kubeconfig ${file}: ENOENT (give the right path with --kubeconfig)`,
	);
	folder.write("config", server.kubeconfig());
	await jumpUntil(client, "the first snapshot", () => client.services()?.length === 1);
});
