// Who we are to an API server and how it is reached: from kubeconfig files, or from what a Pod is given.

import type { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { errorCode } from "../../lib/error_code.ts";
import type { Log } from "../../lib/log.ts";
import { type AccessSource, type Credentials, clusterOf } from "../request/access.ts";
import { type ProxyEnvironment, proxyFor } from "../request/proxy.ts";
import { readKubeconfig } from "./kubeconfig.ts";
import { accessOfContext } from "./kubeconfig_access.ts";
import { createOidcLogin, type OidcLogin } from "./oidc.ts";

/** Where a Pod finds its token and the cluster's CA. */
export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Files are read again after this time: tokens and certificates rotate. Milliseconds; client-go has the same for tokens. */
const FRESH = 60_000;

export type CredentialSource =
	/** As in $KUBECONFIG, several files may make one configuration. */
	| { readonly kind: "kubeconfig"; readonly files: readonly string[]; readonly context?: string | undefined }
	/** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; `folder` holds token and ca.crt. */
	| {
			readonly kind: "in-cluster";
			readonly host?: string | undefined;
			readonly port?: string | undefined;
			readonly folder?: string;
	  };

export interface CredentialOptions {
	readonly source: CredentialSource;
	/** HOST:PORT to connect to instead; the certificate must still be for the name that the source gives. */
	readonly apiServer?: string | undefined;
	readonly proxies: ProxyEnvironment;
	readonly log: Log;
	readonly clock: Clock;
	/** Ends what is being asked of others. */
	readonly signal: AbortSignal;
}

export function createCredentials(options: CredentialOptions): Credentials {
	const { source, log, clock } = options;
	const name = nameSource(source);
	const oidc = createOidcLogin(options);
	let read: AccessSource | undefined;
	let readAt = 0;
	let stale = true;
	let reading: Promise<AccessSource> | undefined;
	let accessed: string | undefined;

	async function refresh(): Promise<AccessSource> {
		try {
			read = redirect(await readSource(options, oidc), options);
			stale = false;
		} catch (error) {
			// A file that is being replaced: what was good is tried until it is refused.
			if (read === undefined) throw error;
			log.warn({ err: error, credentials: name }, "Cannot read the credentials again, the old ones are used");
		}
		readAt = clock.now();
		return read;
	}

	/** Once for all who ask at the same time. */
	async function current(): Promise<AccessSource> {
		if (read !== undefined && !stale && clock.now() - readAt < FRESH) return read;
		reading ??= refresh().finally(() => {
			reading = undefined;
		});
		return await reading;
	}

	return {
		name,
		async access() {
			const { plugin, cluster, ...access } = await current();
			accessed = cluster;
			if (plugin === undefined) return access;
			const { tls, headers } = await plugin();
			return { ...access, tls: { ...access.tls, ...tls }, headers: { ...access.headers, ...headers } };
		},
		identify: async () => (await current()).cluster,
		accessed: () => accessed,
		renew() {
			stale = true;
			oidc.refuse();
		},
	};
}

/** `context NAME of FILE` or `in-cluster`. */
export function nameSource(source: CredentialSource): string {
	if (source.kind === "in-cluster") return "in-cluster";
	const context = source.context === undefined ? "current context" : `context ${source.context}`;
	return `${context} of ${source.files.join(":")}`;
}

async function readSource({ source, apiServer }: CredentialOptions, oidc: OidcLogin): Promise<AccessSource> {
	if (source.kind === "kubeconfig") return accessOfContext(await readKubeconfig(source.files, source.context), oidc);
	const { host, port, folder = SERVICE_ACCOUNT } = source;
	const address = host && port ? `${isIPv6(host) ? `[${host}]` : host}:${port}` : apiServer;
	if (address === undefined) {
		throw new Error(
			"Cannot find the API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set (give --api-server HOST:PORT, or --kubeconfig FILE)",
		);
	}
	const token = (await readNeeded(join(folder, "token"))).toString().trim();
	const ca = await readNeeded(join(folder, "ca.crt"));
	const url = `https://${address}`;
	const headers = { authorization: `Bearer ${token}` };
	return { url, tls: { ca }, headers, proxy: undefined, cluster: clusterOf(url, ca) };
}

async function readNeeded(file: string): Promise<Buffer> {
	try {
		return await readFile(file);
	} catch (cause) {
		const hint = "is the Pod's service account token mounted?";
		throw new Error(`Cannot read ${file}: ${errorCode(cause)} (${hint})`, { cause });
	}
}

/** The address to connect to, the name to expect there, and the way. */
function redirect(access: AccessSource, { apiServer, proxies }: CredentialOptions): AccessSource {
	const given = new URL(access.url);
	const url = new URL(access.url);
	if (apiServer !== undefined) url.host = apiServer;
	// Setting a host without a port keeps the old port; HOST:PORT is what is asked for.
	const serverName = access.tls.serverName ?? given.hostname.replace(/^\[|\]$/g, "");
	const tls = apiServer === undefined ? access.tls : { ...access.tls, serverName };
	const clean = url.href.replace(/\/+$/, "");
	return { ...access, url: clean, tls, proxy: access.proxy ?? proxyFor(clean, proxies) };
}
