// Certificates for the test hub, made by openssl when they are needed; nothing of them is in the repository.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../command.ts";

export interface PemPair {
	/** PEM. */
	readonly certificate: string;
	readonly key: string;
}

export interface Authority extends PemPair {
	/** A server's certificate for these addresses (IP:127.0.0.1, DNS:localhost). */
	server(names: readonly string[]): PemPair;
	/** A client's: the common name is the user, the organisations are the groups. */
	client(user: string, groups: readonly string[]): PemPair;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const DAYS = ["-days", "2"];

/** A new certificate authority. */
export function createAuthority(name: string): Authority {
	const own = inFolder((folder) => {
		const [certificate, key] = [join(folder, "ca.crt"), join(folder, "ca.key")];
		const extension = ["-addext", "basicConstraints=critical,CA:TRUE"];
		must(
			"openssl",
			"req",
			"-x509",
			...KEY,
			"-keyout",
			key,
			"-out",
			certificate,
			...DAYS,
			"-subj",
			`/CN=${name}`,
			...extension,
		);
		return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
	});
	return {
		...own,
		server: (names) =>
			sign(own, "/CN=kube-apiserver", [`subjectAltName=${names.join(",")}`, "extendedKeyUsage=serverAuth"]),
		client: (user, groups) =>
			sign(own, `${groups.map((group) => `/O=${escapeName(group)}`).join("")}/CN=${escapeName(user)}`, [
				"extendedKeyUsage=clientAuth",
			]),
	};
}

let shared: Authority | undefined;

/** The authority of hubs that do not ask for their own: one per process, as keys cost time. */
export function sharedAuthority(): Authority {
	shared ??= createAuthority("balancing-test-hub");
	return shared;
}

const signed = new Map<string, PemPair>();

/** The same pair again for the same wish of the same authority. */
export function cachedClient(authority: Authority, user: string, groups: readonly string[]): PemPair {
	const wish = [authority.certificate, user, ...groups].join("\n");
	const pair = signed.get(wish) ?? authority.client(user, groups);
	signed.set(wish, pair);
	return pair;
}

export function cachedServer(authority: Authority, names: readonly string[]): PemPair {
	const wish = [authority.certificate, ...names].join("\n");
	const pair = signed.get(wish) ?? authority.server(names);
	signed.set(wish, pair);
	return pair;
}

function sign(authority: PemPair, subject: string, extensions: readonly string[]): PemPair {
	return inFolder((folder) => {
		const file = (name: string, text?: string) => {
			const path = join(folder, name);
			if (text !== undefined) writeFileSync(path, text, { mode: 0o600 });
			return path;
		};
		const [key, request, certificate] = [file("key"), file("request"), file("certificate")];
		must("openssl", "req", "-new", ...KEY, "-keyout", key, "-out", request, "-subj", subject);
		const issuer = [
			"-CA",
			file("ca", authority.certificate),
			"-CAkey",
			file("ca.key", authority.key),
			"-CAcreateserial",
		];
		const extension = ["-extfile", file("extensions", extensions.join("\n"))];
		must("openssl", "x509", "-req", "-in", request, ...issuer, "-out", certificate, ...DAYS, ...extension);
		return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
	});
}

function escapeName(text: string): string {
	return text.replace(/[\\/+=]/g, "\\$&");
}

function inFolder<T>(use: (folder: string) => T): T {
	const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-hub-`));
	try {
		return use(folder);
	} finally {
		rmSync(folder, { recursive: true });
	}
}
