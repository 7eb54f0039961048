// What was given on the command line, in the environment and in a file, unchecked, and where exactly.

import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { closest } from "../lib/closest.ts";
import { CONFIG_FLAG, type CommandLine, UsageError } from "./command_line.ts";
import { FLAGS, type FlagName } from "./schema.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export type Origin = "command line" | "environment" | "file";

/** What was given, and where: `--events`, `BALANCING_EVENTS` or `events in FILE`. */
export interface Given {
	readonly value: unknown;
	readonly place: string;
	readonly origin: Origin;
}

/** By flag: those of the command line, then those of the environment, then those of the file as they stand there. */
export type Values = ReadonlyMap<FlagName, Given>;

/** Flag over environment over file. */
export function readGiven(line: CommandLine, allowed: readonly FlagName[], env: Environment): Values {
	// An empty BALANCING_CONFIG is none, as with every variable.
	const file = line.flags[CONFIG_FLAG] ?? (env["BALANCING_CONFIG"] || undefined);
	const values = new Map<FlagName, Given>();
	for (const [name, given] of [
		...fromFlags(line.flags, allowed),
		...fromEnvironment(env, allowed),
		...(typeof file === "string" ? fromFile(file, allowed) : []),
	])
		if (!values.has(name)) values.set(name, given);
	return values;
}

function fromFlags(flags: CommandLine["flags"], allowed: readonly FlagName[]): Values {
	const given = allowed.filter((name) => flags[name] !== undefined);
	return new Map(given.map((name) => [name, { value: flags[name], place: `--${name}`, origin: "command line" }]));
}

function fromEnvironment(env: Environment, allowed: readonly FlagName[]): Values {
	const values = new Map<FlagName, Given>();
	for (const name of allowed) {
		const place = `BALANCING_${name.toUpperCase().replaceAll("-", "_")}`;
		const value = env[place];
		// Set and empty is how a shell or a unit file says "not set".
		if (value === undefined || value === "") continue;
		values.set(name, { value: FLAGS[name].many ? value.split(",") : value, place, origin: "environment" });
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
	const values = new Map<FlagName, Given>();
	for (const [key, value] of Object.entries(content)) {
		const name = allowed.find((flag) => flag === key);
		if (name !== undefined) values.set(name, { value, place: `${key} in ${file}`, origin: "file" });
	}
	return values;
}
