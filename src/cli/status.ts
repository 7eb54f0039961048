// balancing status: what the agent says of itself; without an agent, what the kernel still does.

import { existsSync } from "node:fs";
import { PROGRAMS } from "../datapath/attach.ts";
import { openMaps } from "../datapath/datapath.ts";
import { linkPin } from "../datapath/pins.ts";
import { countFrontends } from "../datapath/view.ts";
import { renderStatus } from "../observe/status.ts";
import { askAgent } from "./ask_agent.ts";
import { type Command, EXIT_FAILED, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

/** What can be seen without the agent. */
function kernelStatus(pinPath: string) {
	const links = PROGRAMS.filter((name) => existsSync(linkPin(pinPath, name)));
	if (!existsSync(`${pinPath}/maps`)) return { pinPath, links: [], frontends: 0, backends: 0 };
	using open = openMaps(pinPath);
	return {
		pinPath,
		links,
		frontends: countFrontends(open.maps.dump("frontends")),
		backends: open.maps.dump("backends").size,
	};
}

export const status: Command = {
	flags: ["pin-path", "state-dir", "output"],
	async run(env, config) {
		const answer = await askAgent(config["state-dir"], env.signal);
		if (answer) {
			env.out(config.output === "json" ? json(answer) : renderStatus(answer));
			return answer.ready ? EXIT_OK : EXIT_FAILED;
		}
		const kernel = kernelStatus(config["pin-path"]);
		if (config.output === "json") env.out(json({ ready: false, agent: null, kernel }));
		else {
			env.out(`Agent       not running (nothing answers in ${config["state-dir"]})\n`);
			env.out(`Kernel      ${kernel.links.length} of ${PROGRAMS.length} programs pinned under ${kernel.pinPath}, `);
			env.out(`${kernel.frontends} frontends, ${kernel.backends} backends\n`);
		}
		return EXIT_FAILED;
	},
};
