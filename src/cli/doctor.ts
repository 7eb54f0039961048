// balancing doctor: what of this machine the datapath can use, what is missing, and what to do about it.

import { checkup } from "../datapath/checkup.ts";
import { table } from "../lib/table.ts";
import { type Command, EXIT_FAILED, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

export const doctor: Command = {
	flags: ["cgroup", "output"],
	async run(env, config) {
		const findings = checkup(config.cgroup);
		if (config.output === "json") env.out(json(findings));
		else
			env.out(
				table(
					["WHAT", "STATE", "FACT"],
					findings.map(({ what, state, fact }) => [what, state, fact]),
				),
			);
		return findings.some(({ state }) => state === "problem") ? EXIT_FAILED : EXIT_OK;
	},
};
