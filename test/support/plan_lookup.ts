// What the programs make of a plan for one connection, step by step as bpf/sock.bpf.c goes.

import { type L4Address, l4Address } from "../../src/model/address.ts";
import type { Question, Verdict } from "../../src/plan/explain/explanation.ts";
import type { Frontend, Plan } from "../../src/plan/plan_types.ts";

export interface Found {
	readonly verdict: Verdict;
	readonly frontend?: Frontend;
}

const REFUSE = { kind: "refuse", errno: "ECONNREFUSED", terminating: [] } as const;
const PASS: Found = { verdict: { kind: "pass" } };

/** Frontends by address. Throws if two have one. */
export function frontendsOf(plan: Plan): ReadonlyMap<L4Address, Frontend> {
	const frontends = new Map<L4Address, Frontend>();
	for (const frontend of [...plan.chunks.values()].flatMap((chunk) => chunk.frontends)) {
		if (frontends.has(frontend.address)) throw new Error(`Two frontends have ${frontend.address}`);
		frontends.set(frontend.address, frontend);
	}
	return frontends;
}

/** The exact address first; on a miss what the address is known for. */
export function lookUp(plan: Plan, { ip, port, protocol, client }: Question): Found {
	const frontends = frontendsOf(plan);
	const exact = frontends.get(l4Address(ip, port, protocol));
	if (exact !== undefined) return found(exact);
	const known = plan.addresses.get(ip);
	if (known === undefined) return PASS;
	if (known.kind === "clusterIp") return { verdict: REFUSE };
	if (known.scope === "host" && client.scope === "pod") return PASS;
	const nodePort = frontends.get(l4Address(known.nodePorts, port, protocol));
	if (nodePort === undefined || (nodePort.ownNodeOnly && known.scope === "remote")) return PASS;
	return found(nodePort);
}

function found(frontend: Frontend): Found {
	const { active, terminating } = frontend;
	const verdict =
		active.length === 0 ? { ...REFUSE, terminating } : { kind: "translate" as const, active, terminating };
	return { frontend, verdict };
}
