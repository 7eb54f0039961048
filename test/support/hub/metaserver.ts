// KubeEdge's MetaServer in front of a test hub, plain HTTP, with the faults it is known for. After edge/pkg/metamanager/metaserver.

import { createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { headersFor, sendError } from "./answer.ts";
import { POLICY_DEFINITIONS } from "./definition.ts";
import { type Connection, type Response, serveConnection } from "./http.ts";
import type { HttpRequest } from "./http_request.ts";
import type { TestHub } from "./hub.ts";
import { apiVersionOf, BUILTIN, customKind, idOf, type Kind } from "./kind.ts";
import { selectionOf } from "./list.ts";
import { createMetaCache, type MetaEventType, rewriteApiServer } from "./meta_cache.ts";
import { createMetaWatch, type MetaStream, type MetaWatch } from "./meta_watch.ts";
import { type KubeObject, keyOf, withMeta } from "./object.ts";
import { pageNotFound, serverError } from "./status.ts";
import { type ResourceTarget, targetOf } from "./target.ts";

export interface MetaQuirks {
	/** Half open: what needs the cloud waits for a while, then does without. */
	readonly link: "up" | "down" | "half-open";
	/** How long; KubeEdge: 10 s. */
	readonly stallMs: number;
	/** Milliseconds between what a list says and its arrival. */
	readonly slowMs: number;
	/** Keys of objects that lists from the cloud leave out, and how many lists. */
	readonly lacks: { readonly keys: readonly string[]; readonly lists: number };
	/** Objects of any kind at the end of lists. */
	readonly strangers: readonly object[];
	/** False: nothing is answered without the cloud. */
	readonly autonomy: boolean;
	readonly ignoresSelectors: boolean;
	/** The kind of all lists, instead of the right one. */
	readonly listKind: string | undefined;
	readonly listVersion: boolean;
	/** The store's lists look like the cloud's. */
	readonly hidesStore: boolean;
	readonly emptyEvents: boolean;
	/** Watches open and say nothing, for ever. */
	readonly silentWatches: boolean;
	/** Watches get 500. */
	readonly refusesWatches: boolean;
	/** Watches end as soon as they have begun. */
	readonly endsWatches: boolean;
	/** The endpoints of default/kubernetes become 127.0.0.1:10550. */
	readonly rewritesApiServer: boolean;
}

/** KubeEdge asks for any collection: which kinds there are only the cloud knows. */
const POLICIES: readonly Kind[] = POLICY_DEFINITIONS.flatMap((definition) => {
	const established = { conditions: [{ type: "Established", status: "True" }] };
	return customKind({ apiVersion: "", kind: "", metadata: { name: "" }, ...definition, status: established }) ?? [];
});

const USUAL: MetaQuirks = {
	link: "up",
	stallMs: 20,
	slowMs: 0,
	lacks: { keys: [], lists: 0 },
	strangers: [],
	autonomy: true,
	ignoresSelectors: false,
	listKind: undefined,
	listVersion: true,
	hidesStore: false,
	emptyEvents: false,
	silentWatches: false,
	refusesWatches: false,
	endsWatches: false,
	rewritesApiServer: true,
};

export interface MetaRequest {
	readonly verb: string;
	readonly resource: string;
	readonly query: URLSearchParams;
	readonly headers: HttpRequest["headers"];
	/** For a list: whether the cloud answered. */
	readonly fromCloud: boolean;
}

export interface TestMetaServer extends AsyncDisposable {
	/** http://127.0.0.1:PORT; stays over stop and start. */
	readonly url: string;
	/** From now on. Coming up, the link brings all objects of watched kinds again, and no word of those that are gone. */
	set(quirks: Partial<MetaQuirks>): void;
	watches(resource?: string): readonly MetaWatch[];
	requests(verb?: string, resource?: string): readonly MetaRequest[];
	/** No list is being answered. */
	isIdle(): boolean;
	/** Says DELETED of an object that is there, and forgets it, as KubeEdge does. */
	fakeDelete(kind: string, namespace: string, name: string): void;
	/** The store loses all of a kind, or one object of it, without a word. */
	forget(kind: string, key?: string): void;
	/** Connections are reset, new ones refused. */
	stop(): Promise<void>;
	start(): Promise<void>;
}

export interface MetaServerSettings {
	readonly host?: string;
	/** Default: a free one. */
	readonly port?: number;
	readonly quirks?: Partial<MetaQuirks>;
}

export async function startMetaServer(hub: TestHub, settings: MetaServerSettings = {}): Promise<TestMetaServer> {
	const { host = "127.0.0.1" } = settings;
	let quirks: MetaQuirks = { ...USUAL, ...settings.quirks };
	let port = settings.port ?? 0;
	let server: Server | undefined;
	let requests: MetaRequest[] = [];
	let answering = 0;
	const cache = createMetaCache();
	/** Kinds that a watch has asked the cloud for: their changes come down. */
	const followed = new Map<string, Kind>();
	const watches = new Set<MetaStream>();
	const connections = new Set<Connection>();

	/** Installed or not: what is neither in the cloud nor in the store is an empty list. */
	const kinds = (): readonly Kind[] => [...BUILTIN, ...POLICIES];
	const isFromCloud = (kind: Kind): boolean => quirks.link === "up" && isInCloud(kind);
	const isInCloud = (kind: Kind): boolean =>
		!kind.custom || hub.list("CustomResourceDefinition").some(({ metadata }) => metadata.name === idOf(kind));
	const inCloud = (kind: Kind): readonly KubeObject[] => (isInCloud(kind) ? hub.list(idOf(kind)) : []);

	const kindNamed = (name: string): Kind => {
		const found = kinds().find((kind) => [kind.kind, idOf(kind)].includes(name));
		if (found === undefined)
			throw new Error(`Cannot find the kind ${name}: a MetaServer has those of Kubernetes and the policies`);
		return found;
	};
	const asSent = (kind: Kind, object: KubeObject): KubeObject => {
		const whole = { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
		return quirks.rewritesApiServer ? rewriteApiServer(whole) : whole;
	};
	const push = (kind: Kind, type: MetaEventType, object: KubeObject) => {
		const id = idOf(kind);
		const sent = asSent(kind, object);
		cache.take(id, type, sent);
		for (const watch of [...watches]) if (watch.resource === id) watch.change(type, sent);
	};
	const pushAll = (kind: Kind) => {
		if (quirks.link === "up") for (const object of inCloud(kind)) push(kind, "ADDED", object);
	};
	const unsubscribe = hub.subscribe(({ kind: id, type, object }) => {
		const kind = followed.get(id);
		if (kind !== undefined && quirks.link === "up") push(kind, type, object);
	});

	const list = async (kind: Kind, target: ResourceTarget, { request, response }: Exchange) => {
		if (quirks.link === "half-open") await delay(quirks.stallMs);
		const fromCloud = isFromCloud(kind);
		requests.push({ verb: "list", resource: idOf(kind), query: request.query, headers: request.headers, fromCloud });
		if (!fromCloud && !quirks.autonomy) return sendError(response, serverError(500, "connection is lost"));
		const { matches } = selectionOf(kind, target.namespace, queryOf(request));
		const all = fromCloud ? inCloud(kind).map((object) => asSent(kind, object)) : stored(kind, request);
		const left = fromCloud ? leaveOut(all) : [];
		const items = all.filter((object) => matches(object)).filter((object) => !left.includes(keyOf(object)));
		const metadata = metadataOf(kind, fromCloud, items.length);
		const body = {
			apiVersion: apiVersionOf(kind),
			items: [...items, ...quirks.strangers],
			kind: quirks.listKind ?? kind.listKind,
			...(metadata === undefined ? {} : { metadata }),
		};
		const text = JSON.stringify(body);
		await delay(quirks.slowMs);
		return response.full(200, headersFor("application/json"), text);
	};
	/** Its lists know the fields of metadata only, and with any other have nothing; its watches know Pods' nodes. */
	const stored = (kind: Kind, request: HttpRequest): readonly KubeObject[] =>
		queryOf(request).get("fieldSelector")?.includes("spec.") ? [] : cache.list(idOf(kind));
	/** Keys that this list lacks. */
	const leaveOut = (objects: readonly KubeObject[]): readonly string[] => {
		const { keys, lists } = quirks.lacks;
		if (lists === 0 || !objects.some((object) => keys.includes(keyOf(object)))) return [];
		quirks = { ...quirks, lacks: { keys, lists: lists - 1 } };
		return keys;
	};
	const metadataOf = (kind: Kind, fromCloud: boolean, count: number): object | undefined => {
		if (fromCloud || quirks.hidesStore) return quirks.listVersion ? { resourceVersion: `${hub.revision()}` } : {};
		const selfLink = `/${kind.group === "" ? "core" : kind.group}/${kind.version}/${kind.resource}`;
		// The store says nothing at all where it has nothing.
		if (count === 0) return undefined;
		return { ...(quirks.listVersion && { resourceVersion: `${cache.revision()}` }), selfLink };
	};
	const queryOf = ({ query }: HttpRequest): URLSearchParams =>
		quirks.ignoresSelectors ? new URLSearchParams() : query;

	const watch = async (kind: Kind, target: ResourceTarget, { request, response }: Exchange) => {
		const resource = idOf(kind);
		if (quirks.link === "half-open") await delay(quirks.stallMs);
		if (!response.connection.isOpen()) return;
		const fromCloud = quirks.link === "up";
		requests.push({ verb: "watch", resource, query: request.query, headers: request.headers, fromCloud });
		if (quirks.refusesWatches) return sendError(response, serverError(500, "no watches today"));
		const { matches } = selectionOf(kind, target.namespace, queryOf(request));
		response.start(200, headersFor("application/json"));
		const stream = createMetaWatch(response, {
			resource,
			query: request.query,
			inside: ({ metadata }) => target.namespace === undefined || metadata.namespace === target.namespace,
			matches,
			emptyEvents: () => quirks.emptyEvents,
			onEnd: () => watches.delete(stream),
		});
		if (quirks.endsWatches) return stream.end();
		if (quirks.silentWatches) return stream.ended;
		for (const object of cache.list(resource)) stream.change("ADDED", object);
		watches.add(stream);
		followed.set(resource, kind);
		// What the cloud sends because of the watch comes after what the store had.
		setImmediate(() => pushAll(kind));
		return stream.ended;
	};
	const answer = async (request: HttpRequest, response: Response): Promise<void> => {
		const target = targetOf(request);
		const kind =
			target.kind === "resource"
				? kinds().find(({ group, version, resource }) =>
						[target.group, target.version, target.resource].every(
							(part, at) => part === [group, version, resource][at],
						),
					)
				: undefined;
		if (target.kind !== "resource" || kind === undefined) return sendError(response, pageNotFound());
		if (target.verb === "list") {
			answering += 1;
			await list(kind, target, { request, response });
			answering -= 1;
			return;
		}
		if (target.verb === "watch") return watch(kind, target, { request, response });
		return sendError(response, serverError(500, "unsupported req verb"));
	};

	const start = () =>
		new Promise<void>((resolve, reject) => {
			const next = createServer((socket) => {
				const connection = serveConnection(socket, { id: connections.size, shape: () => ({}), answer });
				connections.add(connection);
				connection.onClose(() => connections.delete(connection));
			});
			next.once("error", reject);
			next.listen(port, host, () => {
				const address = next.address();
				if (typeof address === "object" && address !== null) port = address.port;
				server = next;
				resolve();
			});
		});
	const stop = async () => {
		server?.close();
		server = undefined;
		for (const connection of [...connections]) connection.reset();
	};
	await start();
	return {
		get url() {
			return `http://${host}:${port}`;
		},
		set(next) {
			const wasUp = quirks.link === "up";
			quirks = { ...quirks, ...next };
			if (!wasUp) for (const kind of followed.values()) pushAll(kind);
		},
		watches: (resource) => [...watches].filter((each) => resource === undefined || each.resource === resource),
		requests: (verb, resource) =>
			requests.filter((each) => (verb ?? each.verb) === each.verb && (resource ?? each.resource) === each.resource),
		fakeDelete(name, namespace, object) {
			const kind = kindNamed(name);
			const known = hub.get(name, namespace, object);
			if (known !== undefined) push(kind, "DELETED", withMeta(known, {}));
		},
		isIdle: () => answering === 0,
		forget: (name, key) => cache.forget(idOf(kindNamed(name)), key),
		stop,
		start,
		async [Symbol.asyncDispose]() {
			unsubscribe();
			requests = [];
			await stop();
		},
	};
}

interface Exchange {
	readonly request: HttpRequest;
	readonly response: Response;
}
