#!/usr/bin/env bun
// argv -> command -> exit code; nothing else.

import { run } from "./cli/run.ts";
import { processEnvironment } from "./config.ts";

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupted.abort(name));

// A reader that went away (`| head`) is no reason to fail, least of all for an agent.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

process.exitCode = await run(process.argv.slice(2), {
	out: (text) => process.stdout.write(text),
	err: (text) => process.stderr.write(text),
	isTerminal: process.stdout.isTTY === true,
	env: processEnvironment(),
	signal: interrupted.signal,
});
