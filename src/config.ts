// Flags, environment and file become one checked configuration; the only reader of process.env.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import * as v from "valibot";
import { parse as parseYaml } from "yaml";

const path = v.pipe(v.string(), v.minLength(1, "must not be empty"));
const absolutePath = v.pipe(path, v.startsWith("/", "must be an absolute path"));
const wholeNumber = (least: number, most: number) =>
	v.pipe(
		v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/, "must be a whole number"), v.transform(Number))]),
		v.integer("must be a whole number"),
		v.minValue(least, `must be at least ${least}`),
		v.maxValue(most, `must be at most ${most}`),
	);

/** HOST:PORT or [HOST]:PORT. */
const listenAddress = v.pipe(
	v.string(),
	v.regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, "must be HOST:PORT, as 127.0.0.1:5810 or [::1]:5810"),
	v.check((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65535, "has a port over 65535"),
);

const schema = v.object({
	manifests: v.optional(
		v.pipe(
			v.union([
				v.array(path),
				v.pipe(
					path,
					v.transform((one) => [one]),
				),
			]),
		),
		[],
	),
	"node-name": v.optional(v.pipe(v.string(), v.minLength(1, "must not be empty"), v.maxLength(253, "is too long"))),
	cgroup: v.optional(absolutePath),
	"pin-path": v.optional(absolutePath, "/sys/fs/bpf/balancing"),
	"state-dir": v.optional(absolutePath, "/var/lib/balancing"),
	listen: v.optional(v.union([v.literal("off"), listenAddress]), "127.0.0.1:5810"),
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
export type Config = Readonly<v.InferOutput<typeof schema>> & { readonly "node-name": string };
export type FlagName = keyof typeof schema.entries;

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
		throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
	}
}

function fromEnvironment(allowed: readonly FlagName[], env: Readonly<Record<string, string | undefined>>) {
	const values: Record<string, unknown> = {};
	for (const name of allowed) {
		const value = env[`BALANCING_${name.toUpperCase().replaceAll("-", "_")}`];
		if (value !== undefined && value !== "") values[name] = FLAGS[name].many ? value.split(",") : value;
	}
	return values;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fromFile(file: string): Record<string, unknown> {
	let content: unknown;
	try {
		content = parseYaml(readFileSync(file, "utf8"), { maxAliasCount: 0 });
	} catch (cause) {
		throw new UsageError(`Cannot read --config ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
			cause,
		});
	}
	if (content === null || content === undefined) return {};
	if (!isRecord(content)) throw new UsageError(`Cannot use --config ${file}: not a map of flags`);
	for (const key of Object.keys(content)) {
		if (!Object.hasOwn(FLAGS, key)) {
			throw new UsageError(
				`Cannot use --config ${file}: unknown key ${key}; known are ${Object.keys(FLAGS).join(", ")}`,
			);
		}
	}
	return content;
}

function only(values: Record<string, unknown>, allowed: readonly FlagName[]): Record<string, unknown> {
	return Object.fromEntries(Object.entries(values).filter(([key]) => allowed.some((name) => name === key)));
}

/** Flag over environment over file over default. Throws UsageError with the flag, the value and the fix. */
export function resolveConfig(
	flags: Readonly<Record<string, unknown>>,
	allowed: readonly FlagName[],
	env: Readonly<Record<string, string | undefined>>,
): Config {
	const given = { ...flags };
	const file = given[CONFIG_FLAG] ?? env["BALANCING_CONFIG"];
	delete given[CONFIG_FLAG];
	const values = {
		...(typeof file === "string" ? only(fromFile(file), allowed) : {}),
		...fromEnvironment(allowed, env),
		...only(given, allowed),
	};
	const result = v.safeParse(schema, values);
	if (!result.success) {
		const issue = result.issues[0];
		const name = v.getDotPath(issue)?.split(".")[0] ?? "configuration";
		throw new UsageError(`Cannot use --${name} ${JSON.stringify(issue.input)}: ${issue.message}`);
	}
	return { ...result.output, "node-name": result.output["node-name"] ?? (env["NODE_NAME"] || hostname()) };
}

/** The process's environment, for main.ts to hand on. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
	return process.env;
}
