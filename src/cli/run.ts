// Finds the command, checks what was typed, runs it, and turns what went wrong into a line and an exit code.

import { parseCommandLine, UsageError } from "../config/command_line.ts";
import { FLAGS } from "../config/schema.ts";
import { type Config, resolveConfig } from "../config.ts";
import { closest } from "../lib/closest.ts";
import { type Command, type Env, EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "./command.ts";

interface Entry {
	readonly name: string;
	readonly kind: "verb" | "noun";
	readonly summary: string;
	/** Loaded when called: a command does not pay for what another one needs. */
	readonly load: () => Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
	{
		name: "agent",
		kind: "verb",
		summary: "run the node agent in the foreground",
		load: async () => (await import("./agent.ts")).agent,
	},
	{
		name: "controller",
		kind: "verb",
		summary: "check policies when they are written, and say in their status what became of them",
		load: async () => (await import("./controller.ts")).controller,
	},
	{
		name: "detach",
		kind: "verb",
		summary: "take programs and pins away, completely",
		load: async () => (await import("./detach.ts")).detach,
	},
	{
		name: "status",
		kind: "noun",
		summary: "hubs, attachment, counts; exit code 1 if not ready",
		load: async () => (await import("./status.ts")).status,
	},
	{
		name: "frontends",
		kind: "noun",
		summary: "what resolves to what, from the kernel's maps",
		load: async () => (await import("./frontends.ts")).frontends,
	},
	{
		name: "backends",
		kind: "noun",
		summary: "where connections go and how many, from the kernel's maps",
		load: async () => (await import("./backends.ts")).backends,
	},
	{
		name: "plan",
		kind: "noun",
		summary: "what would be programmed; needs no root",
		load: async () => (await import("./plan.ts")).plan,
	},
	{
		name: "explain",
		kind: "noun",
		summary: "what becomes of a connection, and why; needs no root",
		load: async () => (await import("./explain.ts")).explain,
	},
	{
		name: "maps",
		kind: "noun",
		summary: "the kernel's maps, decoded",
		load: async () => (await import("./maps.ts")).maps,
	},
	{
		name: "doctor",
		kind: "noun",
		summary: "what this machine can do for the agent, and what is missing",
		load: async () => (await import("./doctor.ts")).doctor,
	},
	{
		name: "version",
		kind: "noun",
		summary: "version, commit, runtime, libbpf, minimum kernel",
		load: async () => (await import("./version.ts")).version,
	},
];

function overview(): string {
	const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(11)}${summary}`);
	return [
		"Client-side layer-4 load balancing for Kubernetes Services, at connect().",
		"",
		"Usage: balancing COMMAND [FLAGS]",
		"",
		...lines,
		"",
		"`balancing COMMAND --help` lists a command's flags. Exit codes: 0 ok, 1 failed, 2 usage.",
		"",
	].join("\n");
}

function usage(entry: Entry, command: Command): string {
	const flags = command.flags.map((name) => {
		const { value, help, short, many } = FLAGS[name];
		const spelled = `${short === undefined ? "    " : `-${short}, `}--${name} ${value}`;
		return { spelled, help: `${help}${many ? " (repeatable)" : ""}` };
	});
	flags.push({ spelled: "    --config FILE", help: "YAML file with these flags as keys" });
	const width = Math.max(...flags.map(({ spelled }) => spelled.length)) + 2;
	return [
		`${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`,
		"",
		`Usage: balancing ${entry.name} [FLAGS]${command.argument === undefined ? "" : ` ${command.argument}`}`,
		"",
		...flags.map(({ spelled, help }) => `  ${spelled.padEnd(width)}${help}`),
		"",
		"Each flag can also be set as BALANCING_FLAG_NAME; flag over environment over file.",
		"",
	].join("\n");
}

function nearest(typed: string): string {
	const meant = closest(
		typed,
		COMMANDS.map(({ name }) => name),
	);
	return meant === undefined ? "" : `; did you mean ${meant}?`;
}

async function runCommand(entry: Entry, args: readonly string[], env: Env): Promise<number> {
	const command = await entry.load();
	const line = parseCommandLine(args, command.flags);
	if (line.help) {
		env.out(usage(entry, command));
		return EXIT_OK;
	}
	if (line.positionals.length > (command.argument === undefined ? 0 : 1)) {
		const extra = JSON.stringify(line.positionals.at(-1));
		throw new UsageError(
			`Cannot understand ${extra}: ${command.argument === undefined ? "no argument is expected" : "one argument is expected"}`,
		);
	}
	const config: Config = resolveConfig(line, command.flags, env.env);
	return await command.run(env, config, line.positionals);
}

function isHelp(word: string | undefined): boolean {
	return word === "help" || word === "--help" || word === "-h";
}

/** `balancing help status` is `balancing status --help`. */
function inOrder([first, ...rest]: readonly string[]): readonly string[] {
	const [name, ...more] = rest;
	return isHelp(first) && name !== undefined && !isHelp(name) ? [name, "--help", ...more] : [first ?? "", ...rest];
}

/** Never throws: what went wrong is one line on standard error, and the exit code. */
export async function run(args: readonly string[], env: Env): Promise<number> {
	const [name = "", ...rest] = inOrder(args);
	if (name === "") {
		env.err(overview());
		return EXIT_USAGE;
	}
	if (isHelp(name)) {
		env.out(overview());
		return EXIT_OK;
	}
	const wanted = name === "--version" ? "version" : name;
	const entry = COMMANDS.find((command) => command.name === wanted);
	if (!entry) {
		env.err(`balancing: unknown command ${JSON.stringify(name)}${nearest(name)} (balancing --help lists them)\n`);
		return EXIT_USAGE;
	}
	try {
		return await runCommand(entry, rest, env);
	} catch (error) {
		env.err(`balancing ${entry.name}: ${error instanceof Error ? error.message : String(error)}\n`);
		if (!(error instanceof UsageError)) return EXIT_FAILED;
		env.err(`(balancing ${entry.name} --help lists its flags)\n`);
		return EXIT_USAGE;
	}
}
