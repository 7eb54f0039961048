// Plans written down as tables, for tests below the planner.

import type { L4Address } from "../../src/model/address.ts";
import { parseL4Address } from "../../src/model/address.ts";
import type { Chunk, Frontend, Plan, Self } from "../../src/plan/plan_types.ts";

/** Frontend address to `active | terminating`, addresses parted by spaces: `{ "10.96.0.1:80/TCP": "10.0.0.1:80/TCP | " }`. */
export type Table = Readonly<Record<string, string>>;

/** One chunk for each object: `{ "demo/web": { ... } }`. */
export function planOf(objects: Readonly<Record<string, Table>>): Plan {
	const chunks = Object.entries(objects).map(([object, table]) => [object, chunkOf(object, table)] as const);
	return { chunks: new Map(chunks), addresses: new Map(), problems: [] };
}

/** An agent that knows nothing of itself but its node's name. */
export function selfOf(nodeName: string): Self {
	return { nodeName, reach: "auto", addresses: [] };
}

export function chunkOf(object: string, table: Table): Chunk {
	return { object, frontends: Object.entries(table).map(([address, sets]) => frontendOf(object, address, sets)) };
}

export function l4(text: string): L4Address {
	const parsed = parseL4Address(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

export function frontendOf(object: string, address: string, sets: string): Frontend {
	const [active, terminating] = sets.split("|").map((part) => part.split(" ").filter(Boolean).map(l4).sort());
	return {
		address: l4(address),
		name: `${object}:http`,
		mode: "ServiceClusterIP",
		active: active ?? [],
		terminating: terminating ?? [],
		keepsPeer: true,
	};
}
