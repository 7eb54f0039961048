// The Secret that all replicas serve the webhooks with: made by whoever comes first, renewed by the leader.

import { Buffer } from "node:buffer";
import { isConflict, type ObjectPlace, type Objects } from "../../hub/request/objects.ts";
import { type KeyPair, readCertificate, splitCertificates } from "../../lib/certificate.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import { type Certificates, nextCertificates } from "./certificates.ts";

export interface CertificateSecret {
	/** Makes and renews what has to be; returns what to serve with. Throws HubError. */
	refresh(asked: Refreshing): Promise<Served>;
}

export interface Refreshing {
	/** Whoever leads renews what is not urgent. */
	readonly mayRenew: boolean;
	/** API servers trust this authority. */
	isTrusted(authority: string): boolean;
}

export interface Served {
	readonly pair: KeyPair;
	/** PEM of all that API servers are to trust; undefined if somebody else made the certificates, and tells them. */
	readonly bundle: string | undefined;
	/** The first of the bundle. */
	readonly newest: string;
}

export interface CertificateSecretOptions {
	readonly objects: Objects;
	readonly namespace: string;
	readonly names: readonly string[];
	readonly now: () => Date;
}

export const SECRET_NAME = "balancing-webhook-certs";
/** Replicas that start together. */
const TRIES = 10;

export function createCertificateSecret(options: CertificateSecretOptions): CertificateSecret {
	const { objects, namespace, names, now } = options;
	const place: ObjectPlace = { kind: "Secret", apiVersion: "v1", resource: "secrets", namespace, name: SECRET_NAME };

	/** Undefined if somebody else was faster. */
	async function write(before: Raw | undefined, certificates: Certificates): Promise<Served | undefined> {
		const secret = { type: "kubernetes.io/tls", data: encode(certificates) };
		try {
			if (before === undefined) await objects.create(place, secret);
			else await objects.replace(place, { ...before, data: secret.data });
			return servedOf(certificates);
		} catch (error) {
			if (isConflict(error)) return undefined;
			throw error;
		}
	}

	/** Undefined if somebody else was faster. */
	async function attempt({ mayRenew, isTrusted }: Refreshing): Promise<Served | undefined> {
		const secret = await objects.get(place);
		const data = textsOf(secret);
		const foreign = foreignPair(data);
		if (foreign !== undefined) return { pair: foreign, bundle: undefined, newest: "" };
		const stored = secret === undefined ? undefined : decode(data);
		const next = nextCertificates(stored, { names, now: now(), isTrusted: isTrusted(stored?.authorities[0] ?? "") });
		if (next !== undefined && (next.isUrgent || mayRenew)) return await write(secret, next.certificates);
		return stored === undefined ? undefined : servedOf(stored);
	}

	return {
		async refresh(asked) {
			for (let tries = 0; tries < TRIES; tries++) {
				const served = await attempt(asked);
				if (served !== undefined) return served;
			}
			throw new Error(`Cannot keep Secret ${namespace}/${SECRET_NAME}: others change it all the time`);
		},
	};
}

function servedOf({ authorities, server }: Certificates): Served {
	return { pair: server, bundle: authorities.join(""), newest: authorities[0] ?? "" };
}

/** A certificate without its authority's key: cert-manager, or a person, takes care of it. */
function foreignPair(data: ReadonlyMap<string, string>): KeyPair | undefined {
	const [certificate = "", key = ""] = [data.get("tls.crt"), data.get("tls.key")];
	const isForeign = certificate !== "" && (data.get("ca.key") ?? "") === "";
	return isForeign && readCertificate(certificate)?.isOf(key) === true ? { certificate, key } : undefined;
}

function textsOf(secret: Raw | undefined): ReadonlyMap<string, string> {
	const data = secret === undefined ? undefined : field(secret, "data");
	const entries = isRaw(data) ? Object.entries(data) : [];
	return new Map(entries.map(([key, value]) => [key, Buffer.from(String(value), "base64").toString("utf8")]));
}

function decode(data: ReadonlyMap<string, string>): Certificates {
	const text = (key: string): string => data.get(key) ?? "";
	return {
		authorities: splitCertificates(text("ca.crt")),
		authorityKey: text("ca.key"),
		server: { certificate: text("tls.crt"), key: text("tls.key") },
	};
}

function encode({ authorities, authorityKey, server }: Certificates): Raw {
	const base64 = (text: string): string => Buffer.from(text).toString("base64");
	return {
		"ca.crt": base64(authorities.join("")),
		"ca.key": base64(authorityKey),
		"tls.crt": base64(server.certificate),
		"tls.key": base64(server.key),
	};
}
