// Users whose credentials a program gives: @kubernetes/client-node knows how to ask it, and is loaded only for them.

import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import type { Access } from "../request/access.ts";
import { type ChosenContext, type ConfigEntry, textOf } from "./kubeconfig.ts";

type Given = Pick<Access, "tls" | "headers">;

/** Asks for the credentials; each call of the result may run the program, if what it gave last has expired. */
export function createPlugin(chosen: ChosenContext, url: string): () => Promise<Given> {
	let asker: Promise<Asker> | undefined;
	let asking: Promise<Given> | undefined;

	async function ask(): Promise<Given> {
		try {
			asker ??= loadAsker(chosen, url);
			return await (await asker)();
		} catch (cause) {
			const what = describePlugin(chosen.user?.fields ?? {});
			const fact = cause instanceof Error ? cause.message.trim() : String(cause);
			throw new Error(`Cannot get credentials for context ${chosen.context} from ${what}: ${fact}`, { cause });
		} finally {
			asking = undefined;
		}
	}

	// Who asks while a program runs gets what that one gives; a program that hangs hangs once.
	return () => {
		asking ??= ask();
		return asking;
	};
}

type Asker = () => Promise<Given>;

async function loadAsker({ cluster, user }: ChosenContext, url: string): Promise<Asker> {
	const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
	const config = new KubeConfig();
	config.loadFromOptions({
		// It refuses plain HTTP, and it shall make no connections: only what it adds to the options is used.
		clusters: [{ name: "cluster", server: "https://unused.invalid", skipTLSVerify: false }],
		users: [
			{
				name: "user",
				exec: user && execOf(user, cluster, url),
			},
		],
		contexts: [{ name: "context", cluster: "cluster", user: "user" }],
		currentContext: "context",
	});
	return async () => {
		const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {};
		await config.applyToHTTPSOptions(options);
		const { cert, key } = options;
		const headers = new Map(Object.entries(options.headers ?? {}));
		const authorization = headers.get("Authorization");
		return {
			tls: isPem(cert) && isPem(key) ? { cert, key } : {},
			headers: typeof authorization === "string" ? { authorization } : {},
		};
	};
}

function isPem(value: unknown): value is string | Buffer {
	return typeof value === "string" || Buffer.isBuffer(value);
}

/** The entry with a path that does not depend on our folder, and with what client-go tells plugins. */
function execOf({ fields, folder }: ConfigEntry, cluster: ConfigEntry, url: string): Raw | undefined {
	const exec = field(fields, "exec");
	if (!isRaw(exec)) return undefined;
	const command = textOf(exec, "command") ?? "";
	const env = field(exec, "env");
	return {
		...exec,
		command: command.includes("/") ? resolve(folder, command) : command,
		env: [...(Array.isArray(env) ? env : []), { name: "KUBERNETES_EXEC_INFO", value: execInfo(exec, cluster, url) }],
	};
}

/** client.authentication.k8s.io ExecCredential, the request; the cluster only if the user wants the plugin to know it. */
function execInfo(exec: Raw, { fields }: ConfigEntry, url: string): string {
	const ca = textOf(fields, "certificate-authority-data");
	const cluster = { server: url, ...(ca === undefined ? {} : { "certificate-authority-data": ca }) };
	return JSON.stringify({
		apiVersion: textOf(exec, "apiVersion") ?? "client.authentication.k8s.io/v1",
		kind: "ExecCredential",
		spec: { interactive: false, ...(field(exec, "provideClusterInfo") === true ? { cluster } : {}) },
	});
}

function describePlugin(fields: Raw): string {
	const exec = field(fields, "exec");
	return `the program ${(isRaw(exec) && textOf(exec, "command")) || "(none is named)"}`;
}
