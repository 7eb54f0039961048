// What the programs make of a plan for one connection, step by step as bpf/sock.bpf.c goes.

import { type L4Address, l4Address } from "../../src/model/address.ts";
import type { Question, Verdict } from "../../src/plan/explain/explanation.ts";
import type { Frontend, Plan } from "../../src/plan/plan_types.ts";

export interface Found {
	readonly verdict: Verdict;
	readonly frontend?: Frontend;
	/** Of a redirect that has a limit: what becomes of what is over it. */
	readonly limited?: { readonly perSecond: number } & Omit<Found, "limited">;
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

/** The exact address first, unless a redirect there is gone past; on a miss what the address is known for. */
export function lookUp(plan: Plan, question: Question): Found {
	const { ip, port, protocol, client } = question;
	const frontends = frontendsOf(plan);
	const exact = frontends.get(l4Address(ip, port, protocol));
	if (exact === undefined) return lookUpKnown(plan, frontends, question);
	const { redirect } = exact;
	if (redirect === undefined) return toBackends(exact);
	const after = redirect.next === undefined ? lookUpKnown(plan, frontends, question) : toBackends(redirect.next);
	const own = plan.guards.get(redirect.guard);
	if (own === undefined) throw new Error(`No guards of ${redirect.guard}, which ${exact.address} asks for`);
	const isOwn = client.pod !== undefined && own.some((each) => each.pod === client.pod);
	if (isOwn || exact.active.length === 0) return after;
	const limited = { perSecond: redirect.limit, ...after };
	return redirect.limit === 0 ? toBackends(exact) : { ...toBackends(exact), limited };
}

function lookUpKnown(
	plan: Plan,
	frontends: ReadonlyMap<L4Address, Frontend>,
	{ ip, port, protocol, client }: Question,
): Found {
	const known = plan.addresses.get(ip);
	if (known === undefined) return PASS;
	if (known.kind === "clusterIp") return { verdict: REFUSE };
	if (known.scope === "host" && client.scope === "pod") return PASS;
	const nodePort = frontends.get(l4Address(known.nodePorts, port, protocol));
	if (nodePort === undefined || (nodePort.ownNodeOnly && known.scope === "remote")) return PASS;
	return toBackends(nodePort);
}

function toBackends(frontend: Frontend): Found {
	const { active, terminating } = frontend;
	const distinct = [...new Set(active)];
	const verdict =
		active.length === 0 ? { ...REFUSE, terminating } : { kind: "translate" as const, active: distinct, terminating };
	return { frontend, verdict };
}
