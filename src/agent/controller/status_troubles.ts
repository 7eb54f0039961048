// What is the matter with writing the status of policies: told once, however often it is met.

import type { Log } from "../../lib/log.ts";
import type { PolicyKey } from "../../model/policy.ts";
import type { Raw } from "../../model/raw.ts";
import { conditionsIn } from "./conditions.ts";

export interface StatusTroubles {
	/** `kind` is what makes two of them the same. */
	fail(kind: string, policy: PolicyKey, err: unknown): void;
	/** Whether the server dropped the conditions of what it wrote, and `text` says what was told of that policy the last time. */
	wasTold(policy: PolicyKey, written: Raw, text: string): boolean;
	/** The policy is gone. */
	forget(policy: PolicyKey): void;
}

export function createStatusTroubles(log: Log): StatusTroubles {
	const complained = new Set<string>();
	const dropped = new Map<PolicyKey, string>();

	function once(kind: string, say: () => void): void {
		if (!complained.has(kind)) say();
		complained.add(kind);
	}

	return {
		fail(kind, policy, err) {
			once(kind, () => log.warn({ err, policy }, "Cannot write the status of a policy"));
		},
		// A definition without status.conditions, as that of elf-io/balancing, makes them news again each time they are read.
		wasTold(policy, written, text) {
			if (conditionsIn(written).length > 0) {
				dropped.delete(policy);
				return false;
			}
			const fact = "The API server drops the conditions of policies: apply edge/crds of this version";
			once("dropped", () => log.warn({ policy }, fact));
			const isOld = dropped.get(policy) === text;
			dropped.set(policy, text);
			return isOld;
		},
		forget: (policy) => void dropped.delete(policy),
	};
}
