// The hub's users, their credentials, and kubeconfigs for them.

import { Buffer } from "node:buffer";
import { stringify } from "yaml";
import type { Access, Rule } from "./access.ts";
import {
	type Authority,
	cachedClient,
	cachedServer,
	createAuthority,
	type PemPair,
	sharedAuthority,
} from "./certificates.ts";

export interface UserOptions {
	/** system:masters may do everything. */
	readonly groups?: readonly string[];
	readonly credentials?: "certificate" | "token";
	/** Absent: everything for system:masters, nothing for others. */
	readonly rules?: readonly Rule[];
}

export interface Credentials {
	/** PEM of who signed the server's certificate. */
	readonly authority: string;
	readonly certificate?: string;
	readonly key?: string;
	readonly token?: string;
}

export interface KubeconfigOptions {
	/** Default: admin. */
	readonly user?: string;
	/** The name of cluster and context. */
	readonly name?: string;
	/** Read the token from this file instead of the kubeconfig. */
	readonly tokenFile?: string;
	readonly server?: string;
}

export interface Users {
	add(name: string, options: UserOptions): void;
	credentials(name: string): Credentials;
	/** A new token or certificate; the old one is refused. */
	rotate(name: string): Credentials;
	/** The user's certificate and tokens are refused: 401. */
	revoke(name: string): void;
	kubeconfig(server: string, options: KubeconfigOptions): string;
	/** The server's certificate now. */
	serverPair(): PemPair;
	/** Who may have signed a client's certificate. */
	authorities(): readonly string[];
	/** Another authority signs the server and the clients from now on; clients of the old ones are taken still, or not. */
	changeAuthority(forgetOld: boolean): void;
}

export function createUsers(access: Access, host: string): Users {
	interface Known {
		readonly options: UserOptions;
		token?: string;
		pair?: PemPair;
	}
	const users = new Map<string, Known>();
	let authority: Authority = sharedAuthority();
	let authorities: readonly string[] = [authority.certificate];
	const known = (name: string): Known => {
		const user = users.get(name);
		if (user === undefined)
			throw new Error(`Cannot find the hub's user ${name}: it has ${[...users.keys()].join(", ")}`);
		return user;
	};
	const groupsOf = ({ options }: Known) => options.groups ?? [];
	const credentials = (name: string): Credentials => {
		const user = known(name);
		if (user.options.credentials === "token") {
			user.token ??= access.issueToken({ name, groups: groupsOf(user) });
			return { authority: authority.certificate, token: user.token };
		}
		const pair = user.pair ?? cachedClient(authority, name, groupsOf(user));
		user.pair = pair;
		return { authority: authority.certificate, certificate: pair.certificate, key: pair.key };
	};
	const names = [/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`, "DNS:localhost", "IP:127.0.0.1"];
	return {
		add(name, options) {
			users.set(name, { options });
			if (options.rules !== undefined) access.setRules(name, options.rules);
		},
		credentials,
		rotate(name) {
			const user = known(name);
			const old = user.pair;
			access.revokeTokens(name);
			delete user.token;
			if (old !== undefined) {
				access.revokeCertificate(old.certificate);
				user.pair = authority.client(name, groupsOf(user));
			}
			return credentials(name);
		},
		revoke(name) {
			access.revokeTokens(name);
			const { pair } = known(name);
			if (pair !== undefined) access.revokeCertificate(pair.certificate);
		},
		kubeconfig(server, { user = "admin", name = "test", tokenFile, server: other }) {
			const { authority: signer, certificate, key, token } = credentials(user);
			const base64 = (text: string) => Buffer.from(text).toString("base64");
			const login =
				certificate === undefined || key === undefined
					? tokenFile === undefined
						? { token }
						: { tokenFile }
					: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) };
			return stringify({
				apiVersion: "v1",
				kind: "Config",
				clusters: [{ name, cluster: { server: other ?? server, "certificate-authority-data": base64(signer) } }],
				users: [{ name: user, user: login }],
				contexts: [{ name, context: { cluster: name, user } }],
				"current-context": name,
			});
		},
		serverPair: () => cachedServer(authority, names),
		authorities: () => authorities,
		changeAuthority(forgetOld) {
			authority = createAuthority("balancing-test-hub-next");
			authorities = forgetOld ? [authority.certificate] : [authority.certificate, ...authorities];
			for (const user of users.values()) delete user.pair;
		},
	};
}
