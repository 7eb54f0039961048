// A log that remembers what was said.

import type { Log } from "../../src/lib/log.ts";

export interface Said {
	readonly level: keyof Log;
	readonly message: string;
	readonly fields: object;
}

export function recordingLog(): Log & { readonly said: readonly Said[]; messages(): readonly string[] } {
	const said: Said[] = [];
	const line = (level: keyof Log) => (fields: object, message: string) => void said.push({ level, message, fields });
	return {
		said,
		messages: () => said.map(({ level, message }) => `${level} ${message}`),
		debug: line("debug"),
		info: line("info"),
		warn: line("warn"),
		error: line("error"),
	};
}
