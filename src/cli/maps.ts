// balancing maps: the kernel's maps, decoded element by element.

import { UsageError } from "../config/command_line.ts";
import { openMaps } from "../datapath/datapath.ts";
import { describeMap, READABLE_MAPS, type ReadableMap } from "../datapath/describe.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

function wantedMaps(name: string | undefined): readonly ReadableMap[] {
	if (name === undefined) return READABLE_MAPS;
	const found = READABLE_MAPS.find((map) => map === name);
	if (!found) throw new UsageError(`Cannot show map ${JSON.stringify(name)}: known are ${READABLE_MAPS.join(", ")}`);
	return [found];
}

export const maps: Command = {
	flags: ["pin-path", "output"],
	argument: "[NAME]",
	async run(env, config, [name]) {
		const wanted = wantedMaps(name);
		using open = openMaps(config["pin-path"]);
		const contents = wanted.map((map) => ({ map, elements: describeMap(open.maps, map) }));
		if (config.output === "json") {
			env.out(json(Object.fromEntries(contents.map(({ map, elements }) => [map, elements]))));
			return EXIT_OK;
		}
		for (const { map, elements } of contents) {
			env.out(`${map} (${elements.length})\n`);
			for (const element of elements) {
				const fields = Object.entries(element).map(([field, value]) => `${field}=${String(value)}`);
				env.out(`  ${fields.join(" ")}\n`);
			}
		}
		return EXIT_OK;
	},
};
