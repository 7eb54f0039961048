// Flags, environment and file become one checked configuration; the only reader of process.env.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { normalize } from "node:path";
import { parseArgs } from "node:util";
import * as v from "valibot";
import { parse as parseYaml } from "yaml";
import { closest } from "./lib/closest.ts";

const text = v.pipe(v.string("must be text"), v.minLength(1, "must not be empty"));
/** A NUL would end the path early in every system call. */
const path = v.pipe(text, v.regex(/^[^\0]*$/, "must not hold a NUL"));
/** One spelling for one place: `/a//b/` is `/a/b`. */
const absolutePath = v.pipe(
	path,
	v.startsWith("/", "must be an absolute path, as /run/balancing"),
	v.transform(normalize),
	v.transform((clean) => clean.replace(/(?<=.)\/$/, "")),
);
const wholeNumber = (least: number, most: number) =>
	v.pipe(
		v.union([v.string(), v.number()], "must be a whole number"),
		v.check((given) => /^\d+$/.test(String(given)), "must be a whole number"),
		v.transform(Number),
		v.minValue(least, `must be at least ${least}`),
		v.maxValue(most, `must be at most ${most}`),
	);

const LISTEN = "must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810, or off";
/** HOST:PORT, [HOST]:PORT or off. */
const listenAddress = v.pipe(
	v.string(LISTEN),
	v.regex(/^(?:off|(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5})$/, LISTEN),
	v.check(
		(given) => given === "off" || Number(given.slice(given.lastIndexOf(":") + 1)) <= 65535,
		"has a port over 65535",
	),
);

const API_SERVER = "must be HOST:PORT, as 10.0.0.1:6443 or [fd00::1]:6443";
const apiServer = v.pipe(
	v.string(API_SERVER),
	v.regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]@?#]+):\d{1,5}$/, API_SERVER),
	v.check((given) => Number(given.slice(given.lastIndexOf(":") + 1)) <= 65535, "has a port over 65535"),
);
/** Given as a list, or in one text with commas. */
const namespaces = v.pipe(
	v.union([v.string(), v.array(v.string())], "must be names of namespaces, as demo,prod"),
	v.transform((given) => [given].flat().flatMap((each) => each.split(",").map((name) => name.trim()))),
	v.array(
		v.pipe(v.string(), v.regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, "must be names of namespaces, as demo,prod")),
	),
);

const schema = v.object({
	manifests: v.optional(
		v.pipe(
			v.union([v.string(), v.array(v.unknown())], "must be a path, or a list of paths"),
			v.transform((given) => (typeof given === "string" ? [given] : given)),
			v.array(path),
		),
		[],
	),
	kubeconfig: v.optional(path),
	context: v.optional(text),
	"api-server": v.optional(apiServer),
	namespaces: v.optional(namespaces, []),
	selector: v.optional(
		v.pipe(text, v.regex(/^[\w./!=<>,() -]+$/, "must be a label selector, as app=web,tier!=test")),
		undefined,
	),
	"node-name": v.optional(v.pipe(text, v.maxLength(253, "is longer than 253 characters"))),
	cgroup: v.optional(absolutePath),
	"pin-path": v.optional(absolutePath, "/sys/fs/bpf/balancing"),
	"state-dir": v.optional(absolutePath, "/var/lib/balancing"),
	listen: v.optional(listenAddress, "127.0.0.1:5810"),
	events: v.optional(v.picklist(["all", "failures", "off"], "must be all, failures or off"), "all"),
	"events-rate": v.optional(wholeNumber(0, 1_000_000_000), 1000),
	"log-level": v.optional(
		v.picklist(["debug", "info", "warn", "error", "silent"], "must be debug, info, warn, error or silent"),
		"info",
	),
	"log-format": v.optional(v.picklist(["json", "pretty"], "must be json or pretty")),
	output: v.optional(v.picklist(["text", "json"], "must be text or json"), "text"),
});

/** The checked configuration of one command. */
export type Config = Readonly<v.InferOutput<typeof schema>> & {
	readonly "node-name": string;
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
export type FlagName = keyof typeof schema.entries;
export type Environment = Readonly<Record<string, string | undefined>>;

interface Flag {
	readonly value: string;
	readonly help: string;
	readonly short?: string;
	readonly many?: true;
}

/** What `--help` says of each flag. */
export const FLAGS: Readonly<Record<FlagName, Flag>> = {
	manifests: {
		value: "PATH",
		help: "file or folder of YAML to read Services, EndpointSlices and Pods from",
		many: true,
	},
	kubeconfig: {
		value: "FILE",
		help: "API server to follow (default: $KUBECONFIG, in-cluster, ~/.kube/config)",
	},
	context: { value: "NAME", help: "context of the kubeconfig (default: its current-context)" },
	"api-server": { value: "HOST:PORT", help: "connect to the API server there; its certificate is checked as before" },
	namespaces: { value: "NAMES", help: "follow only these namespaces of the API server", many: true },
	selector: { value: "LABELS", help: "follow only Services with these labels, as app=web,tier!=test" },
	"node-name": { value: "NAME", help: "this node's name (default: $NODE_NAME, then the host name)" },
	cgroup: { value: "PATH", help: "attach to this cgroup (default: the root of cgroup v2)" },
	"pin-path": { value: "PATH", help: "where maps and links are pinned (default: /sys/fs/bpf/balancing)" },
	"state-dir": { value: "PATH", help: "what outlives the agent outside the kernel (default: /var/lib/balancing)" },
	listen: { value: "ADDR", help: "/healthz /readyz /metrics, or off (default: 127.0.0.1:5810)" },
	events: { value: "MODE", help: "resolution events to log: all, failures, off (default: all)" },
	"events-rate": { value: "N", help: "events per second at most, 0 = no limit (default: 1000)" },
	"log-level": { value: "LEVEL", help: "debug, info, warn, error, silent (default: info)" },
	"log-format": { value: "FORMAT", help: "json or pretty (default: pretty on a terminal, else json)" },
	output: { value: "FORMAT", help: "text or json (default: text)", short: "o" },
};

/** A mistake of the person who typed the command: exit code 2. */
export class UsageError extends Error {}

/** The same for every command: a YAML file with the flags' names as keys. */
const CONFIG_FLAG = "config";

/** What stood on the command line, unchecked. */
export interface CommandLine {
	readonly flags: Readonly<Record<string, unknown>>;
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
		const { values, positionals } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
		const { help, ...flags } = values;
		return { flags, positionals, help: help === true };
	} catch (cause) {
		throw new UsageError(explain(cause, allowed), { cause });
	}
}

/** What was given, and where: `--events`, `BALANCING_EVENTS` or `events in FILE`. */
interface Given {
	readonly value: unknown;
	readonly place: string;
}

type Values = ReadonlyMap<FlagName, Given>;

function fromFlags(flags: Readonly<Record<string, unknown>>, allowed: readonly FlagName[]): Values {
	const given = allowed.filter((name) => flags[name] !== undefined);
	return new Map(given.map((name) => [name, { value: flags[name], place: `--${name}` }]));
}

function fromEnvironment(env: Environment, allowed: readonly FlagName[]): Values {
	const values = new Map<FlagName, Given>();
	for (const name of allowed) {
		const place = `BALANCING_${name.toUpperCase().replaceAll("-", "_")}`;
		const value = env[place];
		// Set and empty is how a shell or a unit file says "not set".
		if (value === undefined || value === "") continue;
		values.set(name, { value: FLAGS[name].many ? value.split(",") : value, place });
	}
	return values;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readConfigFile(file: string): unknown {
	try {
		return parseYaml(readFileSync(file, "utf8"), { maxAliasCount: 0 });
	} catch (cause) {
		// The parser's message shows the lines around the place, too; its first line names the place.
		const [fact] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
		throw new UsageError(`Cannot read the configuration file ${file}: ${fact?.replace(/:$/, "")}`, { cause });
	}
}

/** Keys of other commands' flags are for those. */
function fromFile(file: string, allowed: readonly FlagName[]): Values {
	const content = readConfigFile(file) ?? {};
	if (!isRecord(content)) {
		throw new UsageError(
			`Cannot use the configuration file ${file}: it is no map of flags; write lines as \`events: all\``,
		);
	}
	const known = Object.keys(FLAGS);
	for (const key of Object.keys(content)) {
		if (known.includes(key)) continue;
		const meant = closest(key, known);
		const fix = meant === undefined ? `known are ${known.join(", ")}` : `did you mean ${meant}?`;
		throw new UsageError(`Cannot use the configuration file ${file}: unknown key ${key}; ${fix}`);
	}
	const given = allowed.filter((name) => Object.hasOwn(content, name));
	return new Map(given.map((name) => [name, { value: content[name], place: `${name} in ${file}` }]));
}

/** Flag over environment over file over default. Throws UsageError with the flag, the value and the fix. */
export function resolveConfig(
	flags: Readonly<Record<string, unknown>>,
	allowed: readonly FlagName[],
	env: Environment,
): Config {
	// An empty BALANCING_CONFIG is none, as with every variable.
	const file = flags[CONFIG_FLAG] ?? (env["BALANCING_CONFIG"] || undefined);
	const given: Values = new Map([
		...(typeof file === "string" ? fromFile(file, allowed) : []),
		...fromEnvironment(env, allowed),
		...fromFlags(flags, allowed),
	]);
	const values = Object.fromEntries(Array.from(given, ([name, { value }]) => [name, value]));
	const result = v.safeParse(schema, values);
	if (!result.success) throw new UsageError(describeIssue(result.issues[0], given));
	return {
		...result.output,
		"node-name": result.output["node-name"] ?? (env["NODE_NAME"] || hostname()),
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
	const where = [...given].find(([name]) => name === issue.path?.[0].key)?.[1].place;
	return `Cannot use ${where ?? "the configuration"} ${JSON.stringify(issue.input)}: it ${issue.message}`;
}

/** The process's environment, for main.ts to hand on. */
export function processEnvironment(): Environment {
	return process.env;
}
