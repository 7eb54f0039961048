// One probe of one backend, as its check says.

import { closeSync, openSync } from "node:fs";
import { assertNever } from "../../lib/assert_never.ts";
import { type L4Address, l4Address, l4Parts } from "../../model/address.ts";
import type { HealthCheck } from "../../model/health_check.ts";
import type { Probe } from "../../plan/plan_types.ts";
import { probeDns } from "./dns_probe.ts";
import type { Target } from "./examination.ts";
import { probeHttp } from "./http_probe.ts";
import { failed, failedWith, type Outcome } from "./outcome.ts";
import { probeTcp } from "./tcp_probe.ts";

/** The first part of the annotation, and the port if it is another one: `tcp`, `http:/healthz port=8081`. */
export function questionText({ probe, port }: HealthCheck): string {
	return `${kindText(probe)}${port === undefined ? "" : ` port=${port}`}`;
}

function kindText(probe: HealthCheck["probe"]): string {
	switch (probe.kind) {
		case "tcp":
			return "tcp";
		case "http":
		case "https":
			return `${probe.kind}:${probe.path}`;
		case "dns":
			return `dns:${probe.name}`;
		default:
			return assertNever(probe);
	}
}

function begin(probe: HealthCheck["probe"], target: Target): Promise<Outcome> {
	switch (probe.kind) {
		case "tcp":
			return probeTcp(target);
		case "http":
		case "https":
			return probeHttp(target, probe.kind, probe.path);
		case "dns":
			return probeDns(target, probe.name);
		default:
			return assertNever(probe);
	}
}

/** Why we cannot open another socket; undefined if we can. Bun calls a connect() without one ECONNREFUSED. */
function ownFault(): string | undefined {
	try {
		closeSync(openSync("/dev/null", "r"));
		return undefined;
	} catch (error) {
		const outcome = failedWith(error);
		return outcome.kind === "failed" ? `no more files can be opened: ${outcome.reason}` : undefined;
	}
}

/** Where a probe goes: by TCP, or by UDP if it asks a DNS server, whatever clients use. */
export function targetOf({ address, check: { probe, port } }: Probe): L4Address {
	const parts = l4Parts(address);
	return l4Address(parts.ip, port ?? parts.port, probe.kind === "dns" ? "UDP" : "TCP");
}

/** Never rejects. It goes out from this process's network namespace, to the backend's own address or the check's port. */
export async function runProbe(probe: Probe, signal: AbortSignal): Promise<Outcome> {
	const { check } = probe;
	const { ip, port } = l4Parts(targetOf(probe));
	const target: Target = { ip, port, timeout: check.timeout, signal };
	let outcome: Outcome;
	try {
		outcome = await begin(check.probe, target);
	} catch (error) {
		// What cannot be asked, a path or a name, would be so at every backend.
		outcome = failed(error instanceof Error ? error.message : String(error));
	}
	if (outcome.kind !== "failed") return outcome;
	const fault = ownFault();
	return fault === undefined ? outcome : { kind: "broken", reason: fault };
}
