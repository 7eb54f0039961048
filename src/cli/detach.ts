// balancing detach: programs and pins are taken away, completely; connections that are open stay as they are.

import { lockHolder } from "../agent/lock.ts";
import { unmountOwnCgroup } from "../datapath/cgroup.ts";
import { removePins } from "../datapath/pins.ts";
import { type Command, EXIT_OK } from "./command.ts";

export const detach: Command = {
	flags: ["pin-path", "state-dir", "cgroup"],
	async run(env, config) {
		const holder = lockHolder(config["state-dir"]);
		if (holder !== undefined) {
			throw new Error(`Cannot detach: agent ${holder} is running and would attach again (stop it first)`);
		}
		const removed = removePins(config["pin-path"]);
		if (config.cgroup === undefined) unmountOwnCgroup();
		env.out(
			removed.length === 0
				? `Nothing is pinned under ${config["pin-path"]}\n`
				: `Detached: ${removed.length} pins under ${config["pin-path"]} taken away\n`,
		);
		return EXIT_OK;
	},
};
