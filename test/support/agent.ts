// What is left of an agent when only the datapath counts: attaches, writes a plan, and stays until it is killed.

import { CAPACITY } from "../../src/datapath/capacity.ts";
import { openDatapath } from "../../src/datapath/datapath.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { planOf, type Spec } from "./datapath.ts";

/** `bun test/support/agent.ts CGROUP PIN_PATH SPECS`, the last one as JSON. */
function main([cgroup, pinPath, specs]: readonly string[]): void {
	if (cgroup === undefined || pinPath === undefined || specs === undefined) throw new Error("Too few arguments");
	const datapath = openDatapath({ cgroup, pinPath, events: "off", eventsRate: 0 });
	const writer = createWriter({ maps: datapath.maps, capacity: CAPACITY, firstGeneration: 1 });
	const wanted: readonly Spec[] = JSON.parse(specs);
	const { failures } = writer.write(planOf(wanted), { synced: true });
	console.log(failures.length === 0 ? "ready" : JSON.stringify(failures));
	setInterval(() => {}, 1000);
}

if (import.meta.main) main(process.argv.slice(2));
