// Where an object is in its life: what is set before the load cannot be set after it, and the other way round.

import { closedError } from "./descriptor.ts";
import { BpfError, errnoNumber } from "./errors.ts";

export interface Stage {
	/** Throws if the object is closed. */
	requireOpen(what: string): void;
	/** Throws unless the load succeeded. */
	requireLoaded(what: string): void;
	/** Throws if the load was tried. */
	requireUnloaded(what: string): void;
	to(next: "loaded" | "failed" | "closed"): void;
	readonly isClosed: boolean;
}

export function stageOf(object: string): Stage {
	let at: "open" | "loaded" | "failed" | "closed" = "open";

	function refuse(what: string, hint: string): BpfError {
		return new BpfError({ action: `use ${what} of ${object}`, call: "bpf_object", errno: errnoNumber("EINVAL"), hint });
	}
	function requireOpen(what: string): void {
		if (at === "closed") throw closedError(`${what} of ${object}`);
	}

	return {
		requireOpen,
		requireLoaded(what) {
			requireOpen(what);
			if (at === "open") throw refuse(what, "call load() first");
			if (at === "failed") throw refuse(what, "its load failed");
		},
		requireUnloaded(what) {
			requireOpen(what);
			if (at !== "open") throw refuse(what, "only before load()");
		},
		to(next) {
			at = next;
		},
		get isClosed() {
			return at === "closed";
		},
	};
}
