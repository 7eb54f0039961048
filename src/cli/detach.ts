// balancing detach: programs and pins are taken away, completely; connections that are open stay as they are.

import { rmSync } from "node:fs";
import { lockOutAgent } from "../agent/lock.ts";
import { agentSocket } from "../agent/socket.ts";
import { unmountOwnCgroup } from "../datapath/cgroup.ts";
import { removePins } from "../datapath/pins.ts";
import { errorCode } from "../lib/error_code.ts";
import { type Command, EXIT_OK } from "./command.ts";

function remove(pinPath: string): readonly string[] {
	try {
		return removePins(pinPath);
	} catch (cause) {
		const code = errorCode(cause);
		if (code !== "EACCES" && code !== "EPERM") throw cause;
		throw new Error(`Cannot take away what is pinned under ${pinPath}: ${code} (needs root)`, { cause });
	}
}

export const detach: Command = {
	flags: ["pin-path", "state-dir", "cgroup"],
	async run(env, config) {
		using _ = lockOutAgent(config["state-dir"]);
		const removed = remove(config["pin-path"]);
		if (config.cgroup === undefined) unmountOwnCgroup();
		// Left by an agent that was killed.
		rmSync(agentSocket(config["state-dir"]), { force: true });
		env.out(
			removed.length === 0
				? `Nothing to detach: nothing is pinned under ${config["pin-path"]}\n`
				: `Detached: the ${removed.length} pins under ${config["pin-path"]} are gone, and the programs with them\n`,
		);
		return EXIT_OK;
	},
};
