// All rows, in the order of the contract's list.

import type { Row } from "./row.ts";
import { ACCEPTANCE_POLICY_ROWS } from "./rows_acceptance_policies.ts";
import { ACCEPTANCE_SERVICE_ROWS } from "./rows_acceptance_services.ts";
import { AFFINITY_ROWS } from "./rows_affinity.ts";
import { LABEL_ROWS } from "./rows_labels.ts";
import { OWN_POLICY_ROWS } from "./rows_own_policies.ts";
import { POLICY_ROWS } from "./rows_policy.ts";
import { PORT_ROWS } from "./rows_ports.ts";
import { REACH_ROWS } from "./rows_reach.ts";
import { SHAPE_ROWS } from "./rows_shape.ts";
import { TERMINATION_ROWS } from "./rows_termination.ts";
import { UDP_ROWS } from "./rows_udp.ts";
import { UPSTREAM_ROWS } from "./rows_upstream.ts";

const SERVICE_ROWS = [...SHAPE_ROWS, ...PORT_ROWS].sort((a, b) => numberOf(a.id) - numberOf(b.id));

function numberOf(id: string): number {
	return Number(/\d+/.exec(id)?.[0]);
}

export const ROWS: readonly Row[] = [
	...SERVICE_ROWS,
	...TERMINATION_ROWS,
	...AFFINITY_ROWS,
	...UDP_ROWS,
	...POLICY_ROWS,
	...LABEL_ROWS,
	...REACH_ROWS,
	...UPSTREAM_ROWS,
	...OWN_POLICY_ROWS,
	...[...ACCEPTANCE_SERVICE_ROWS, ...ACCEPTANCE_POLICY_ROWS].sort((a, b) => numberOf(a.id) - numberOf(b.id)),
];
