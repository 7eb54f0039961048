// An issuer of id-tokens is asked for new ones: OpenID Connect Discovery 1.0 section 4, and the grant of RFC 6749 section 6.

import { Buffer } from "node:buffer";
import type { Clock } from "../../lib/clock.ts";
import { field, type Raw } from "../../model/raw.ts";
import { explain, type Peer, withoutPassword } from "../request/connect_error.ts";
import { type HttpRequest, httpPost, httpSend, readStart } from "../request/http.ts";
import { parseObject } from "../request/hub_error.ts";
import { type ProxyEnvironment, proxyFor } from "../request/proxy.ts";
import { createWatchdog, type Watchdog } from "../request/watchdog.ts";
import { textOf } from "./kubeconfig.ts";

export interface IssuerClient {
	/** The kubeconfig's name of the user. */
	readonly user: string;
	/** https URL without a slash at the end. */
	readonly issuer: string;
	readonly clientId: string;
	/** Undefined for a public client. */
	readonly clientSecret: string | undefined;
	/** PEM; undefined: the system's authorities. */
	readonly ca: Buffer | undefined;
}

export interface Tokens {
	readonly idToken: string | undefined;
	/** Undefined in an answer: the old one is good still. */
	readonly refreshToken: string | undefined;
}

export interface Asking {
	readonly clock: Clock;
	readonly proxies: ProxyEnvironment;
	readonly signal: AbortSignal;
}

const ISSUER: Peer = {
	peer: "issuer",
	otherNames: "is idp-issuer-url right?",
	unsigned: "its certificate is not signed by a known CA; set idp-certificate-authority",
};
/** Milliseconds for the whole: less than what an API server's request waits for its credentials, which could not say who is silent. */
const PATIENCE = 20_000;
/** Bytes of an answer that are read. */
const ANSWER = 65_536;
/** Characters of an issuer's words that are shown. */
const SHOWN = 300;

/** What the issuer gives for a refresh-token. Throws Error with the address that was asked and what to do. */
export async function refreshTokens(client: IssuerClient, refreshToken: string, asking: Asking): Promise<Tokens> {
	const { clock, proxies, signal } = asking;
	const action = `refresh the id-token of user ${client.user} at ${client.issuer}`;
	using dog = createWatchdog({ clock, limit: PATIENCE, signal, action });
	const ask = (url: string, form?: Form): Promise<Raw> =>
		askOnce({ url, form, action, dog, ca: client.ca, proxy: proxyFor(url, proxies) });
	const document = await ask(`${client.issuer}/.well-known/openid-configuration`);
	const endpoint = textOf(document, "token_endpoint");
	if (endpoint === undefined || !URL.canParse(endpoint) || new URL(endpoint).protocol !== "https:") {
		throw new Error(
			`Cannot ${action}: its openid-configuration names no https token_endpoint (is it the right issuer?)`,
		);
	}
	const answer = await ask(endpoint, formOf(client, refreshToken, document));
	return { idToken: textOf(answer, "id_token"), refreshToken: textOf(answer, "refresh_token") };
}

interface Form {
	readonly headers: Readonly<Record<string, string>>;
	readonly fields: Readonly<Record<string, string>>;
}

/** A client with a secret shows it in the header, unless the issuer takes it in the form only; a public one says its name. */
function formOf({ clientId, clientSecret }: IssuerClient, refreshToken: string, document: Raw): Form {
	const fields = { grant_type: "refresh_token", refresh_token: refreshToken };
	if (clientSecret === undefined) return { headers: {}, fields: { ...fields, client_id: clientId } };
	const methods = field(document, "token_endpoint_auth_methods_supported");
	if (Array.isArray(methods) && !methods.includes("client_secret_basic")) {
		return { headers: {}, fields: { ...fields, client_id: clientId, client_secret: clientSecret } };
	}
	// RFC 6749 section 2.3.1: both are encoded as in a form, first.
	const encoded = [clientId, clientSecret].map((text) => new URLSearchParams({ "": text }).toString().slice(1));
	return { headers: { authorization: `Basic ${Buffer.from(encoded.join(":")).toString("base64")}` }, fields };
}

interface Question {
	readonly url: string;
	readonly form: Form | undefined;
	readonly action: string;
	readonly dog: Watchdog;
	readonly ca: Buffer | undefined;
	readonly proxy: string | undefined;
}

/** An answer of 200 that is an object of JSON. */
async function askOnce({ url, form, action, dog, ca, proxy }: Question): Promise<Raw> {
	// Asked so rarely that a connection that was kept may be dead.
	const headers = { accept: "application/json", connection: "close", ...form?.headers };
	const request: HttpRequest = { url, headers, tls: ca === undefined ? {} : { ca }, proxy, signal: dog.signal };
	let response: Response;
	try {
		response = await (form === undefined ? httpSend(request) : httpPost(request, new URLSearchParams(form.fields)));
	} catch (cause) {
		const way = proxy === undefined ? "" : ` through ${withoutPassword(proxy)}`;
		const fact = explain(cause, ISSUER);
		throw dog.bark() ?? new Error(`Cannot ${action}${way}: ${fact}`, { cause });
	}
	const text = await readStart(response, ANSWER);
	const silence = dog.bark();
	if (silence !== undefined) throw silence;
	const answer = parseObject(text);
	if (response.status === 200 && answer !== undefined) return answer;
	throw new Error(`Cannot ${action}: ${new URL(url).pathname} answers ${describe(response.status, answer)}`);
}

const HINTS: ReadonlyMap<string | undefined, string> = new Map([
	["invalid_grant", " (log in again: the refresh-token has expired, or somebody else has used it)"],
	["invalid_client", " (are client-id and client-secret right?)"],
]);

/** RFC 6749 section 5.2. */
function describe(status: number, answer: Raw | undefined): string {
	if (answer === undefined) return `${status}, and no JSON (is it the right issuer?)`;
	const error = textOf(answer, "error");
	const words = [error, textOf(answer, "error_description")].filter((word) => word !== undefined).join(": ");
	return `${status} ${words.replace(/\s+/g, " ").slice(0, SHOWN)}${HINTS.get(error) ?? ""}`.trim();
}
