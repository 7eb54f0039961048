// balancing status: what the agent says of itself; without an agent, what the kernel still does.

import { existsSync } from "node:fs";
import { agentSocket } from "../agent/socket.ts";
import { PROGRAMS } from "../datapath/attach.ts";
import { openMaps } from "../datapath/datapath.ts";
import { linkPin } from "../datapath/pins.ts";
import { countFrontends } from "../datapath/view.ts";
import { errorCode } from "../lib/error_code.ts";
import { fetchPage } from "../observe/http.ts";
import { type AgentStatus, parseStatus, renderStatus } from "../observe/status.ts";
import { type Command, EXIT_FAILED, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

/** Milliseconds after which an agent counts as stuck. */
const PATIENCE = 5000;

/** Undefined if no agent runs. */
async function askAgent(stateDir: string, signal: AbortSignal): Promise<AgentStatus | undefined> {
	const socket = agentSocket(stateDir);
	const late = AbortSignal.timeout(PATIENCE);
	try {
		const { body } = await fetchPage(socket, "/status", AbortSignal.any([signal, late]));
		return parseStatus(body);
	} catch (cause) {
		const code = errorCode(cause);
		if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
		const fact = late.aborted ? `no answer within ${PATIENCE / 1000} s` : `${code} (needs root)`;
		throw new Error(`Cannot ask the agent at ${socket}: ${fact}`, { cause });
	}
}

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
