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
	if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
	return JSON.stringify(value);
}

/** The text of pino's `err`: for people the message, and the stack in lines of its own. */
function errorText(err: unknown): { readonly field: string; readonly lines: string } | undefined {
	if (typeof err !== "object" || err === null || !("message" in err)) return undefined;
	const stack = "stack" in err && typeof err.stack === "string" ? err.stack.split("\n").slice(1) : [];
	return { field: ` err=${plain(err.message)}`, lines: stack.map((line) => `    ${line.trim()}\n`).join("") };
}

/** `12:03:04.567 warn  message key=value ...` in UTC from one of pino's lines. */
export function prettyLine(line: string): string {
	const { level, time, msg, err, ...rest }: Record<string, unknown> = JSON.parse(line);
	const clock = typeof time === "string" ? time.slice(11, 23) : "";
	const error = errorText(err);
	const more = error === undefined && err !== undefined ? { ...rest, err } : rest;
	const fields = Object.entries(more).map(([key, value]) => ` ${key}=${plain(value)}`);
	const head = `${clock} ${String(level).padEnd(5)} ${String(msg)}${fields.join("")}`;
	return error === undefined ? `${head}\n` : `${head}${error.field}\n${error.lines}`;
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
