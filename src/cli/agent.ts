// balancing agent: the node agent in the foreground.

import { runAgent } from "../agent/agent.ts";
import { UsageError } from "../config.ts";
import { createLog } from "../observe/log.ts";
import { type Command, EXIT_OK } from "./command.ts";

export const agent: Command = {
	flags: [
		"manifests",
		"node-name",
		"cgroup",
		"pin-path",
		"state-dir",
		"listen",
		"events",
		"events-rate",
		"log-level",
		"log-format",
	],
	async run(env, config) {
		if (config.manifests.length === 0) {
			throw new UsageError("Cannot run without a source of Services: give --manifests PATH");
		}
		const format = config["log-format"] ?? (env.isTerminal ? "pretty" : "json");
		const options = { level: config["log-level"], format, write: env.out };
		const log = createLog(options);
		await runAgent({ config, log, resolutions: createLog({ ...options, stamped: false }), signal: env.signal });
		return EXIT_OK;
	},
};
