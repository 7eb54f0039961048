// Structural equality of plain data.

/** Whether two values of strings, numbers, booleans, arrays, Maps and plain objects hold the same; order counts in arrays only. */
export function isEqual(a: unknown, b: unknown): boolean {
	if (a === b) return true;
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
	if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && isEqualList(a, b);
	if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map && isEqualMap(a, b);
	return isEqualObject(a, b);
}

function isEqualObject(a: object, b: object): boolean {
	const fields = Object.entries(a);
	if (fields.length !== Object.keys(b).length) return false;
	return fields.every(([key, value]) => Object.hasOwn(b, key) && isEqual(value, Reflect.get(b, key)));
}

function isEqualList(a: readonly unknown[], b: readonly unknown[]): boolean {
	return a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
}

function isEqualMap(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
	if (a.size !== b.size) return false;
	for (const [key, value] of a) if (!b.has(key) || !isEqual(value, b.get(key))) return false;
	return true;
}

/** Whether two lists hold the identical values in the same order. */
export function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
	return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Whether two Maps hold the identical values under the same keys. */
export function isSameMap<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
	if (a.size !== b.size) return false;
	for (const [key, value] of a) if (b.get(key) !== value) return false;
	return true;
}
