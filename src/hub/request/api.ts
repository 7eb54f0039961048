// Requests to one API server: address, credentials and errors in one place.

import type { Clock } from "../../lib/clock.ts";
import type { Raw } from "../../model/raw.ts";
import type { OwnWay, Way } from "../own_way.ts";
import type { Access, Credentials } from "./access.ts";
import { explain, withoutPassword } from "./connect_error.ts";
import { type HttpMethod, type HttpSend, httpSend, readStart } from "./http.ts";
import { errorOfAnswer, HubError, parseObject } from "./hub_error.ts";
import { createWatchdog, type Watchdog } from "./watchdog.ts";

/** Milliseconds until an answer must begin; and within a list, until more of it must come. */
const ANSWER = 30_000;
/** Bytes of an error's body that are read. */
const ERROR_BODY = 65_536;
/** Characters of an object that are read: etcd takes 1.5 MiB. */
const OBJECT_BODY = 8 << 20;
const TOO_ODD = { status: 0, reason: "Protocol" };

export interface ApiRequest {
	/** From the root of the API, as `/api/v1/services`. */
	readonly path: string;
	readonly query: Readonly<Record<string, string>>;
	/** What it is for, for errors: `list Services`. */
	readonly action: string;
	/** Milliseconds without a byte after which the connection counts as dead. */
	readonly silence?: number;
	readonly signal: AbortSignal;
}

/** One object, not a collection. */
export interface ApiCall extends Omit<ApiRequest, "silence"> {
	readonly method: HttpMethod;
	/** Sent as JSON. */
	readonly body?: unknown;
	/** Of the body. Default: application/json. */
	readonly contentType?: "application/json" | "application/merge-patch+json" | "application/json-patch+json";
}

export interface Answer extends Disposable {
	/** The body, decompressed. Throws HubError when it breaks or falls silent; ends at once when the signal is aborted. */
	chunks(): AsyncGenerator<Uint8Array, void>;
	/** Milliseconds without a byte after which the connection counts as dead, from now on. */
	setSilence(milliseconds: number): void;
}

export interface Api {
	/** Throws HubError unless the answer is a success. */
	get(request: ApiRequest): Promise<Answer>;
	/**
	 * Reads or writes one object; returns what the server has then, or its Status. Throws HubError unless the answer is a success. What got
	 * no answer, or was refused for its credentials, is sent a second time at once: whoever creates has to expect that it is there already.
	 */
	call(request: ApiCall): Promise<Raw>;
}

/** All that requests need of credentials. */
export type Login = Pick<Credentials, "name" | "access" | "renew">;

export interface ApiOptions {
	readonly credentials: Login;
	readonly clock: Clock;
	readonly userAgent: string;
	readonly ownWay: OwnWay;
	/** What is asked, for errors. */
	readonly peer?: string;
	/** Default: over the network. */
	readonly http?: HttpSend;
}

type AnyRequest = ApiRequest & Partial<ApiCall>;

interface Sent {
	readonly access: Access;
	readonly response: Response;
}

/** One try. */
interface Try {
	/** Undefined where the hub's own way is to be taken. */
	readonly way: Way | undefined;
	/** It failed, and this one is worth another try at once. */
	other: Way | undefined;
}

export function createApi(options: ApiOptions): Api {
	const { credentials, clock, userAgent, ownWay, peer = "API server", http = httpSend } = options;

	async function send(request: AnyRequest, dog: Watchdog, one: Try): Promise<Sent> {
		const access = await dog.guard(readAccess(credentials, request.action));
		const url = `${access.url}${request.path}?${new URLSearchParams(request.query)}`;
		const { headers, ...content } = contentOf(request, userAgent);
		using way = ownWay.begin(access.proxy ?? access.url, one.way);
		if (way.patience !== undefined) dog.setLimit(way.patience);
		try {
			const { tls, proxy } = access;
			const sent = { ...content, headers: { ...access.headers, ...headers } };
			const response = await http({ url, tls, proxy, ...sent, signal: dog.signal });
			way.worked();
			return { access, response };
		} catch (cause) {
			if (!dog.stopped()) one.other = way.failed();
			throw dog.bark() ?? unreachable({ access, peer, cause }, request.action);
		}
	}

	async function attempt(request: AnyRequest, one: Try): Promise<Answer | "unauthorized"> {
		using stack = new DisposableStack();
		const dog = stack.use(createWatchdog({ clock, limit: ANSWER, signal: request.signal, action: request.action }));
		const { access, response } = await send(request, dog, one);
		if (response.status === 401) return "unauthorized";
		if (!isSuccess(response.status, request.method)) {
			const retryAfter = response.headers.get("retry-after");
			const body = await readStart(response, ERROR_BODY);
			throw errorOfAnswer(request.action, { status: response.status, retryAfter, body });
		}
		refuseHtml(request.action, response);
		dog.setLimit(request.silence ?? ANSWER);
		const open = stack.move();
		return {
			setSilence: dog.setLimit,
			chunks: () =>
				readChunks(response, { dog, fail: (cause) => unreachable({ access, peer, cause }, request.action) }),
			[Symbol.dispose]: () => open.dispose(),
		};
	}

	async function reach(request: AnyRequest): Promise<Answer | "unauthorized"> {
		const first: Try = { way: undefined, other: undefined };
		try {
			return await attempt(request, first);
		} catch (error) {
			if (first.other === undefined) throw error;
			return await insteadOf(error, attempt(request, { way: first.other, other: undefined }));
		}
	}

	/** With other credentials if these are not accepted any more. */
	async function ask(request: AnyRequest): Promise<Answer> {
		const first = await reach(request);
		if (first !== "unauthorized") return first;
		credentials.renew();
		const second = await reach(request);
		if (second === "unauthorized") throw unauthorized(request.action, peer, credentials.name);
		return second;
	}

	return {
		get: ask,
		async call(request) {
			using answer = await ask(request);
			return await readObject(answer, request.action);
		},
	};
}

function unauthorized(action: string, peer: string, login: string): HubError {
	const message = `Cannot ${action}: 401 Unauthorized (the ${peer} does not accept the credentials of ${login})`;
	return new HubError(message, { status: 401, reason: "Unauthorized" });
}

/** What is sent besides who we are. */
function contentOf({ method = "GET", body, contentType = "application/json" }: AnyRequest, userAgent: string) {
	const headers = {
		accept: "application/json",
		// The runtime decompresses; watches are never compressed.
		"accept-encoding": "gzip",
		"user-agent": userAgent,
	};
	if (body === undefined) return { method, headers };
	return { method, headers: { ...headers, "content-type": contentType }, body: JSON.stringify(body) };
}

/** An API server answers a list, a watch and the reading of an object with 200, and with nothing else where it went well. */
function isSuccess(status: number, method: HttpMethod = "GET"): boolean {
	return status === 200 || (method !== "GET" && (status === 201 || status === 202));
}

async function readObject(answer: Answer, action: string): Promise<Raw> {
	const decoder = new TextDecoder("utf-8");
	let text = "";
	for await (const chunk of answer.chunks()) {
		text += decoder.decode(chunk, { stream: true });
		if (text.length <= OBJECT_BODY) continue;
		throw new HubError(`Cannot ${action}: the answer is longer than ${OBJECT_BODY} characters`, TOO_ODD);
	}
	const object = parseObject(text);
	if (object === undefined) throw new HubError(`Cannot ${action}: the answer is no object of JSON`, TOO_ODD);
	return object;
}

/** What an unusual way meets says less than the error of the way before it, unless it is the server that says it. */
async function insteadOf<T>(error: unknown, second: Promise<T>): Promise<T> {
	try {
		return await second;
	} catch (later) {
		throw later instanceof HubError && later.status !== 0 ? later : error;
	}
}

/** A page for people is no API server's: before its first byte is taken for an open watch. */
function refuseHtml(action: string, { headers }: Response): void {
	if (headers.get("content-type")?.startsWith("text/html") !== true) return;
	const hint = "is it an API server, or does a proxy or a login page stand before it?";
	throw new HubError(`Cannot ${action}: the answer is HTML (${hint})`, { status: 0, reason: "Protocol" });
}

async function readAccess(credentials: Login, action: string): Promise<Access> {
	try {
		return await credentials.access();
	} catch (cause) {
		const fact = cause instanceof Error ? cause.message : String(cause);
		throw new HubError(`Cannot ${action}: ${fact}`, { status: 0, reason: "Credentials", cause });
	}
}

interface Reading {
	readonly dog: Watchdog;
	readonly fail: (cause: unknown) => HubError;
}

async function* readChunks(response: Response, { dog, fail }: Reading): AsyncGenerator<Uint8Array, void> {
	if (response.body === null) return;
	const reader = response.body.getReader();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			dog.calm();
			yield value;
		}
	} catch (cause) {
		if (dog.stopped()) return;
		throw dog.bark() ?? fail(cause);
	} finally {
		await reader.cancel().catch(() => {});
	}
}

interface Attempt {
	readonly access: Access;
	readonly peer: string;
	readonly cause: unknown;
}

function unreachable({ access: { url, tls, proxy }, peer, cause }: Attempt, action: string): HubError {
	const way = proxy === undefined ? "" : ` through ${withoutPassword(proxy)}`;
	const name = tls.serverName === undefined ? "" : ` as ${tls.serverName}`;
	const why = explain(cause, {
		peer,
		otherNames: "set tls-server-name in the kubeconfig",
		unsigned: "its certificate is not signed by the configured CA",
	});
	return new HubError(`Cannot ${action} at ${url}${name}${way}: ${why}`, {
		status: 0,
		reason: "Unreachable",
		cause,
	});
}
