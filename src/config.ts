// Flags, environment and file become one checked configuration; the only reader of process.env.

import { hostname } from "node:os";
import * as v from "valibot";
import { type CommandLine, UsageError } from "./config/command_line.ts";
import { type Environment, readGiven, type Values } from "./config/given.ts";
import { chooseHubs, type HubChoice } from "./config/hub_choice.ts";
import { orderHubValues } from "./config/hub_order.ts";
import { type FlagName, schema } from "./config/schema.ts";

/** The checked configuration of one command. */
export type Config = Readonly<v.InferOutput<typeof schema>> & {
	readonly "node-name": string;
	/** In the order in which they win. Without a flag that means one it is the API server that is found by itself. */
	readonly hubs: readonly HubChoice[];
	readonly surroundings: Surroundings;
};

/** What variables that are not ours say about the way to an API server; "" is as good as not set. */
export interface Surroundings {
	/** $KUBECONFIG: files, with a colon between them. */
	readonly kubeconfig: string;
	readonly home: string;
	/** What the kubelet gives to Pods. */
	readonly serviceHost: string;
	readonly servicePort: string;
	readonly proxies: { readonly https: string; readonly http: string; readonly no: string };
}

/** Flag over environment over file over default. Throws UsageError with the flag, the value and the fix. */
export function resolveConfig(line: CommandLine, allowed: readonly FlagName[], env: Environment): Config {
	const given = readGiven(line, allowed, env);
	const values = Object.fromEntries(Array.from(given, ([name, { value }]) => [name, value]));
	const result = v.safeParse(schema, values);
	if (!result.success) throw new UsageError(describeIssue(result.issues[0], given));
	return {
		...result.output,
		"node-name": result.output["node-name"] ?? (env["NODE_NAME"] || hostname()),
		hubs: chooseHubs(orderHubValues(result.output, given, line.order)),
		surroundings: readSurroundings(env),
	};
}

function readSurroundings(env: Environment): Surroundings {
	/** Lower case first, as curl and Go have it. */
	const proxy = (name: string): string => env[name.toLowerCase()] || env[name] || "";
	return {
		kubeconfig: env["KUBECONFIG"] ?? "",
		home: env["HOME"] ?? "",
		serviceHost: env["KUBERNETES_SERVICE_HOST"] ?? "",
		servicePort: env["KUBERNETES_SERVICE_PORT"] ?? "",
		proxies: { https: proxy("HTTPS_PROXY"), http: proxy("HTTP_PROXY"), no: proxy("NO_PROXY") },
	};
}

function describeIssue(issue: v.InferIssue<typeof schema>, given: Values): string {
	const name = issue.path?.[0].key;
	const where = [...given].find(([flag]) => flag === name)?.[1].place;
	// Where a value was taken apart before it was judged, its text is shown.
	const shown = issue.input instanceof URL ? issue.input.href : issue.input;
	return `Cannot use ${where ?? "the configuration"} ${JSON.stringify(shown)}: it ${issue.message}`;
}

/** The process's environment, for main.ts to hand on. */
export function processEnvironment(): Environment {
	return process.env;
}
