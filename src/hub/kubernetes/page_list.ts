// Lists a collection by pages into a listing.

import { field, isRaw } from "../../model/raw.ts";
import { MAX_OBJECT, MAX_PAGES } from "../kinds/limits.ts";
import { type Scope, selectorsOf } from "../kinds/scopes.ts";
import type { Api } from "../request/api.ts";
import { HubError, isExpired } from "../request/hub_error.ts";
import { createListSplitter } from "../request/json_list.ts";
import type { Listing } from "./kind_store.ts";

/** Objects in one page; client-go's number. */
const PAGE = "500";

export interface ListOptions {
	readonly api: Api;
	readonly scope: Scope;
	/** Begins anew, empty. */
	readonly start: () => Listing;
	/** Any state that is not older than this version will do; undefined: only the newest. */
	readonly floor?: string | undefined;
	/** More has come. */
	readonly onBytes: () => void;
	readonly signal: AbortSignal;
}

export interface Listed {
	readonly listing: Listing;
	/** The resourceVersion to watch from. */
	readonly version: string;
}

/**
 * With a floor, in one answer: the API server's watch cache gives it, in every version, while pages cost reads of etcd (until 1.34).
 * Without, the newest state (no resourceVersion) by pages. A continue token that expires on the way would lead to pages of different
 * versions: the list is then read again in one answer. Throws HubError.
 */
export async function listByPages(options: ListOptions): Promise<Listed> {
	const { floor } = options;
	if (floor !== undefined) {
		return await readPages(options, { resourceVersion: floor, resourceVersionMatch: "NotOlderThan" });
	}
	try {
		return await readPages(options, { limit: PAGE });
	} catch (error) {
		if (!isExpired(error)) throw error;
		return await readPages(options, {});
	}
}

async function readPages(options: ListOptions, query: Readonly<Record<string, string>>): Promise<Listed> {
	// A token goes with a limit, not with a version.
	const { limit } = query;
	const rest = limit === undefined ? {} : { limit };
	const listing = options.start();
	let token = "";
	let first: string | undefined;
	let pages = 0;
	do {
		const page = await readPage(options, listing, token === "" ? query : { ...rest, continue: token });
		// Every page has the version of the first.
		first ??= page.version;
		if (page.token !== "" && page.token === token) throw endless(options, "the same page comes again and again");
		if (++pages > MAX_PAGES) throw endless(options, `it has over ${MAX_PAGES} pages`);
		token = page.token;
	} while (token !== "");
	return { listing, version: first };
}

function endless({ scope }: ListOptions, fact: string): HubError {
	return new HubError(`Cannot list ${scope.title}: ${fact}`, { status: 0, reason: "Protocol" });
}

interface Page {
	readonly version: string;
	/** "" after the last page. */
	readonly token: string;
}

/** The collection's present version, for the price of one object. */
export async function readVersion(options: Pick<ListOptions, "api" | "scope" | "signal">): Promise<string> {
	const page = await readPage({ ...options, onBytes() {} }, { put() {} }, { limit: "1" });
	return page.version;
}

async function readPage(
	{ api, scope, onBytes, signal }: Omit<ListOptions, "start">,
	listing: Pick<Listing, "put">,
	query: Readonly<Record<string, string>>,
): Promise<Page> {
	using answer = await api.get({
		path: scope.path,
		query: { ...query, ...selectorsOf(scope) },
		action: `list ${scope.title}`,
		signal,
	});
	const splitter = createListSplitter(MAX_OBJECT);
	for await (const chunk of answer.chunks()) {
		onBytes();
		for (const item of splitter.push(chunk)) listing.put(item);
	}
	signal.throwIfAborted();
	return readFrame(splitter.end(), scope);
}

function readFrame(frame: unknown, scope: Scope): Page {
	const kind = isRaw(frame) ? field(frame, "kind") : undefined;
	const metadata = isRaw(frame) ? field(frame, "metadata") : undefined;
	const version = isRaw(metadata) ? field(metadata, "resourceVersion") : undefined;
	const token = isRaw(metadata) ? (field(metadata, "continue") ?? "") : "";
	if (kind !== `${scope.need.kind}List` || typeof version !== "string" || version === "" || typeof token !== "string") {
		const message = `Cannot list ${scope.title}: the answer is no ${scope.need.kind}List with a resourceVersion`;
		throw new HubError(message, { status: 0, reason: "Protocol" });
	}
	return { version, token };
}
