// What this build calls itself.

import manifest from "../package.json" with { type: "json" };

/** Replaced at build time (scripts/build.ts); absent when the sources are run as they are. */
declare const BALANCING_COMMIT: string | undefined;

export interface Version {
	/** Semantic version of the release that these sources lead to. */
	readonly version: string;
	/** Git commit; ends in `-dirty` if the sources differed from it, `unknown` without Git, `source` if not built. */
	readonly commit: string;
}

/** Names this build. */
export function getVersion(): Version {
	return {
		version: manifest.version,
		commit: typeof BALANCING_COMMIT === "string" ? BALANCING_COMMIT : "source",
	};
}
