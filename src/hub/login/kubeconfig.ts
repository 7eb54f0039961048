// kubeconfig files -> the cluster and the user of one context, as they stand there.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { errorCode } from "../../lib/error_code.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";

/** A named entry and the folder that relative paths in it start from. */
export interface ConfigEntry {
	readonly name: string;
	readonly fields: Raw;
	readonly folder: string;
}

export interface ChosenContext {
	readonly context: string;
	readonly cluster: ConfigEntry;
	/** Undefined if the context names none: an anonymous user. */
	readonly user: ConfigEntry | undefined;
}

type Section = "clusters" | "users" | "contexts";
const SINGULAR = { clusters: "cluster", users: "user", contexts: "context" } as const;

/**
 * Reads the files as kubectl does: the first that says something about a name wins, files that do not exist are passed over as long
 * as one does. Errors name the file, the context, the entry and the fix.
 */
export async function readKubeconfig(files: readonly string[], context?: string): Promise<ChosenContext> {
	const documents = await readAll(files);
	const title = files.join(":");
	const wanted = context ?? currentContext(documents);
	if (wanted === undefined) {
		throw new Error(`Cannot use kubeconfig ${title}: it has no current-context; give --context NAME`);
	}
	const entry = find(documents, "contexts", wanted);
	if (entry === undefined) {
		throw new Error(`Cannot use context ${wanted} of ${title}: no such context; ${offer(documents, "contexts")}`);
	}
	const where = `Cannot use context ${wanted} of ${title}`;
	const clusterName = textOf(entry.fields, "cluster");
	if (clusterName === undefined) throw new Error(`${where}: it names no cluster; set context.cluster`);
	const cluster = find(documents, "clusters", clusterName);
	if (cluster === undefined) {
		throw new Error(`${where}: there is no cluster ${clusterName}; ${offer(documents, "clusters")}`);
	}
	const userName = textOf(entry.fields, "user");
	const user = userName === undefined ? undefined : find(documents, "users", userName);
	if (userName !== undefined && user === undefined) {
		throw new Error(`${where}: there is no user ${userName}; ${offer(documents, "users")}`);
	}
	return { context: wanted, cluster, user };
}

interface ConfigDocument {
	readonly file: string;
	readonly content: Raw;
}

async function readAll(files: readonly string[]): Promise<readonly ConfigDocument[]> {
	const documents: ConfigDocument[] = [];
	let missing: unknown;
	for (const file of files) {
		try {
			documents.push({ file, content: parse(file, await readFile(file, "utf8")) });
		} catch (cause) {
			if (files.length === 1 || errorCode(cause) !== "ENOENT") throw unreadable(file, cause);
			missing = cause;
		}
	}
	if (documents.length === 0) throw unreadable(files.join(":"), missing);
	return documents;
}

function unreadable(file: string, cause: unknown): Error {
	const code = errorCode(cause);
	const hint = code === "ENOENT" ? " (give the right path with --kubeconfig)" : "";
	return new Error(`Cannot read kubeconfig ${file}: ${code.split("\n")[0]}${hint}`, { cause });
}

function parse(file: string, text: string): Raw {
	const content: unknown = parseYaml(text, { maxAliasCount: 0 }) ?? {};
	if (!isRaw(content)) throw new Error(`it is no kubeconfig; write one with kubectl config, as ${file}`);
	return content;
}

function currentContext(documents: readonly ConfigDocument[]): string | undefined {
	for (const { content } of documents) {
		const name = textOf(content, "current-context");
		if (name !== undefined) return name;
	}
	return undefined;
}

function entriesOf(documents: readonly ConfigDocument[], section: Section): readonly ConfigEntry[] {
	return documents.flatMap(({ file, content }) => {
		const list = field(content, section);
		const folder = dirname(resolve(file));
		return (Array.isArray(list) ? list : []).flatMap((entry) => readEntry(entry, section, folder));
	});
}

function readEntry(entry: unknown, section: Section, folder: string): readonly ConfigEntry[] {
	const name = isRaw(entry) ? textOf(entry, "name") : undefined;
	const fields = isRaw(entry) ? field(entry, SINGULAR[section]) : undefined;
	return name === undefined ? [] : [{ name, fields: isRaw(fields) ? fields : {}, folder }];
}

function find(documents: readonly ConfigDocument[], section: Section, name: string): ConfigEntry | undefined {
	return entriesOf(documents, section).find((entry) => entry.name === name);
}

function offer(documents: readonly ConfigDocument[], section: Section): string {
	const names = [...new Set(entriesOf(documents, section).map(({ name }) => name))];
	return names.length === 0 ? `it has no ${section}` : `it has ${names.join(", ")}`;
}

/** A field that is a text and not empty. */
export function textOf(fields: Raw, key: string): string | undefined {
	const value = field(fields, key);
	return typeof value === "string" && value !== "" ? value : undefined;
}
