// Asks a MetaServer for a collection in one answer, whatever it calls it.

import { field, isRaw } from "../../model/raw.ts";
import { MAX_OBJECT } from "../kinds/limits.ts";
import { type Scope, selectorsOf } from "../kinds/scopes.ts";
import type { Api } from "../request/api.ts";
import { HubError } from "../request/hub_error.ts";
import { createListSplitter } from "../request/json_list.ts";

export interface WholeListOptions {
	readonly api: Api;
	readonly scope: Scope;
	readonly onItem: (item: unknown) => void;
	/** More has come. */
	readonly onBytes: () => void;
	readonly signal: AbortSignal;
}

/** The list without its items. Neither its kind nor a resourceVersion is asked for. Throws HubError if it is no list. */
export async function readWholeList({ api, scope, onItem, onBytes, signal }: WholeListOptions): Promise<unknown> {
	using answer = await api.get({
		path: scope.path,
		query: { ...selectorsOf(scope) },
		action: `list ${scope.title}`,
		signal,
	});
	const splitter = createListSplitter(MAX_OBJECT);
	for await (const chunk of answer.chunks()) {
		onBytes();
		for (const item of splitter.push(chunk)) onItem(item);
	}
	signal.throwIfAborted();
	const frame = splitter.end();
	if (!isList(frame)) {
		const message = `Cannot list ${scope.title}: the answer is no list (is a MetaServer there?)`;
		throw new HubError(message, { status: 0, reason: "Protocol" });
	}
	return frame;
}

/** Wrong kinds are known, as EndpointslicList; Go writes null for an empty list. */
function isList(frame: unknown): boolean {
	if (!isRaw(frame)) return false;
	const kind = field(frame, "kind") ?? "List";
	const items = field(frame, "items");
	return typeof kind === "string" && kind.endsWith("List") && (items === null || Array.isArray(items));
}
