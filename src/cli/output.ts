// How commands print data.

/** One JSON document; a bigint is a decimal string. */
export function json(value: unknown): string {
	return `${JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part), 2)}\n`;
}
