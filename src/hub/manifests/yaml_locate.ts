// Where a field stands in a document: Problems name a line that an editor can jump to.

import { isAlias, isMap, isNode, isScalar, isSeq, type ParsedNode, visit } from "yaml";
import type { FieldPath } from "../../model/field_path.ts";

/** The offset of the field at `path`, or of the innermost part of it that is written down. */
export function findOffset(root: ParsedNode | null, path: FieldPath): number {
	let node: unknown = root;
	let offset = root?.range[0] ?? 0;
	for (const step of path) {
		const found = stepInto(isAlias(node) ? anchored(root, node.source) : node, step);
		if (found === undefined) return offset;
		offset = found.offset ?? offset;
		node = found.node;
	}
	return offset;
}

interface Found {
	readonly node: unknown;
	readonly offset: number | undefined;
}

function stepInto(node: unknown, step: string | number): Found | undefined {
	if (isSeq(node) && typeof step === "number" && step < node.items.length) {
		const item = node.items[step];
		return { node: item, offset: isNode(item) ? item.range?.[0] : undefined };
	}
	if (!isMap(node)) return undefined;
	const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
	return pair === undefined
		? undefined
		: { node: pair.value, offset: isNode(pair.key) ? pair.key.range?.[0] : undefined };
}

function anchored(root: ParsedNode | null, name: string): unknown {
	let found: unknown;
	visit(root, {
		Node(_, node) {
			if (!("anchor" in node) || node.anchor !== name) return undefined;
			found = node;
			return visit.BREAK;
		},
	});
	return found;
}
