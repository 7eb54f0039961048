// What stands on the command line, with the order in which it stands there.

import { parseArgs } from "node:util";
import { closest } from "../lib/closest.ts";
import { FLAGS, type FlagName } from "./schema.ts";

/** A mistake of the person who typed the command: exit code 2. */
export class UsageError extends Error {}

/** The same for every command: a YAML file with the flags' names as keys. */
export const CONFIG_FLAG = "config";

/** What stood on the command line, unchecked. */
export interface CommandLine {
	readonly flags: Readonly<Record<string, unknown>>;
	/** The name of each flag, as often as it was given, in the order in which they stood there. */
	readonly order: readonly string[];
	readonly positionals: readonly string[];
	readonly help: boolean;
}

/** What Node's parser found, in our words and with the fix. */
function explain(cause: unknown, allowed: readonly FlagName[]): string {
	const message = cause instanceof Error ? cause.message : String(cause);
	const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
	const typed = /'(?:-\w, )?(-[^\s'<]+)/.exec(message)?.[1];
	if (typed === undefined) return `Cannot understand what was typed: ${message.split("\n")[0]}`;
	if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
		const meant = closest(typed.replace(/^-+/, ""), allowed);
		return `Cannot understand ${typed}: no such flag${meant === undefined ? "" : `; did you mean --${meant}?`}`;
	}
	if (message.includes("does not take an argument")) return `Cannot understand ${typed}: it takes no value`;
	return `Cannot understand ${typed}: it needs a value (one that begins with a dash is written ${typed}=-VALUE)`;
}

/** Throws UsageError on a flag that the command does not have. */
export function parseCommandLine(args: readonly string[], allowed: readonly FlagName[]): CommandLine {
	const options: Record<string, { type: "string" | "boolean"; multiple?: boolean; short?: string }> = {
		help: { type: "boolean", short: "h" },
		[CONFIG_FLAG]: { type: "string" },
	};
	for (const name of allowed) {
		const { short, many } = FLAGS[name];
		options[name] = { type: "string", ...(short === undefined ? {} : { short }), ...(many ? { multiple: true } : {}) };
	}
	try {
		const how = { options, strict: true, allowPositionals: true, tokens: true } as const;
		const { values, positionals, tokens } = parseArgs({ args: [...args], ...how });
		const { help, ...flags } = values;
		const order = tokens.flatMap((token) => (token.kind === "option" ? token.name : []));
		return { flags, order, positionals, help: help === true };
	} catch (cause) {
		throw new UsageError(explain(cause, allowed), { cause });
	}
}
