// The controller: policies are checked when they are written, and their status says what became of them.

import { createAdmission, type WebhookAnswer, type WebhookRequest } from "../admission/admission.ts";
import type { Config } from "../config.ts";
import type { ApiServerHub } from "../hub/kubernetes/kubernetes.ts";
import { followLease, type Leader, type LeaseTiming } from "../hub/lease/leader.ts";
import { createObjects } from "../hub/request/objects.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createRunner } from "../lib/runner.ts";
import type { Cluster } from "../model/cluster.ts";
import { parseListen, serve } from "../observe/http.ts";
import { type ControllerState, controllerPages } from "./controller/controller_pages.ts";
import { createEventWriter } from "./controller/event_writer.ts";
import { createPolicyStatus } from "./controller/policy_status.ts";
import { type CertificatePace, openWebhooks, type Webhooks } from "./controller/webhooks.ts";

/** Of the Lease, in the controller's own namespace. */
export const LEASE_NAME = "balancing-controller";
/** Milliseconds between two rounds of conditions at least: a burst of changes is one. */
const SHORTEST = 200;
const RETRY = 1000;
/** Milliseconds until every status is read again: somebody may have changed one. */
const LONGEST = 5 * 60_000;

export interface ControllerOptions {
	readonly config: Config;
	/** What follows the API server, and asks it, until the signal is aborted. */
	readonly openHub: (signal: AbortSignal) => ApiServerHub;
	/** Of this process, among all replicas that were and will be. */
	readonly identity: string;
	readonly log: Log;
	readonly signal: AbortSignal;
	/** Default: client-go's. */
	readonly timing?: LeaseTiming;
	readonly certificatePace?: CertificatePace;
	/** Default: the system's. */
	readonly now?: () => Date;
	/** The port of the webhooks, once they have a certificate. */
	readonly onServing?: (port: number) => void;
}

/** What the parts share. */
interface World {
	cluster: Cluster | undefined;
	changed: Date | undefined;
	/** Wakes whoever writes conditions. */
	wake: () => void;
}

/** Runs until the signal is aborted. Rejects if it cannot start; what goes wrong later is logged and tried again. */
export async function runController(options: ControllerOptions): Promise<void> {
	const { config, identity, log } = options;
	await using stack = new AsyncDisposableStack();
	const ended = new AbortController();
	const signal = AbortSignal.any([options.signal, ended.signal]);
	const hub = options.openHub(signal);
	const world: World = { cluster: undefined, changed: undefined, wake: () => {} };
	const reviews = countReviews(createAdmission({ cluster: () => world.cluster, random: Math.random }));
	const parts: { webhooks?: Webhooks; leader?: Leader | undefined } = {};
	const isInCharge = (): boolean => config["leader-election"] === "off" || parts.leader?.isLeading() === true;
	const state = (): ControllerState => ({
		identity,
		hub: hub.status(),
		changed: world.changed,
		webhooks: config["webhook-listen"] === "off" ? "off" : (parts.webhooks?.hasCertificate() ?? false),
		isLeading: isInCharge(),
		leader: parts.leader?.holder() ?? "",
		reviews: reviews.counts(),
		policies: world.cluster?.policies.size ?? 0,
	});
	if (config.listen !== "off") {
		const pages = controllerPages(state);
		stack.use(await serve(() => pages, parseListen(config.listen)));
		log.info({ listen: config.listen }, "Listening");
	}
	if (config["webhook-listen"] !== "off") {
		const objects = createObjects(hub.api, signal);
		const source = certificateSource(config, isInCharge);
		const listen = config["webhook-listen"];
		const pace = options.certificatePace === undefined ? {} : { pace: options.certificatePace };
		const now = options.now === undefined ? {} : { now: options.now };
		const { onServing } = options;
		const given = { listen, source, answer: reviews.answer, objects, log, signal, onServing, ...pace, ...now };
		parts.webhooks = stack.use(await openWebhooks(given));
		log.info({ listen }, "Serving webhooks");
	}
	const lead = (held: AbortSignal) =>
		leadUntil(held, { hub, identity, log, world, onStart: () => parts.webhooks?.call() });
	parts.leader = config["leader-election"] === "off" ? undefined : startLease({ ...options, hub, signal, lead });
	const leading = parts.leader?.stopped ?? lead(signal);
	// Whatever ends one part ends the others, before what they stand on is closed.
	const all = [followHub(hub, world), leading, parts.webhooks?.stopped];
	try {
		await Promise.all(all);
	} finally {
		ended.abort();
		await Promise.allSettled(all);
	}
	log.info({}, "Stopped");
}

function certificateSource(config: Config, isInCharge: () => boolean) {
	const folder = config["webhook-cert-dir"];
	if (folder !== undefined) return { kind: "files", folder } as const;
	const namespace = config.namespace;
	const service = config["webhook-service"] ?? `${namespace}/balancing-controller`;
	const [place = "", name = ""] = service.split("/");
	const own = [name, `${name}.${place}`, `${name}.${place}.svc`, `${name}.${place}.svc.cluster.local`];
	return { kind: "secret", namespace, names: [...new Set([...own, ...config["webhook-names"]])], isInCharge } as const;
}

interface Counted {
	readonly answer: (request: WebhookRequest) => WebhookAnswer;
	counts(): ReadonlyMap<string, number>;
}

/** By path and HTTP status. */
function countReviews(answer: (request: WebhookRequest) => WebhookAnswer): Counted {
	const counts = new Map<string, number>();
	return {
		answer(request) {
			const given = answer(request);
			const task = /^\/(validate|mutate)/.exec(request.path)?.[1] ?? "other";
			const key = `${task} ${given.status}`;
			counts.set(key, (counts.get(key) ?? 0) + 1);
			return given;
		},
		counts: () => counts,
	};
}

async function followHub(hub: ApiServerHub, world: World): Promise<void> {
	for await (const cluster of hub) {
		world.cluster = cluster;
		world.changed = new Date();
		world.wake();
	}
}

interface Candidate extends ControllerOptions {
	readonly hub: ApiServerHub;
	readonly lead: (signal: AbortSignal) => Promise<void>;
}

function startLease(options: Candidate): Leader {
	const { config, hub, timing } = options;
	return followLease({
		...options,
		objects: (held) => createObjects(hub.api, held),
		namespace: config.namespace,
		name: LEASE_NAME,
		clock: systemClock,
		random: Math.random,
		...(timing === undefined ? {} : { timing }),
	});
}

interface Leading extends Pick<ControllerOptions, "identity" | "log"> {
	readonly hub: ApiServerHub;
	readonly world: World;
	readonly onStart: () => void;
}

/** Writes conditions and Events until the signal is aborted. */
async function leadUntil(signal: AbortSignal, { hub, identity, log, world, onStart }: Leading): Promise<void> {
	const objects = createObjects(hub.api, signal);
	const events = createEventWriter({ objects, identity, clock: systemClock, log });
	const status = createPolicyStatus({ objects, events, log, signal });
	const runner = createRunner({
		async run(resync) {
			if (resync) status.forget();
			return world.cluster === undefined ? "done" : await status.write(world.cluster);
		},
		shortest: SHORTEST,
		retry: RETRY,
		longest: LONGEST,
		signal,
	});
	world.wake = runner.call;
	runner.call();
	onStart();
	await runner.stopped;
	if (world.wake === runner.call) world.wake = () => {};
}
