// A context of a kubeconfig -> address, TLS and headers.

import { Buffer } from "node:buffer";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import { type AccessSource, clusterOf } from "../request/access.ts";
import type { Tls } from "../request/http.ts";
import { createPlugin } from "./auth_plugin.ts";
import { readAuthProvider } from "./auth_provider.ts";
import { fileOrData, readNamed } from "./entry_file.ts";
import { type ChosenContext, type ConfigEntry, textOf } from "./kubeconfig.ts";
import type { OidcLogin } from "./oidc.ts";

/** Reads the files that the context points to. Throws Error that names the entry, the field and the fix. */
export async function accessOfContext(chosen: ChosenContext, oidc: OidcLogin): Promise<AccessSource> {
	const { cluster, user } = chosen;
	const url = serverOf(cluster);
	const authority = await clusterTls(cluster);
	const tls = { ...authority, ...(user === undefined ? {} : await userTls(user)) };
	const headers = user === undefined ? {} : await userHeaders(user);
	const access = { url, tls, headers, proxy: proxyOf(cluster), cluster: clusterOf(url, authority.ca) };
	const plugin = user === undefined ? undefined : await pluginOf(user, chosen, oidc);
	return plugin === undefined ? access : { ...access, plugin };
}

function serverOf({ name, fields }: ConfigEntry): string {
	const server = textOf(fields, "server");
	if (server === undefined) throw new Error(`Cannot use cluster ${name}: it has no server; set cluster.server`);
	const url = URL.canParse(server) ? new URL(server) : undefined;
	if (url?.protocol !== "https:" && url?.protocol !== "http:") {
		throw new Error(`Cannot use cluster ${name}: server ${server} is no URL; write it as https://HOST:PORT`);
	}
	return server.replace(/\/+$/, "");
}

function proxyOf({ name, fields }: ConfigEntry): string | undefined {
	const proxy = textOf(fields, "proxy-url");
	if (proxy === undefined) return undefined;
	if (/^https?:\/\//.test(proxy) && URL.canParse(proxy)) return proxy;
	throw new Error(`Cannot use cluster ${name}: proxy-url ${proxy} is not supported; use http://HOST:PORT`);
}

async function clusterTls(entry: ConfigEntry): Promise<Tls> {
	const ca = await fileOrData(entry, "certificate-authority");
	const serverName = textOf(entry.fields, "tls-server-name");
	return {
		...(ca === undefined ? {} : { ca }),
		...(serverName === undefined ? {} : { serverName }),
		...(field(entry.fields, "insecure-skip-tls-verify") === true ? { insecure: true } : {}),
	};
}

async function userTls(entry: ConfigEntry): Promise<Tls> {
	const cert = await fileOrData(entry, "client-certificate");
	const key = await fileOrData(entry, "client-key");
	if ((cert === undefined) !== (key === undefined)) {
		const [has, lacks] =
			cert === undefined ? ["client-key", "client-certificate"] : ["client-certificate", "client-key"];
		throw new Error(`Cannot use user ${entry.name}: it has a ${has} and no ${lacks}; give both`);
	}
	return cert === undefined || key === undefined ? {} : { cert, key };
}

async function userHeaders(entry: ConfigEntry): Promise<Readonly<Record<string, string>>> {
	const { fields } = entry;
	const impersonated = impersonation(fields);
	const tokenFile = textOf(fields, "tokenFile");
	const token =
		tokenFile === undefined ? textOf(fields, "token") : (await readNamed(entry, "tokenFile", tokenFile)).toString();
	if (token !== undefined) return { ...impersonated, authorization: `Bearer ${token.trim()}` };
	const username = textOf(fields, "username");
	if (username === undefined) return impersonated;
	const basic = Buffer.from(`${username}:${textOf(fields, "password") ?? ""}`).toString("base64");
	return { ...impersonated, authorization: `Basic ${basic}` };
}

function impersonation(fields: Raw): Readonly<Record<string, string>> {
	const as = textOf(fields, "as");
	return as === undefined ? {} : { "impersonate-user": as };
}

/** Asks for the credentials that are not in the kubeconfig itself. */
async function pluginOf(user: ConfigEntry, chosen: ChosenContext, oidc: OidcLogin): Promise<AccessSource["plugin"]> {
	if (isRaw(field(user.fields, "exec"))) return createPlugin(chosen, serverOf(chosen.cluster));
	const provider = field(user.fields, "auth-provider");
	// As in client-go, which leaves a request alone that has its token.
	const isSaid = ["token", "tokenFile", "username"].some((key) => textOf(user.fields, key) !== undefined);
	if (isSaid || !isRaw(provider)) return undefined;
	const settings = await readAuthProvider(user, provider);
	return async () => ({ tls: {}, headers: { authorization: `Bearer ${await oidc.token(settings)}` } });
}
