#!/usr/bin/env bun
// argv -> command -> exit code; nothing else.

import { run } from "./cli/run.ts";
import { processEnvironment } from "./config.ts";

const interrupted = new AbortController();
for (const [name, code] of [
	["SIGINT", 130],
	["SIGTERM", 143],
] as const) {
	process.on(name, () => {
		// Whoever asks twice will not wait.
		if (interrupted.signal.aborted) process.exit(code);
		interrupted.abort(name);
	});
}

// A reader that went away (`| head`) is no reason to fail, least of all for an agent.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

process.exitCode = await run(process.argv.slice(2), {
	out: (text) => process.stdout.write(text),
	err: (text) => process.stderr.write(text),
	stdout: process.stdout,
	isTerminal: process.stdout.isTTY === true,
	env: processEnvironment(),
	signal: interrupted.signal,
});
