// balancing backends: where connections go, from the kernel's maps.

import { openMaps } from "../datapath/datapath.ts";
import { type BackendView, viewBackends } from "../datapath/view.ts";
import { table } from "../lib/table.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

function row({ address, state, connections, open, frontends }: BackendView): readonly string[] {
	return [address, state, String(connections), String(open), frontends.join(" ")];
}

export const backends: Command = {
	flags: ["pin-path", "output"],
	async run(env, config) {
		using open = openMaps(config["pin-path"]);
		const views = viewBackends(open.maps);
		if (config.output === "json") env.out(json(views));
		else env.out(table(["BACKEND", "STATE", "CONNECTIONS", "OPEN", "FRONTENDS"], views.map(row)));
		return EXIT_OK;
	},
};
