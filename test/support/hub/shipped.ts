// The policies' definitions that we ship, for a hub that takes and refuses what a cluster would.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { holds } from "./cel.ts";
import type { HubOptions } from "./hub.ts";
import { parseManifests } from "./manifest.ts";

const FOLDER = join(import.meta.dir, "../../../edge/crds");

/** As in `startHub({ ...shippedPolicies(), users })`. */
export function shippedPolicies(): Required<Pick<HubOptions, "definitions" | "rules">> {
	const files = readdirSync(FOLDER).filter((name) => name.startsWith("balancing.elf.io_"));
	const definitions = files.flatMap((name) => parseManifests(readFileSync(join(FOLDER, name), "utf8")));
	return { definitions, rules: holds };
}
