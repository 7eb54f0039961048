// Users with an auth-provider: id-tokens of oidc over a real issuer and a real API server's socket; and what is said of all others.

import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { stringify } from "yaml";
import {
	agentRights,
	type Follower,
	type FollowOptions,
	followHub,
	jumpUntil,
	temporaryFolder,
	webService,
} from "../support/follow_hub.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { CLIENT, type ClientMethod, type Issuer, type LoginFields, startIssuer } from "../support/issuer.ts";
import { startProxy } from "../support/proxy.ts";
import { until } from "../support/wait.ts";

const RIGHTS = agentRights();

/** An API server that accepts the issuer's tokens, with the Service demo/web. */
async function serverOf(issuer: Pick<Issuer, "verify">): Promise<TestHub> {
	const server = await startHub({ kubernetes: false });
	server.trustIssuer(issuer.verify);
	server.setRules("edge", RIGHTS);
	server.apply(webService("web"));
	return server;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

function kubeconfig(server: TestHub, user: object): string {
	const cluster = { server: server.url, "certificate-authority-data": base64(server.credentials().authority) };
	return stringify({
		clusters: [{ name: "test", cluster }],
		users: [{ name: "edge", user }],
		contexts: [{ name: "main", context: { cluster: "test", user: "edge" } }],
		"current-context": "main",
	});
}

/** As `kubectl config set-credentials --auth-provider=oidc` writes it. */
function oidc(issuer: Issuer, login: LoginFields, more: object = {}): object {
	const config = { ...login, "idp-certificate-authority-data": base64(issuer.authority), ...more };
	return { "auth-provider": { name: "oidc", config } };
}

interface Rig {
	readonly server: TestHub;
	readonly issuer: Issuer;
}

function follow({ server, issuer }: Rig, login: LoginFields, more: FollowOptions & { config?: object } = {}): Follower {
	const { config, ...options } = more;
	return followHub(server, { kubeconfig: kubeconfig(server, oidc(issuer, login, config)), ...options });
}

/** Id-tokens that the API server has seen so far, in the order in which they came. */
function tokensSeen(server: TestHub): readonly string[] {
	const shown = server.requests().map(({ headers }) => headers["authorization"]?.replace(/^Bearer /, "") ?? "");
	return [...new Set(shown)];
}

/** The watches end, as they do by themselves every five to ten minutes, and something happens: the client has to come back to see it. */
async function comesBack({ server }: Rig, client: Follower, name: string): Promise<void> {
	for (const watch of server.watches()) watch.end();
	server.apply(webService(name));
	// Of the Service one watch tells, of its endpoint another.
	const sees = () => client.services()?.includes(`demo/${name}`) === true && client.ips(`demo/${name}`).length === 1;
	await jumpUntil(client, `demo/${name}`, sees);
}

/** Time passes for the client and for the issuer. */
function pass({ issuer }: Rig, client: Follower, seconds: number): void {
	issuer.pass(seconds);
	client.clock.jump(seconds * 1000);
}

/** Minutes pass, and the client comes back again and again: nothing is silent for long. */
async function live(rig: Rig, client: Follower, seconds: number): Promise<void> {
	for (let passed = 0; passed < seconds; passed += 100) {
		pass(rig, client, 100);
		await comesBack(rig, client, `at-${rig.server.revision()}`);
	}
}

async function problemOf(client: Follower): Promise<string> {
	await until("a problem", () => client.hub.status().kinds[0]?.problem !== null);
	return client.hub.status().kinds[0]?.problem ?? "";
}

const warnings = (client: Follower) => client.log.filter((line) => line.startsWith("warn"));

test("oidc: an id-token that is good is used, and the issuer is not asked", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	const login = issuer.login();
	await using client = follow({ server, issuer }, login);
	await client.shows("demo/web");
	expect(tokensSeen(server)).toEqual([login["id-token"] ?? ""]);
	expect(server.requests().every(({ user }) => user === "edge")).toBe(true);
	expect(issuer.requests).toEqual([]);
});

test("oidc: one that has expired is refreshed once; the new one is kept until it expires, too", async () => {
	await using issuer = startIssuer({ lifetime: 1010 });
	await using server = await serverOf(issuer);
	const rig = { server, issuer };
	const login = issuer.login(-1);
	await using client = follow(rig, login);
	await client.shows("demo/web");
	expect(issuer.requests).toEqual(["GET /realms/edge/.well-known/openid-configuration", "POST /realms/edge/token"]);
	// The kubeconfig, with its old token, is read again every minute.
	await live(rig, client, 500);
	expect(issuer.grants).toEqual([login["refresh-token"] ?? ""]);
	expect(tokensSeen(server)).toHaveLength(1);
	await live(rig, client, 600);
	expect(issuer.grants).toHaveLength(2);
	expect(tokensSeen(server)).toHaveLength(2);
	expect(tokensSeen(server)).not.toContain(login["id-token"] ?? "");
	expect(server.count({ code: 401 })).toBe(0);
	expect(warnings(client)).toEqual([]);
});

test("oidc: a refresh-token that the issuer replaces is kept, over readings of the kubeconfig; a new login is taken", async () => {
	await using issuer = startIssuer({ rotate: true, lifetime: 60 });
	await using server = await serverOf(issuer);
	const rig = { server, issuer };
	await using client = follow(rig, issuer.login(-1));
	await client.shows("demo/web");
	await live(rig, client, 500);
	expect(issuer.grants.length).toBeGreaterThan(4);
	expect(new Set(issuer.grants).size).toBe(issuer.grants.length);
	expect(warnings(client)).toEqual([]);
	issuer.endSessions();
	pass(rig, client, 100);
	for (const watch of server.watches()) watch.end();
	await jumpUntil(client, "told", () => client.hub.status().kinds[0]?.problem !== null);
	expect(await problemOf(client)).toBe(
		`Cannot watch Services: Cannot refresh the id-token of user edge at ${issuer.url}: /realms/edge/token answers 400 invalid_grant: ` +
			"The refresh token is not known (log in again: the refresh-token has expired, or somebody else has used it)",
	);
	client.configure(kubeconfig(server, oidc(issuer, issuer.login())));
	await comesBack(rig, client, "three");
});

test("oidc: a token that the API server does not accept any more is refreshed at once", async () => {
	await using issuer = startIssuer({ rotate: true });
	await using server = await serverOf(issuer);
	const rig = { server, issuer };
	await using client = follow(rig, issuer.login(3600));
	await client.shows("demo/web");
	for (const name of ["one", "two"]) {
		issuer.refuseTokens();
		client.clock.jump(6000);
		await comesBack(rig, client, name);
	}
	expect(tokensSeen(server)).toHaveLength(3);
	expect(issuer.grants).toHaveLength(2);
	expect(warnings(client)).toEqual([]);
});

test("oidc: an API server that accepts no token at all gets a new one per attempt at the most, and is told", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf({ verify: () => undefined });
	await using client = follow({ server, issuer }, issuer.login());
	expect(await problemOf(client)).toContain(
		"401 Unauthorized (the API server does not accept the credentials of current",
	);
	await jumpUntil(client, "some attempts", () => server.count({ code: 401 }) > 20);
	expect(issuer.grants.length).toBeLessThanOrEqual(server.count({ code: 401 }) / 2);
});

test("oidc: the issuer away is told by name, asked again with backoff, and used when it is back", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	await issuer.stop();
	await using client = follow({ server, issuer }, issuer.login(-1), { random: () => 0.5 });
	const problem = await problemOf(client);
	expect(problem).toStartWith(`Cannot watch Services: Cannot refresh the id-token of user edge at ${issuer.url}: `);
	// The first is what the runtime says of most, the second of some.
	expect(problem).toMatch(/: (?:ConnectionRefused|ECONNREFUSED) \(is the issuer running there\?\)$/);
	expect(server.requests()).toEqual([]);
	await jumpUntil(client, "the longest wait", () => client.clock.sleeps.some((sleep) => sleep > 40_000));
	issuer.start();
	await jumpUntil(client, "the Service", () => client.services()?.length === 1);
	expect(issuer.grants).toHaveLength(1);
});

test("oidc: an issuer that says nothing is given up, by name; and does not keep the hub from ending", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	const heard: Request[] = [];
	issuer.say("token", (request) => {
		heard.push(request);
		return new Promise(() => {});
	});
	const client = follow({ server, issuer }, issuer.login(-1));
	await until("asked", () => heard.length === 1);
	await jumpUntil(client, "given up", () => client.hub.status().kinds[0]?.problem !== null);
	expect(await problemOf(client)).toBe(
		`Cannot watch Services: Cannot refresh the id-token of user edge at ${issuer.url}: nothing was heard for 20 s`,
	);
	await jumpUntil(client, "asked again", () => heard.length === 2);
	await client[Symbol.asyncDispose]();
	await until("left", () => heard.every(({ signal }) => signal.aborted));
});

test("oidc: an id-token that says nothing of its time is used until it is refused", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf({ verify: (token) => (token === "opaque" ? "edge" : issuer.verify(token)) });
	const rig = { server, issuer };
	await using client = follow(rig, { ...issuer.login(), "id-token": "opaque" });
	await client.shows("demo/web");
	await live(rig, client, 200);
	expect(issuer.requests).toEqual([]);
	server.trustIssuer(issuer.verify);
	await comesBack(rig, client, "later");
	expect(issuer.grants).toHaveLength(1);
});

test("oidc: the issuer is reached through the proxy of the environment, if there is one", async () => {
	await using issuer = startIssuer({ name: "issuer.invalid" });
	await using server = await serverOf(issuer);
	await using proxy = await startProxy(issuer.port());
	await using client = follow({ server, issuer }, issuer.login(-1), { proxies: { https: proxy.url } });
	await client.shows("demo/web");
	expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT issuer.invalid:${issuer.port()} HTTP/1.1`]));
	const dead = "http://me:secret@127.0.0.1:1";
	await using other = follow({ server, issuer }, issuer.login(-1), { proxies: { https: dead } });
	expect(await problemOf(other)).toContain(`at ${issuer.url} through http://127.0.0.1:1: `);
	await using direct = follow({ server, issuer }, issuer.login(-1), { proxies: { https: dead, no: ".invalid" } });
	expect(await problemOf(direct)).not.toContain("through");
});

test.each<[string, ClientMethod | undefined]>([
	["in the header where the issuer does not say how", undefined],
	["in the header", "client_secret_basic"],
	["in the form", "client_secret_post"],
])("oidc: a client's secret is shown %s", async (_, method) => {
	await using issuer = startIssuer({ secret: "s3cr:t/ä+&%", ...(method === undefined ? {} : { method }) });
	await using server = await serverOf(issuer);
	await using client = follow({ server, issuer }, issuer.login(-1));
	await client.shows("demo/web");
	await using wrong = follow({ server, issuer }, { ...issuer.login(-1), "client-secret": "guessed" });
	const problem = await problemOf(wrong);
	expect(problem).toEndWith("401 invalid_client: Unknown client (are client-id and client-secret right?)");
	expect(problem).not.toContain("guessed");
});

test("oidc: the issuer's certificate is looked at: its CA by file or inline, or else the system's", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	using folder = temporaryFolder();
	folder.write("issuer.crt", issuer.authority);
	const { "idp-certificate-authority-data": _, ...byFile } = {
		...issuer.login(-1),
		"idp-certificate-authority-data": undefined,
		"idp-certificate-authority": "issuer.crt",
	};
	const file = folder.write("config", kubeconfig(server, { "auth-provider": { name: "oidc", config: byFile } }));
	await using client = followHub(server, { source: { kind: "kubeconfig", files: [file] } });
	await client.shows("demo/web");
	const none = { "auth-provider": { name: "oidc", config: issuer.login(-1) } };
	await using careful = followHub(server, { kubeconfig: kubeconfig(server, none) });
	expect(await problemOf(careful)).toContain(`at ${issuer.url}: `);
	expect(await problemOf(careful)).toContain(
		"(its certificate is not signed by a known CA; set idp-certificate-authority)",
	);
	expect(issuer.grants).toHaveLength(1);
});

test.each<[string, (issuer: Issuer) => void, string]>([
	[
		"no discovery document",
		(issuer) => issuer.say("discovery", () => new Response("<html>", { status: 404 })),
		"/realms/edge/.well-known/openid-configuration answers 404, and no JSON (is it the right issuer?)",
	],
	[
		"a document without an endpoint",
		(issuer) => issuer.say("discovery", () => Response.json({})),
		"its openid-configuration names no https token_endpoint (is it the right issuer?)",
	],
	[
		"an endpoint that would read the tokens in the clear",
		(issuer) => issuer.say("discovery", () => Response.json({ token_endpoint: "http://127.0.0.1:1/token" })),
		"its openid-configuration names no https token_endpoint (is it the right issuer?)",
	],
	[
		"a redirect of the grant",
		(issuer) => issuer.say("token", () => Response.redirect("https://127.0.0.1:1/elsewhere", 307)),
		"UnexpectedRedirect",
	],
	[
		"no end of JSON",
		(issuer) => issuer.say("token", () => new Response(`{"id_token":"${"a".repeat(100_000)}`)),
		"/realms/edge/token answers 200, and no JSON",
	],
	[
		"no id-token",
		(issuer) => issuer.say("token", () => Response.json({ access_token: "a" })),
		"gave no id_token for its refresh-token (log in again with the scope openid, or use an exec plugin such as kubelogin)",
	],
	[
		"a failure in many words",
		(issuer) =>
			issuer.say("token", () =>
				Response.json({ error: "a\n\tb", error_description: "c".repeat(9999) }, { status: 500 }),
			),
		"/realms/edge/token answers 500 a b: ccc",
	],
])("oidc: an issuer with %s is told, and is used once it is right", async (_, spoil, message) => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	spoil(issuer);
	await using client = follow({ server, issuer }, issuer.login(-1));
	const problem = await problemOf(client);
	expect(problem).toContain(message);
	expect(problem.length).toBeLessThan(700);
	issuer.say("token", undefined);
	issuer.say("discovery", undefined);
	await jumpUntil(client, "the Service", () => client.services()?.length === 1);
});

const PROVIDER = { "idp-issuer-url": "https://127.0.0.1:1", "client-id": CLIENT };
test.each<[string, object, string]>([
	[
		"azure, whatever it holds",
		{ name: "azure", config: { "access-token": "a", "expires-on": "4000000000" } },
		"auth-provider azure is not supported, kubectl 1.26 removed it (use the exec plugin kubelogin: kubelogin convert-kubeconfig)",
	],
	[
		"gcp, whatever it holds",
		{ name: "gcp", config: { "cmd-path": "/bin/true", "access-token": "a" } },
		"auth-provider gcp is not supported, kubectl 1.26 removed it (use the exec plugin gke-gcloud-auth-plugin: gcloud container clusters get-credentials CLUSTER)",
	],
	["gcp without anything", { name: "gcp" }, "auth-provider gcp is not supported"],
	[
		"one that nobody knows",
		{ name: "openstack" },
		"auth-provider openstack is not supported (oidc is; else use an exec plugin)",
	],
	["one without a name", {}, "auth-provider (no name) is not supported"],
	[
		"oidc without an issuer",
		{ name: "oidc" },
		"its auth-provider oidc has no idp-issuer-url; set auth-provider.config.idp-issuer-url",
	],
	[
		"oidc without a client",
		{ name: "oidc", config: { ...PROVIDER, "client-id": "" } },
		"its auth-provider oidc has no client-id; set auth-provider.config.client-id",
	],
	[
		"oidc whose issuer is reached in the clear",
		{ name: "oidc", config: { ...PROVIDER, "idp-issuer-url": "http://127.0.0.1:1" } },
		"idp-issuer-url http://127.0.0.1:1 is no https URL; write it as https://HOST/PATH",
	],
	["oidc without tokens", { name: "oidc", config: PROVIDER }, "its id-token is missing, and there is no refresh-token"],
])("a user with auth-provider %s says what to do", async (_, provider, message) => {
	await using server = await startHub({ kubernetes: false });
	await using client = followHub(server, { kubeconfig: kubeconfig(server, { "auth-provider": provider }) });
	const problem = await problemOf(client);
	expect(problem).toStartWith("Cannot watch Services: Cannot use user edge: ");
	expect(problem).toContain(message);
	expect(server.requests()).toEqual([]);
});

test("a token beside an auth-provider is what counts", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	server.addUser("other", { credentials: "token", rules: RIGHTS });
	const { token } = server.credentials("other");
	const user = { token, ...oidc(issuer, issuer.login()) };
	await using client = followHub(server, { kubeconfig: kubeconfig(server, user) });
	await client.shows("demo/web");
	expect(server.requests().every((request) => request.user === "other")).toBe(true);
});

test("oidc without a refresh-token: its id-token is used until its end, which is told", async () => {
	await using issuer = startIssuer();
	await using server = await serverOf(issuer);
	const rig = { server, issuer };
	const { "refresh-token": _, ...login } = issuer.login();
	await using client = follow(rig, login);
	await client.shows("demo/web");
	await live(rig, client, 100);
	pass(rig, client, 140);
	pass(rig, client, 140);
	const isTold = () => client.hub.status().kinds[0]?.problem?.includes("has expired") === true;
	await jumpUntil(client, "told", isTold);
	expect(await problemOf(client)).toBe(
		"Cannot watch Services: Cannot use user edge: its id-token has expired, and there is no refresh-token to get another one (log in again)",
	);
	expect(client.services()).toHaveLength(2);
	client.configure(kubeconfig(server, oidc(issuer, issuer.login())));
	await comesBack(rig, client, "later");
});
