// Lists of ports, of which thousands of objects have the same: one value for all of them.

import type { ServicePort } from "./cluster.ts";

/** Lists that are remembered at once; then it begins anew. */
const MOST_SHARED = 5000;
const shared = new Map<string, readonly ServicePort[]>();

/** The one value that stands for this list; the list itself if it has node ports, which no two Services share. */
export function sharePorts(ports: readonly ServicePort[]): readonly ServicePort[] {
	let key = "";
	for (const { name, port, protocol, nodePort } of ports) {
		if (nodePort !== undefined) return ports;
		// No name of a port has a slash or a blank.
		key += `${name}/${port}/${protocol} `;
	}
	const known = shared.get(key);
	if (known !== undefined) return known;
	if (shared.size >= MOST_SHARED) shared.clear();
	shared.set(key, ports);
	return ports;
}
