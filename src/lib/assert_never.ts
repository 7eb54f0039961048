// Makes the compiler prove that a switch covers every case.

/** Throws: reached only if a value is outside its type. */
export function assertNever(value: never): never {
	throw new Error(`Cannot handle ${JSON.stringify(value)}: not a known case`);
}
