// Structural equality of plain data.

/** Whether two values of strings, numbers, booleans, arrays, Maps and plain objects hold the same; order counts in arrays only. */
export function isEqual(a: unknown, b: unknown): boolean {
	if (a === b) return true;
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
	if (Array.isArray(a)) {
		return Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
	}
	if (a instanceof Map) {
		if (!(b instanceof Map) || a.size !== b.size) return false;
		for (const [key, value] of a) if (!b.has(key) || !isEqual(value, b.get(key))) return false;
		return true;
	}
	if (Array.isArray(b) || b instanceof Map) return false;
	return sameFields(a, b);
}

function sameFields(a: object, b: object): boolean {
	const entries = Object.entries(a);
	if (entries.length !== Object.keys(b).length) return false;
	const fields = new Map(Object.entries(b));
	return entries.every(([key, value]) => fields.has(key) && isEqual(value, fields.get(key)));
}

/** Whether two lists hold the identical values in the same order. */
export function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
	return a.length === b.length && a.every((item, index) => item === b[index]);
}
