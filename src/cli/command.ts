// What a command is: data and one function, so that tests hand it another world.

import type { FlagName } from "../config/schema.ts";
import type { Config } from "../config.ts";
import type { Sink } from "../lib/lossy_output.ts";

/** The world outside, as far as a command may touch it. */
export interface Env {
	readonly out: (text: string) => unknown;
	readonly err: (text: string) => unknown;
	/** What `out` writes to, for who has to mind a slow reader. */
	readonly stdout: Sink;
	/** Standard output is a terminal. */
	readonly isTerminal: boolean;
	readonly env: Readonly<Record<string, string | undefined>>;
	/** Aborted by SIGINT and SIGTERM. */
	readonly signal: AbortSignal;
}

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Verbs change state, nouns only read. */
export interface Command {
	readonly flags: readonly FlagName[];
	/** What may stand behind the flags, for usage: `[NAME]`. Nothing if absent. */
	readonly argument?: string;
	readonly run: (env: Env, config: Config, positionals: readonly string[]) => Promise<number>;
}
