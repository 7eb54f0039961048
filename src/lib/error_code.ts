// The short name of what went wrong.

/** `EACCES` of an error of the system; else its message. */
export function errorCode(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
