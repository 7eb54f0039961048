// bun run build: programs, libbpf, the binary and the bundle. See --help.

import { parseArgs } from "node:util";
import { type Artefact, buildBinary, buildBundle, hostTarget, TARGETS, type Target } from "./build_binary.ts";
import { buildPrograms } from "./build_bpf.ts";
import { buildNative } from "./build_native.ts";
import { endChildrenWithUs } from "./run.ts";

const HELP = `Usage: bun run build [--target ${TARGETS.join("|")}] [--bpf-only | --native-only]

Builds dist/bpf/*.bpf.o, libbpf's shared object, dist/balancing and dist/balancing.js.
With a target that is not this machine's: dist/balancing-TARGET, and no bundle.

  --bpf-only     the programs only
  --native-only  libbpf's shared object only
`;

async function main(arguments_: readonly string[]): Promise<number> {
	const options = parse(arguments_);
	if (typeof options === "string") {
		process.stderr.write(options);
		return 2;
	}
	if (options.help) {
		process.stdout.write(HELP);
		return 0;
	}
	const { target } = options;
	if (!options.nativeOnly) for (const object of await buildPrograms()) console.log(`built ${object}`);
	if (options.bpfOnly) return 0;
	await buildNative(target);
	if (options.nativeOnly) return 0;
	const place = { entry: "src/main.ts", folder: "dist", target };
	report(await buildBinary(place));
	if (target === hostTarget()) report(await buildBundle(place));
	return 0;
}

interface Options {
	readonly help: boolean;
	readonly bpfOnly: boolean;
	readonly nativeOnly: boolean;
	readonly target: Target;
}

/** The options, or what is wrong with them. */
function parse(arguments_: readonly string[]): Options | string {
	try {
		const { values } = parseArgs({
			args: [...arguments_],
			options: {
				help: { type: "boolean", short: "h", default: false },
				"bpf-only": { type: "boolean", default: false },
				"native-only": { type: "boolean", default: false },
				target: { type: "string", default: hostTarget() },
			},
		});
		const target = TARGETS.find((known) => known === values.target);
		if (target === undefined) return `Unknown target ${values.target} (${TARGETS.join(", ")})\n`;
		if (values["bpf-only"] && values["native-only"]) return "--bpf-only and --native-only exclude each other\n";
		return { help: values.help, bpfOnly: values["bpf-only"], nativeOnly: values["native-only"], target };
	} catch (error) {
		return `${error instanceof Error ? error.message : error}\n${HELP}`;
	}
}

function report({ path, bytes }: Artefact): void {
	console.log(`built ${path} (${(bytes / 1e6).toFixed(1)} MB)`);
}

if (import.meta.main) {
	process.chdir(`${import.meta.dir}/..`);
	endChildrenWithUs();
	try {
		process.exitCode = await main(process.argv.slice(2));
	} catch (error) {
		// Bun tells what is wrong with the sources in the errors of an AggregateError.
		const errors: readonly unknown[] = error instanceof AggregateError ? [error, ...error.errors] : [error];
		for (const each of errors) console.error(each instanceof Error ? each.message : String(each));
		process.exitCode = 1;
	}
}
