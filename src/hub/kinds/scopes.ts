// Which collections of a hub are listed and watched: a kind, in all namespaces, in one, or in none, all of it or what is selected.

import type { Need } from "./needs.ts";

/** One list and watch: a kind, in all namespaces, in one, or in none. */
export interface Scope {
	readonly need: Need;
	readonly namespace: string | undefined;
	/** The collection's path. */
	readonly path: string;
	readonly labelSelector: string;
	/** Only Pods of this node. */
	readonly onNode: string | undefined;
	/** `Services in demo`, `Pods on n1`, for people; no two of a hub have the same. */
	readonly title: string;
}

export interface Narrowing {
	/** Empty: all. */
	readonly namespaces: readonly string[];
	/** A label selector for Services; "" for all. */
	readonly selector: string;
}

/** What to watch in any case. */
export function scopesOf(needs: readonly Need[], narrowing: Narrowing): readonly Scope[] {
	return needs.flatMap((need) => {
		const { labels, extent, selectable } = need;
		if (extent.kind === "selected") return [];
		const { selector } = narrowing;
		const labelSelector = [...labels, ...(selectable && selector !== "" ? [selector] : [])].join(",");
		const onNode = extent.kind === "onNode" ? extent.nodeName : undefined;
		return placesOf(need, narrowing).map(({ inside, ...place }) => ({
			need,
			...place,
			labelSelector,
			onNode,
			title: `${titleOf(need)}${inside}${onNode === undefined ? "" : ` on ${onNode}`}`,
		}));
	});
}

/** The Pods that a selector, as text, selects: in as many collections as there are namespaces. */
export function selectedScopes(need: Need, labelSelector: string, narrowing: Narrowing): readonly Scope[] {
	return placesOf(need, narrowing).map(({ inside, ...place }) => ({
		need,
		...place,
		labelSelector,
		onNode: undefined,
		title: `${need.kind}s${inside} with ${labelSelector}`,
	}));
}

/** A kind's collections. */
function placesOf({ api, resource, namespaced }: Need, { namespaces }: Narrowing) {
	const everywhere = { namespace: undefined, path: `${api}/${resource}`, inside: "" };
	if (!namespaced || namespaces.length === 0) return [everywhere];
	return [...new Set(namespaces)].map((namespace) => ({
		namespace,
		path: `${api}/namespaces/${namespace}/${resource}`,
		inside: ` in ${namespace}`,
	}));
}

/** For people. */
function titleOf({ kind }: Need): string {
	return kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}

/** As a request has it. */
export function selectorsOf({ labelSelector, onNode }: Scope): Readonly<Record<string, string>> {
	if (onNode === undefined) return { labelSelector };
	// As k8s.io/apimachinery pkg/fields EscapeValue.
	return { labelSelector, fieldSelector: `spec.nodeName=${onNode.replace(/[\\,=]/g, "\\$&")}` };
}
