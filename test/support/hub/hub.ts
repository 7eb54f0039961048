// A hub to test with: an API server on TLS that speaks the protocol properly, and misbehaves when a test wants it.

import type { TLSSocket } from "node:tls";
import { createAccess, type Rule } from "./access.ts";
import { type Core, createCore } from "./core.ts";
import { POLICY_DEFINITIONS } from "./definition.ts";
import { createFaults, type Fault, type Injected } from "./fault.ts";
import { type Connection, type Shape, serveConnection } from "./http.ts";
import { apiVersionOf, idOf } from "./kind.ts";
import type { Features, Timing } from "./list.ts";
import { createListener } from "./listener.ts";
import { createRequestLog, type RequestFilter, type RequestRecord } from "./log.ts";
import type { KubeObject } from "./object.ts";
import type { Rules } from "./schema.ts";
import { serve } from "./serve.ts";
import type { Change } from "./store.ts";
import { type Credentials, createUsers, type KubeconfigOptions, type UserOptions } from "./user.ts";
import type { OpenWatch } from "./watch.ts";
import { createWebhooks } from "./webhook.ts";

export interface HubOptions {
	readonly host?: string;
	/** Default: a free one. */
	readonly port?: number;
	/** The server's version 1.x; sets features as that version has them. Default 36. */
	readonly minor?: number;
	readonly features?: Partial<Features>;
	readonly timing?: Partial<Timing>;
	/** Besides admin, who is in system:masters and has a certificate. */
	readonly users?: Readonly<Record<string, UserOptions>>;
	/** Definitions of custom kinds. Default: the two policies with a schema that takes everything. */
	readonly definitions?: readonly unknown[];
	/** How rules of custom kinds are looked at. Default: not at all. */
	readonly rules?: Rules;
	/** False: without the Service default/kubernetes and its slice. */
	readonly kubernetes?: boolean;
	/** How many changes watches can be resumed over. */
	readonly historyLimit?: number;
}

export interface WatchFilter {
	/** services, endpointslices.discovery.k8s.io */
	readonly resource?: string;
	readonly user?: string;
	readonly namespace?: string;
}

export interface Traffic {
	/** TCP connections with a finished handshake, ever and now. */
	readonly accepted: number;
	readonly open: number;
	/** Handshakes that failed: the client mistrusts the certificate, or shows a broken one. */
	readonly failedHandshakes: number;
	/** Of requests and answers, without TLS. */
	readonly bytesIn: number;
	readonly bytesOut: number;
}

export interface TestHub extends AsyncDisposable {
	/** https://127.0.0.1:PORT; stays over restarts. */
	readonly url: string;
	readonly port: number;
	kubeconfig(options?: KubeconfigOptions): string;
	credentials(user?: string): Credentials;

	/** Creates or replaces what YAML, JSON or objects say, status included. */
	apply(manifests: unknown): readonly KubeObject[];
	/** Stores an object as it is, for those that no server would take: nothing is checked or completed but its version. */
	put(kind: string, object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): KubeObject;
	/** At once, without grace; of a kind by its name (Service) or resource. */
	delete(kind: string, namespace: string | undefined, name: string): void;
	list(kind: string): readonly KubeObject[];
	get(kind: string, namespace: string | undefined, name: string): KubeObject | undefined;
	readonly revision: () => number;
	/** Tells of every change, also after restarts; returns how to end it. */
	subscribe(listener: (change: Change) => void): () => void;
	/** Versions pass as if others had written something. */
	skip(versions: number): void;

	watches(filter?: WatchFilter): readonly OpenWatch[];
	requests(filter?: RequestFilter): readonly RequestRecord[];
	count(filter?: RequestFilter): number;
	traffic(): Traffic;
	/** Forgets requests and bytes. */
	resetCounters(): void;

	/** Requests that fit meet the fault; newest last, all that fit strike. */
	inject(filter: RequestFilter, fault: Fault, times?: number): Injected;
	clearFaults(): void;
	/** How all answers leave from now on; {} is whole. */
	shape(shape: Shape): void;
	setFeatures(features: Partial<Features>): void;
	/** Watches get 410 for every version up to now (watches), or pages and exact lists do (pages). Default both. */
	compact(what?: { readonly watches?: boolean; readonly pages?: boolean }): void;
	connections(): readonly Connection[];

	/** New connections are refused; open ones stay. */
	stopAccepting(): Promise<void>;
	/** New connections are accepted and never hear a byte. */
	stall(): Promise<void>;
	/** Ends stopAccepting and stall. */
	resumeAccepting(): Promise<void>;
	/** As SIGKILL does: every connection is reset (or just ends), and the port is closed. */
	kill(how?: "reset" | "fin"): Promise<void>;
	/** kill, then back on the same port: with the same objects, but no history; or as a new, empty cluster. */
	restart(options?: { readonly store?: "same" | "empty"; readonly how?: "reset" | "fin" }): Promise<void>;

	addUser(name: string, options: UserOptions): void;
	/** What the user may do from now on; [] is nothing. Open watches go on, as with the API server. */
	setRules(user: string, rules: readonly Rule[]): void;
	/** New credentials; the old are answered with 401. */
	rotateCredentials(user: string): Credentials;
	revoke(user: string): void;
	/** Tokens that an issuer signed are accepted as well: `verify` says whose one is. */
	trustIssuer(verify: (token: string) => string | undefined): void;
	setAnonymous(allowed: boolean): void;
	/** Webhooks of Service `namespace/name` are called at these ports of loopback, in turns; none: nobody is there. */
	routeService(service: string, ports: readonly number[]): void;
	/** Another authority signs the server's certificate; clients' old certificates are taken still, or not. */
	rotateAuthority(options?: { readonly forgetOld?: boolean }): Promise<void>;

	close(): Promise<void>;
}

/** The features of 1.x with its defaults. */
function featuresOf(minor: number): Features {
	// On 1.32, off by default again in 1.33, on from 1.34.
	const served = minor === 32 || minor >= 34;
	return {
		initialEvents: served ? "served" : "forbidden",
		bookmarks: true,
		aggregatedDiscovery: minor >= 27,
		limit: true,
	};
}

export async function startHub(options: HubOptions = {}): Promise<TestHub> {
	const { host = "127.0.0.1", minor = 36 } = options;
	const access = createAccess();
	const users = createUsers(access, host);
	const faults = createFaults();
	const log = createRequestLog();
	const timing = { futureMs: 3000, bookmarkMs: 60_000, ...options.timing };
	const connections = new Set<Connection>();
	let features: Features = { ...featuresOf(minor), ...options.features };
	let shape: Shape = {};
	let traffic = { accepted: 0, failedHandshakes: 0 };
	const newCore = (): Core =>
		createCore({
			historyLimit: options.historyLimit ?? 10_000,
			kubernetes: options.kubernetes ?? true,
			definitions: options.definitions ?? POLICY_DEFINITIONS,
			rules: options.rules,
		});
	let core = newCore();
	const webhooks = createWebhooks(() => core.store);
	const listeners = new Set<(change: Change) => void>();
	const follow = () => {
		core.store.subscribe((change) => {
			for (const listener of [...listeners]) listener(change);
		});
	};
	follow();
	const accept = (socket: TLSSocket) => {
		traffic = { ...traffic, accepted: traffic.accepted + 1 };
		const connection = serveConnection(socket, {
			id: traffic.accepted,
			shape: () => shape,
			answer: (request, response) =>
				serve({ ...core, webhooks, access, faults, log, timing, minor, features }, request, response),
		});
		connections.add(connection);
		connection.onClose(() => connections.delete(connection));
	};
	const failed = () => {
		traffic = { ...traffic, failedHandshakes: traffic.failedHandshakes + 1 };
	};
	const listener = createListener({ host, port: options.port ?? 0, accept, failed });
	const listen = () => listener.start(users.serverPair(), users.authorities());
	const kill = async (how: "reset" | "fin" = "reset") => {
		await listener.stop();
		for (const connection of [...connections]) connection[how]();
	};
	users.add("admin", { groups: ["system:masters"] });
	for (const [name, user] of Object.entries(options.users ?? {})) users.add(name, user);
	await listen();
	const url = () => `https://${host.includes(":") ? `[${host}]` : host}:${listener.port()}`;
	const sum = (of: (record: RequestRecord) => number) => log.find().reduce((total, record) => total + of(record), 0);
	const hub: TestHub = {
		get url() {
			return url();
		},
		get port() {
			return listener.port();
		},
		kubeconfig: (wish = {}) => users.kubeconfig(url(), wish),
		credentials: (user = "admin") => users.credentials(user),

		apply: (manifests) => core.apply(manifests),
		put(name, object) {
			const kind = core.registry.named(name);
			return core.store.put(idOf(kind), { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object });
		},
		delete: (kind, namespace, name) => core.remove(kind, namespace, name),
		list: (kind) => core.store.snapshot(idOf(core.registry.named(kind))).objects,
		get(name, namespace, object) {
			const kind = core.registry.named(name);
			return core.store.get(idOf(kind), kind.namespaced ? `${namespace ?? "default"}/${object}` : object);
		},
		revision: () => core.store.revision(),
		subscribe(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
		skip: (versions) => core.store.skip(versions),

		watches: (filter = {}) =>
			[...core.watches].filter(
				({ resource, user, namespace }) =>
					(filter.resource ?? resource) === resource &&
					(filter.user ?? user) === user &&
					(filter.namespace ?? namespace) === namespace,
			),
		requests: (filter) => log.find(filter),
		count: (filter) => log.find(filter).length,
		traffic: () => ({
			...traffic,
			open: connections.size,
			bytesIn: sum(({ bytesIn }) => bytesIn),
			bytesOut: sum(({ bytesOut }) => bytesOut),
		}),
		resetCounters: () => log.clear(),

		inject: (filter, fault, times) => faults.inject(filter, fault, times),
		clearFaults: () => faults.clear(),
		shape(next) {
			shape = next;
		},
		setFeatures(next) {
			features = { ...features, ...next };
		},
		compact: (what = {}) =>
			core.store.compact({ watches: what.watches ?? what.pages !== true, pages: what.pages ?? what.watches !== true }),
		connections: () => [...connections],

		stopAccepting: () => listener.stop(),
		stall: () => listener.stall(),
		resumeAccepting: listen,
		kill,
		async restart({ store = "same", how } = {}) {
			await kill(how);
			core.watches.clear();
			if (store === "empty") {
				core = newCore();
				follow();
			} else core.store.compact({ watches: true, pages: false });
			await listen();
		},

		addUser: (name, user) => users.add(name, user),
		setRules: (user, rules) => access.setRules(user, rules),
		rotateCredentials: (user) => users.rotate(user),
		revoke: (user) => users.revoke(user),
		trustIssuer: (verify) => access.trustIssuer(verify),
		setAnonymous: (allowed) => access.setAnonymous(allowed),
		routeService: webhooks.route,
		async rotateAuthority({ forgetOld = false } = {}) {
			users.changeAuthority(forgetOld);
			await listen();
		},

		close: () => kill("fin"),
		[Symbol.asyncDispose]: () => kill("fin"),
	};
	return hub;
}
