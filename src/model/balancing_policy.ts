// balancing.elf.io/v1beta1 BalancingPolicy -> BalancingPolicy.

import * as v from "valibot";
import type { Ip } from "./address.ts";
import { readHealthCheck } from "./health_check.ts";
import { QOS_LIMIT } from "./local_redirect_policy.ts";
import { type Metadata, project } from "./metadata.ts";
import type { BalancingPolicy, PolicyBackend, WeightedAddress } from "./policy.ts";
import { beginPolicy, readEndpointSelector, refuseAnnotation } from "./policy_base.ts";
import { type At, chooseOne, demandPart, LEFT_OUT, readPart } from "./policy_fields.ts";
import { MAX_ADDRESSES, REDIRECT_MODES } from "./policy_limits.ts";
import { readPolicyPorts } from "./policy_ports.ts";
import { field, type Raw } from "./raw.ts";
import { type Projection, type Report, wrong } from "./report.ts";
import { UnicastIp } from "./schemas.ts";
import { readAddressWeights, WEIGHT } from "./weight.ts";

/**
 * Projects a BalancingPolicy. Left out as a whole: without a name, one frontend, one backend that says where to, or any acceptable port
 * on both sides. Else the wrong part is left out or has its default.
 */
export function projectBalancingPolicy(object: unknown): Projection<BalancingPolicy> {
	return project("BalancingPolicy", object, readPolicy);
}

function readPolicy(object: Raw, report: Report): BalancingPolicy | undefined {
	const begun = beginPolicy(object, report);
	if (begun === undefined) return undefined;
	const { meta, spec, base } = begun;
	const backend = readBackend(spec, meta, report);
	const healthCheck = readHealthCheck(meta, report);
	refuseAnnotation(meta, QOS_LIMIT, "Only a LocalRedirectPolicy has a limit: remove it", report);
	if (base === undefined || backend === undefined) return undefined;
	return { kind: "BalancingPolicy", ...base, backend, ...(healthCheck === undefined ? {} : { healthCheck }) };
}

function readBackend(spec: Raw, meta: Metadata, report: Report): PolicyBackend | undefined {
	const fields = ["serviceEndpoint", "addressEndpoint"] as const;
	const part = demandPart(spec, "backend", fields, { path: ["spec"], report });
	if (part === undefined) return undefined;
	const at = { path: ["spec", "backend"], report };
	switch (chooseOne(part, fields, at)) {
		case "serviceEndpoint":
			refuseAnnotation(meta, WEIGHT, "Weights of Pods are their own: annotate the Pods", report);
			return readServiceEndpoint(part, at);
		case "addressEndpoint":
			return readAddressEndpoint(part, meta, at);
		default:
			return undefined;
	}
}

/** Of another mode the right destinations are unknown, and the default's would be wrong ones. */
const Mode = v.nullish(v.picklist(REDIRECT_MODES, wrong("a mode", `use ${REDIRECT_MODES.join(", ")}`)), "podEndpoint");

function readServiceEndpoint(backend: Raw, { path, report }: At): PolicyBackend | undefined {
	const known = ["endpointSelector", "redirectMode", "toPorts"];
	const endpoint = readPart(backend, "serviceEndpoint", known, { path, report });
	if (endpoint === undefined) return undefined;
	const at = { path: [...path, "serviceEndpoint"], report };
	const pods = readEndpointSelector(endpoint, at);
	const place = { path: [...at.path, "redirectMode"], consequence: LEFT_OUT };
	const mode = report.read(Mode, field(endpoint, "redirectMode"), place);
	const ports = readPolicyPorts(endpoint, "backend", at);
	if (pods === undefined || mode === undefined || ports === undefined) return undefined;
	return { kind: "pods", mode: mode ?? "podEndpoint", pods, ports };
}

function readAddressEndpoint(backend: Raw, meta: Metadata, { path, report }: At): PolicyBackend | undefined {
	const endpoint = readPart(backend, "addressEndpoint", ["addresses", "toPorts"], { path, report });
	if (endpoint === undefined) return undefined;
	const at = { path: [...path, "addressEndpoint"], report };
	const ips = readAddresses(endpoint, at);
	const ports = readPolicyPorts(endpoint, "backend", at);
	if (ips.size === 0) return undefined;
	const weights = readAddressWeights(meta, ips, report);
	if (ports === undefined) return undefined;
	const addresses = [...ips].map((ip): WeightedAddress => ({ ip, weight: weights.get(ip) ?? 1 }));
	return { kind: "addresses", addresses, ports };
}

function readAddresses(endpoint: Raw, at: At): ReadonlySet<Ip> {
	const { report } = at;
	const path = [...at.path, "addresses"];
	const list = report.list(field(endpoint, "addresses"), { path, consequence: LEFT_OUT }, MAX_ADDRESSES);
	if (list?.length === 0) report.add(path, "InvalidObject", `Missing: give at least one address; ${LEFT_OUT}`);
	const ips = new Set<Ip>();
	for (const [index, text] of (list ?? []).entries()) {
		const place = { path: [...path, index], consequence: "the address is left out" };
		const ip = report.read(UnicastIp, text ?? undefined, place);
		if (ip !== undefined && ips.has(ip)) {
			report.add(place.path, "InvalidObject", `A second ${ip}: keep one; to send it more, use annotation ${WEIGHT}`);
		} else if (ip !== undefined) ips.add(ip);
	}
	return ips;
}
