// The containers of a Pod that have been started: which name belongs to which id of the runtime.

import { field, isRaw, ownString, type Raw } from "./raw.ts";

/** Fields of a Pod's status in which containers are. */
const LISTS = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] as const;
const NAME = /^[a-z0-9-]{1,63}$/;
/** `containerd://<id>`; without what is in front, too. */
const ID = /^(?:[\w.+-]+:\/\/)?([\w.-]{1,128})$/;

/**
 * `<id> <name>` of each, with a blank between them: one text takes a fraction of the memory of as many objects. "" if none has
 * been started. Kubelets alone write these fields: what is not as they do is left out without a word.
 */
export function readContainers(status: Raw): string {
	const pairs = LISTS.flatMap((key) => {
		const list = field(status, key);
		return Array.isArray(list) ? list.flatMap(readContainer) : [];
	});
	return ownString(pairs.join(" "));
}

function readContainer(raw: unknown): readonly string[] {
	if (!isRaw(raw)) return [];
	const [name, text] = [field(raw, "name"), field(raw, "containerID")];
	if (typeof name !== "string" || !NAME.test(name) || typeof text !== "string") return [];
	const [, id] = ID.exec(text) ?? [];
	return id === undefined ? [] : [`${id} ${name}`];
}

/** Names by id, of what readContainers() gave. */
export function containersIn(text: string): ReadonlyMap<string, string> {
	const words = text.split(" ");
	const names = new Map<string, string>();
	for (let at = 0; at + 1 < words.length; at += 2) names.set(words[at] ?? "", words[at + 1] ?? "");
	return names;
}
