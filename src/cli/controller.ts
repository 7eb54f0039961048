// balancing controller: the cluster's roles in the foreground, with no programs in the kernel.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { demandOneApiServer, openControllerHub } from "../agent/controller/controller_hub.ts";
import { runController } from "../agent/controller.ts";
import { createLog } from "../observe/log.ts";
import { type Command, EXIT_OK } from "./command.ts";

export const controller: Command = {
	flags: [
		"kubeconfig",
		"context",
		"api-server",
		"namespace",
		"leader-election",
		"webhook-listen",
		"webhook-cert-dir",
		"webhook-service",
		"webhook-names",
		"listen",
		"log-level",
		"log-format",
	],
	async run(env, config) {
		demandOneApiServer(config);
		const format = config["log-format"] ?? (env.isTerminal ? "pretty" : "json");
		const log = createLog({ level: config["log-level"], format, write: env.out });
		const identity = `${hostname()}_${randomUUID()}`;
		const openHub = (signal: AbortSignal) => openControllerHub(config, log, signal);
		await runController({ config, openHub, identity, log, signal: env.signal });
		return EXIT_OK;
	},
};
