// balancing.elf.io/v1beta1 LocalRedirectPolicy -> LocalRedirectPolicy.

import { HEALTH_CHECK } from "./health_check.ts";
import { project } from "./metadata.ts";
import type { LocalRedirectPolicy } from "./policy.ts";
import { beginPolicy, readEndpointSelector, readUint32, refuseAnnotation } from "./policy_base.ts";
import { demandPart } from "./policy_fields.ts";
import { readPolicyPorts } from "./policy_ports.ts";
import type { Raw } from "./raw.ts";
import type { Projection, Report } from "./report.ts";
import { WEIGHT } from "./weight.ts";

export const QOS_LIMIT = "balancing.elf.io/redirect-qos-limit";

/**
 * Projects a LocalRedirectPolicy. Left out as a whole: without a name, one frontend, a selector that says which Pods, or any acceptable
 * port on both sides. Else the wrong part is left out or has its default.
 */
export function projectLocalRedirectPolicy(object: unknown): Projection<LocalRedirectPolicy> {
	return project("LocalRedirectPolicy", object, readPolicy);
}

function readPolicy(object: Raw, report: Report): LocalRedirectPolicy | undefined {
	const begun = beginPolicy(object, report);
	if (begun === undefined) return undefined;
	const { meta, spec, base } = begun;
	const at = { path: ["spec", "backend"], report };
	const backend = demandPart(spec, "backend", ["endpointSelector", "toPorts"], { path: ["spec"], report });
	const pods = backend && readEndpointSelector(backend, at);
	const ports = backend && readPolicyPorts(backend, "backend", at);
	const qosLimit = readUint32(meta, QOS_LIMIT, report);
	refuseAnnotation(
		meta,
		HEALTH_CHECK,
		"Pods on the own node are asked by their kubelet: give them a readiness probe",
		report,
	);
	refuseAnnotation(meta, WEIGHT, "Pods of a redirect have no weights: remove it", report);
	if (base === undefined || pods === undefined || ports === undefined) return undefined;
	return { kind: "LocalRedirectPolicy", ...base, pods, ports, ...(qosLimit === undefined ? {} : { qosLimit }) };
}
