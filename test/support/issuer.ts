// An issuer of id-tokens on loopback, as Dex or Keycloak: discovery, the refresh_token grant, a certificate of its own authority.

import { Buffer } from "node:buffer";
import { createPublicKey, generateKeyPairSync, randomUUID, sign, verify } from "node:crypto";
import { type Authority, cachedServer, createAuthority } from "./hub/certificates.ts";

/** How a client with a secret shows it; RFC 6749 section 2.3.1. */
export type ClientMethod = "client_secret_basic" | "client_secret_post";

interface IssuerOptions {
	/** Every refresh gives a new refresh-token, and the old one is spent. Default false. */
	readonly rotate?: boolean;
	/** Default: a public client without one. */
	readonly secret?: string;
	/** What is understood, and said in the discovery document. Default: the document says nothing, which means basic. */
	readonly method?: ClientMethod;
	/** The name in its URL and its certificate, for who comes through a proxy. Default 127.0.0.1. */
	readonly name?: string;
	/** Seconds that id-tokens are good for. Default 300. */
	readonly lifetime?: number;
}

type Saying = (request: Request) => Response | Promise<Response>;

/** What a login leaves in `auth-provider.config`. */
export type LoginFields = Readonly<Record<string, string>>;

export interface Issuer extends AsyncDisposable {
	readonly url: string;
	readonly port: () => number;
	/** PEM of who signed its certificate. */
	readonly authority: string;
	/** New tokens; `lifetime` in seconds may be negative: it has expired. */
	login(lifetime?: number): LoginFields;
	/** Who has this token, as an API server finds out: signature, expiry by the issuer's clock. */
	verify(token: string): string | undefined;
	/** Id-tokens of before are not accepted any more. */
	refuseTokens(): void;
	/** Refresh-tokens of before neither. */
	endSessions(): void;
	/** The refresh-tokens that came, oldest first. */
	readonly grants: readonly string[];
	/** Every request's method and path. */
	readonly requests: readonly string[];
	/** The issuer's clock goes on by so many seconds. */
	pass(seconds: number): void;
	/** What is said instead of tokens, or of the document; undefined: as it should be. */
	say(where: "token" | "discovery", answer: Saying | undefined): void;
	/** Connections are refused until `start`, on the same port. */
	stop(): Promise<void>;
	start(): void;
}

export const CLIENT = "edge agents: 100%";
const DISCOVERY = "/realms/edge/.well-known/openid-configuration";
const TOKEN = "/realms/edge/token";

let authority: Authority | undefined;

/** Starts one. */
export function startIssuer(options: IssuerOptions = {}): Issuer {
	const { rotate = false, secret, method, lifetime: usual = 300, name } = options;
	authority ??= createAuthority("balancing-test-issuer");
	const { certificate: cert, key } = cachedServer(authority, [name === undefined ? "IP:127.0.0.1" : `DNS:${name}`]);
	const signer = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
	const sessions = new Set<string>();
	const refused = new Set<string>();
	const issued: string[] = [];
	const grants: string[] = [];
	const requests: string[] = [];
	const says = new Map<string, Saying>();
	let passed = 0;
	let port = 0;
	let server: Bun.Server<undefined> | undefined;
	const url = () => `https://${name ?? "127.0.0.1"}:${port}/realms/edge`;
	const now = () => Math.floor(Date.now() / 1000) + passed;

	const tokenFor = (lifetime: number): string => {
		const claims = { iss: url(), sub: "edge", aud: CLIENT, jti: randomUUID(), iat: now(), exp: now() + lifetime };
		const signed = [{ alg: "ES256", typ: "JWT" }, claims].map(encode).join(".");
		const token = `${signed}.${sign("sha256", Buffer.from(signed), { key: signer, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
		issued.push(token);
		return token;
	};
	const session = (): string => {
		const token = randomUUID();
		sessions.add(token);
		return token;
	};
	const refusal = (status: number, error: string, description: string) =>
		Response.json({ error, error_description: description }, { status });

	function faultOf(request: Request, form: URLSearchParams): Response | undefined {
		if (request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded") !== true)
			return refusal(400, "invalid_request", "no form");
		if (!knowsClient(request, form, { secret, method })) return refusal(401, "invalid_client", "Unknown client");
		if (form.get("grant_type") !== "refresh_token") return refusal(400, "unsupported_grant_type", "Not this one");
		const isKnown = sessions.has(form.get("refresh_token") ?? "");
		return isKnown ? undefined : refusal(400, "invalid_grant", "The refresh token is not known");
	}

	async function grant(request: Request): Promise<Response> {
		const form = new URLSearchParams(await request.text());
		const refresh = form.get("refresh_token") ?? "";
		grants.push(refresh);
		const wrong = (await says.get("token")?.(request)) ?? faultOf(request, form);
		if (wrong !== undefined) return wrong;
		if (rotate) sessions.delete(refresh);
		const tokens = { access_token: "unused", token_type: "Bearer", expires_in: 1, id_token: tokenFor(usual) };
		return Response.json(rotate ? { ...tokens, refresh_token: session() } : tokens);
	}

	function discover(request: Request): Response | Promise<Response> {
		const methods = method === undefined ? {} : { token_endpoint_auth_methods_supported: [method] };
		return (
			says.get("discovery")?.(request) ?? Response.json({ issuer: url(), token_endpoint: `${url()}/token`, ...methods })
		);
	}

	function start(): void {
		server = Bun.serve({
			hostname: "127.0.0.1",
			port,
			tls: { cert, key },
			fetch(request) {
				const { pathname } = new URL(request.url);
				requests.push(`${request.method} ${pathname}`);
				if (request.method === "GET" && pathname === DISCOVERY) return discover(request);
				if (request.method === "POST" && pathname === TOKEN) return grant(request);
				return new Response("no such page", { status: 404 });
			},
		});
		port = server.port ?? 0;
	}
	start();

	return {
		get url() {
			return url();
		},
		port: () => port,
		authority: authority.certificate,
		login: (lifetime = usual) => ({
			"idp-issuer-url": url(),
			"client-id": CLIENT,
			...(secret === undefined ? {} : { "client-secret": secret }),
			"id-token": tokenFor(lifetime),
			"refresh-token": session(),
		}),
		verify(token) {
			const [header = "", payload = "", signature = ""] = token.split(".");
			const proof = { key: createPublicKey(signer), dsaEncoding: "ieee-p1363" } as const;
			const signed = Buffer.from(`${header}.${payload}`);
			if (refused.has(token) || !verify("sha256", signed, proof, Buffer.from(signature, "base64url"))) return undefined;
			const { sub, exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
			return exp > now() ? sub : undefined;
		},
		refuseTokens() {
			for (const token of issued) refused.add(token);
		},
		endSessions: () => sessions.clear(),
		grants,
		requests,
		pass(seconds) {
			passed += seconds;
		},
		say(where, answer) {
			if (answer === undefined) says.delete(where);
			else says.set(where, answer);
		},
		stop: async () => await server?.stop(true),
		start,
		[Symbol.asyncDispose]: async () => await server?.stop(true),
	};
}

function encode(part: object): string {
	return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** The client shows who it is in the one way that is agreed on, and in no other. */
function knowsClient(
	request: Request,
	form: URLSearchParams,
	{
		secret,
		method = "client_secret_basic",
	}: { readonly secret: string | undefined; readonly method: ClientMethod | undefined },
): boolean {
	const shown = request.headers.get("authorization");
	const inForm = { id: form.get("client_id"), secret: form.get("client_secret") };
	if (secret === undefined) return shown === null && inForm.id === CLIENT && inForm.secret === null;
	if (method === "client_secret_post") return shown === null && inForm.id === CLIENT && inForm.secret === secret;
	const pair = Buffer.from(/^Basic (.*)$/.exec(shown ?? "")?.[1] ?? "", "base64").toString();
	const [id, password] = pair.split(":").map((part) => new URLSearchParams(`x=${part}`).get("x"));
	return inForm.secret === null && id === CLIENT && password === secret;
}
