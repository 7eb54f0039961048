// What endpoints come to: where new connections go, and what keeps the flows it has.

import type { L4Address } from "../../model/address.ts";
import type { HealthCheck } from "../../model/health_check.ts";
import type { Quarantine } from "../plan_types.ts";
import { probeKey } from "../probes.ts";
import type { ConsideredEndpoint, EndpointUse, Verdict } from "./explanation.ts";

export function verdictOf(endpoints: readonly ConsideredEndpoint[]): Verdict {
	const active = reachedBy(endpoints, "new");
	const terminating = reachedBy(endpoints, "flows").filter((address) => !active.includes(address));
	if (active.length === 0) return { kind: "refuse", errno: "ECONNREFUSED", terminating };
	return { kind: "translate", active, terminating };
}

/** Sorted, distinct. */
function reachedBy(endpoints: readonly ConsideredEndpoint[], use: EndpointUse): readonly L4Address[] {
	return [...new Set(endpoints.filter((each) => each.use === use).flatMap(({ through }) => through))].sort();
}

/**
 * Without the addresses that have failed their probes, which are those of new connections alone. Where no more than `panic` percent of
 * them are well, it is more likely that the probes are wrong, or that a little is better than nothing: all are used.
 */
export function withoutQuarantined(
	endpoints: readonly ConsideredEndpoint[],
	check: HealthCheck | undefined,
	quarantine: Quarantine,
	note: (step: string) => unknown,
): readonly ConsideredEndpoint[] {
	if (check === undefined) return endpoints;
	const probed = reachedBy(endpoints, "new");
	const failed = probed.filter((address) => quarantine.has(probeKey(address, check)));
	if (failed.length === 0) return endpoints;
	const well = probed.length - failed.length;
	if (well * 100 <= check.panic * probed.length) {
		note(`Only ${well} of ${probed.length} backends are well, no more than ${check.panic} percent: all are used`);
		return endpoints;
	}
	note(`Quarantined by the health check: ${failed.join(", ")}`);
	return endpoints.map((each) => {
		const through = each.through.filter((address) => !failed.includes(address));
		if (through.length === each.through.length) return each;
		return through.length > 0
			? { ...each, through }
			: { ...each, use: "none", through, why: `${each.why}; quarantined: its health check has failed` };
	});
}
