// Troubles of a hub's kinds, gathered.

import { expect, test } from "bun:test";
import { gatherTroubles } from "./troubles.ts";

const AWAY = "at https://10.0.0.1:6443: ECONNREFUSED";

test.each<[string, readonly (string | null | undefined)[], readonly string[]]>([
	["nothing", [undefined, null], []],
	["one kind", [null, `Cannot watch Services ${AWAY}`], [`Cannot watch Services ${AWAY}`]],
	[
		"all kinds by one cause",
		[`Cannot watch Services ${AWAY}`, `Cannot watch Nodes ${AWAY}`, `Cannot watch Pods with app=a ${AWAY}`],
		[`Cannot watch Services ${AWAY}, and 2 more of its kinds`],
	],
	[
		"two causes",
		[`Cannot watch Services ${AWAY}`, "Cannot list Nodes: 500 no", `Cannot watch Pods ${AWAY}`, "something else"],
		[`Cannot watch Services ${AWAY}, and 1 more of its kinds`, "Cannot list Nodes: 500 no", "something else"],
	],
	[
		"the same twice",
		["Cannot log in", "Cannot log in", `Cannot watch Pods ${AWAY}`, `Cannot watch Pods ${AWAY}`],
		["Cannot log in", `Cannot watch Pods ${AWAY}`],
	],
])("gatherTroubles() of %s", (_, troubles, expected) => {
	expect(gatherTroubles(troubles)).toEqual(expected);
});
