// The maps as sorted text with all their numbers, for test cases.

import type { Maps } from "../../src/datapath/maps.ts";
import { backendIds, readMemory, runsOf } from "./program_view.ts";

/**
 * One line for each backend, by id, and for each frontend, by id:
 *
 *     BACKEND 1 10.244.1.11:8080/TCP
 *     FRONTEND 1 10.96.0.1:80/TCP demo/web:http generation 1 slots 0+2 active 1 terminating 2 keeps-peer
 *
 * The ids of backends stand after `active` and `terminating`; `next` after the address of what is found only past the redirect there, and
 * `redirect`, with its limit, at the end of a redirect's line.
 */
export function mapsText(maps: Maps): string {
	const memory = readMemory(maps);
	const backends = [...backendIds(memory)]
		.sort(([, a], [, b]) => a - b)
		.map(([address, id]) => `BACKEND ${id} ${address}`);
	const frontends = [...memory.frontends]
		.sort((a, b) => a.id - b.id)
		.map((frontend) => {
			const { id, address, generation, base, members, flags, guard, limit } = frontend;
			const [active, terminating] = runsOf(memory, frontend);
			const parts = [
				`FRONTEND ${id} ${address} ${memory.names.get(id)} generation ${generation} slots ${base}+${members}`,
				...(active.length > 0 ? [`active ${active.join(" ")}`] : []),
				...(terminating.length > 0 ? [`terminating ${terminating.join(" ")}`] : []),
				...((flags & 1) === 1 ? ["keeps-peer"] : []),
				...(guard === 0n ? [] : ["redirect"]),
				...(limit === 0 ? [] : [`limit ${limit}/s`]),
			];
			return parts.join(" ");
		});
	return [...backends, ...frontends].map((line) => `${line}\n`).join("");
}
