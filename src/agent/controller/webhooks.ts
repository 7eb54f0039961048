// Serves the webhooks with whatever certificate is current: from the Secret that replicas share, or from files.

import type { WebhookAnswer, WebhookRequest } from "../../admission/admission.ts";
import type { Objects } from "../../hub/request/objects.ts";
import { createAuthority, createServerPair, type KeyPair } from "../../lib/certificate.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { createRunner, type Runner } from "../../lib/runner.ts";
import { createCaBundle } from "./ca_bundle.ts";
import { readCertificateFiles } from "./certificate_files.ts";
import { createCertificateSecret } from "./certificate_secret.ts";
import { serveWebhooks } from "./webhook_server.ts";

export interface Webhooks extends AsyncDisposable {
	/** API servers may trust what is served. */
	hasCertificate(): boolean;
	/** Who renews may be another one now. */
	call(): void;
	/** Settles when the signal is aborted. */
	readonly stopped: Promise<void>;
}

export type CertificateSource =
	| { readonly kind: "files"; readonly folder: string }
	| {
			readonly kind: "secret";
			readonly namespace: string;
			/** DNS names and addresses under which API servers reach it. */
			readonly names: readonly string[];
			/** Whether it is this replica that renews, and tells API servers whom to trust. */
			readonly isInCharge: () => boolean;
	  };

export interface WebhooksOptions {
	/** `:5822` for all addresses, or HOST:PORT. */
	readonly listen: string;
	readonly source: CertificateSource;
	readonly answer: (request: WebhookRequest) => WebhookAnswer;
	readonly objects: Objects;
	readonly log: Log;
	readonly signal: AbortSignal;
	/** It has a certificate that API servers may trust. */
	readonly onServing?: ((port: number) => void) | undefined;
	/** Default: the system's. */
	readonly now?: () => Date;
	readonly pace?: CertificatePace;
}

/** Milliseconds. */
export interface CertificatePace {
	/** Between two looks at the certificate. */
	readonly every: number;
	/** Until all API servers have heard of a new authority: they follow webhook configurations by watches. */
	readonly settle: number;
}

export const CERTIFICATE_PACE: CertificatePace = { every: 30_000, settle: 60_000 };

const RETRY = 2000;
const SHORTEST = 100;
/** Milliseconds. */
const STARTING = 3_600_000;

/** Rejects if the address is taken: it is bound before there is a certificate, with one that nobody trusts. */
export async function openWebhooks(options: WebhooksOptions): Promise<Webhooks> {
	const { source, log, signal, pace = CERTIFICATE_PACE } = options;
	const server = await serveWebhooks({ ...options, pair: strangersPair() });
	let current: KeyPair | undefined;
	let complained = "";

	function use(pair: KeyPair): void {
		if (pair.certificate === current?.certificate && pair.key === current.key) return;
		server.use(pair);
		if (current === undefined) options.onServing?.(server.port);
		else log.info({}, "The webhooks have another certificate");
		current = pair;
	}

	const refresh = source.kind === "files" ? filesRefresher(source.folder, use) : secretRefresher(options, source, use);

	async function run(): Promise<"done" | "again"> {
		try {
			const result = await refresh();
			complained = "";
			return result;
		} catch (err) {
			if (!signal.aborted && String(err) !== complained) log.warn({ err }, "Cannot refresh the webhooks' certificate");
			complained = String(err);
			return "again";
		}
	}

	const runner: Runner = createRunner({ run, shortest: SHORTEST, retry: RETRY, longest: pace.every, signal });
	runner.call();
	return {
		hasCertificate: () => current !== undefined,
		call: runner.call,
		stopped: runner.stopped,
		[Symbol.asyncDispose]: server[Symbol.asyncDispose],
	};
}

/** An authority that nobody knows vouches for it. */
function strangersPair(): KeyPair {
	const now = Date.now();
	const validity = { from: new Date(now - STARTING), until: new Date(now + STARTING) };
	return createServerPair(["starting"], validity, { name: "starting", ...createAuthority("starting", validity) });
}

type Refresher = () => Promise<"done" | "again">;

function filesRefresher(folder: string, use: (pair: KeyPair) => void): Refresher {
	return async () => {
		use(await readCertificateFiles(folder));
		return "done";
	};
}

function secretRefresher(
	{ objects, log, now = () => new Date(), pace = CERTIFICATE_PACE }: WebhooksOptions,
	{ namespace, names, isInCharge }: Extract<CertificateSource, { kind: "secret" }>,
	use: (pair: KeyPair) => void,
): Refresher {
	const secret = createCertificateSecret({ objects, namespace, names, now });
	const bundle = createCaBundle(log);
	/** The authority that API servers have been told to trust, and since when. */
	let told = { authority: "", at: 0 };
	const isTrusted = (authority: string): boolean =>
		authority === told.authority && systemClock.now() >= told.at + pace.settle;

	return async () => {
		const mayRenew = isInCharge();
		const { pair, bundle: all, newest } = await secret.refresh({ mayRenew, isTrusted });
		use(pair);
		if (all === undefined || !mayRenew) return "done";
		if (!(await bundle.tell(all, objects))) return "again";
		if (told.authority !== newest) told = { authority: newest, at: systemClock.now() };
		return "done";
	};
}
