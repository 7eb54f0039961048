// balancing agent: the node agent in the foreground.

import { runAgent } from "../agent/agent.ts";
import { demandHubs } from "../agent/hub_sources.ts";
import { createLossyOutput } from "../lib/lossy_output.ts";
import { createLog } from "../observe/log.ts";
import { type Command, EXIT_OK } from "./command.ts";

/** Bytes of log kept for a reader that is slow. */
const KEPT = 1 << 20;

export const agent: Command = {
	flags: [
		"manifests",
		"kubeconfig",
		"context",
		"api-server",
		"metaserver",
		"namespaces",
		"selector",
		"node-name",
		"reach",
		"external-ips",
		"redirect-qos-limit",
		"annotate-node",
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
		demandHubs(config);
		const format = config["log-format"] ?? (env.isTerminal ? "pretty" : "json");
		const write = createLossyOutput(env.stdout, {
			limit: KEPT,
			onDropped: (lines) => log.warn({ lines }, "Log lines were dropped: their reader is too slow"),
		});
		const options = { level: config["log-level"], format, write };
		const log = createLog(options);
		// Which events are logged is for --events to say; --log-level is about what the agent has to say itself.
		const level = config["log-level"] === "silent" ? "silent" : "info";
		const resolutions = createLog({ ...options, level, stamped: false });
		await runAgent({ config, log, resolutions, signal: env.signal });
		return EXIT_OK;
	},
};
