// balancing version: what this binary is made of.

import { libbpfVersion } from "bun-ffi-libbpf";
import { getVersion } from "../version.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

/** The oldest kernel whose features the programs need. */
export const MINIMUM_KERNEL = "5.10";

function runtime(): string {
	const { bun, node } = process.versions;
	return bun === undefined ? `node ${node}` : `bun ${bun}`;
}

export const version: Command = {
	flags: ["output"],
	async run(env, config) {
		const facts = { ...getVersion(), runtime: runtime(), libbpf: libbpfVersion(), minimumKernel: MINIMUM_KERNEL };
		if (config.output === "json") env.out(json(facts));
		else {
			env.out(`balancing ${facts.version} (${facts.commit}), ${facts.runtime}, libbpf ${facts.libbpf}, `);
			env.out(`Linux ${facts.minimumKernel} or newer\n`);
		}
		return EXIT_OK;
	},
};
