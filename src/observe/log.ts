// The agent's log: one JSON line each (pino), or lines for people on a terminal.

import { pino } from "pino";
import type { Log } from "../lib/log.ts";

export interface LogOptions {
	/** False where each line brings a `time` of its own. */
	readonly stamped?: boolean;
	readonly level: string;
	readonly format: "json" | "pretty";
	readonly write: (line: string) => unknown;
}

function plain(value: unknown): string {
	if (typeof value === "string") return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
	return JSON.stringify(value);
}

/** `12:03:04.567 warn  message key=value ...` from one of pino's lines. */
export function prettyLine(line: string): string {
	const { level, time, msg, ...rest }: Record<string, unknown> = JSON.parse(line);
	const clock = typeof time === "string" ? time.slice(11, 23) : "";
	const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${plain(value)}`);
	return `${clock} ${String(level).padEnd(5)} ${String(msg)}${fields.join("")}\n`;
}

/** Fields are merged into the line; an `err` field is written with its message and stack. */
export function createLog({ level, format, write, stamped = true }: LogOptions): Log {
	const destination = format === "json" ? { write } : { write: (line: string) => write(prettyLine(line)) };
	return pino(
		{
			level,
			base: null,
			formatters: { level: (label) => ({ level: label }) },
			timestamp: stamped ? pino.stdTimeFunctions.isoTime : false,
		},
		destination,
	);
}
