// A plan as stable text, which is what test cases compare, and as JSON for scripts.

import type { L4Address } from "../model/address.ts";
import type { Problem } from "../model/problem.ts";
import type { Frontend, Plan } from "./plan_types.ts";

/**
 * One line for each frontend, sorted by address, then one for each Problem:
 *
 *     FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.244.1.11:8080 | terminating 10.244.1.12:8080
 *     FRONTEND 10.96.0.2:80/TCP demo/empty:http ServiceClusterIP -> refused
 *     PROBLEM Service demo/web spec.ports[1] InvalidObject: 80/TCP stands here twice: the first one is used (web.yaml:3)
 *
 * "" if there is nothing; otherwise each line ends in a newline.
 */
export function renderPlan(plan: Plan): string {
	const lines = [...frontendsOf(plan).map(renderFrontend), ...plan.problems.map(renderProblem)];
	return lines.map((line) => `${line}\n`).join("");
}

/** The same as plain data: what JSON.stringify makes of it is stable. */
export function planToJson(plan: Plan): {
	readonly frontends: readonly Frontend[];
	readonly problems: readonly Problem[];
} {
	return { frontends: frontendsOf(plan), problems: plan.problems };
}

export function renderFrontend({ address, name, mode, active, terminating, keepsPeer }: Frontend): string {
	const marks = keepsPeer ? "" : " peer-address=backend";
	return `FRONTEND ${address} ${name} ${mode}${marks} -> ${renderBackends(active, terminating)}`;
}

/** Where connections go; `refused` if nowhere. */
export function renderBackends(active: readonly L4Address[], terminating: readonly L4Address[]): string {
	const now = active.length === 0 ? "refused" : active.map(withoutProtocol).join(" ");
	return terminating.length === 0 ? now : `${now} | terminating ${terminating.map(withoutProtocol).join(" ")}`;
}

export function renderProblem({ object, source, field, reason, message }: Problem): string {
	const place = field === undefined ? object : `${object} ${field}`;
	return `PROBLEM ${place} ${reason}: ${message}${source === undefined ? "" : ` (${source})`}`;
}

function frontendsOf(plan: Plan): readonly Frontend[] {
	return [...plan.chunks.values()].flatMap((chunk) => chunk.frontends).sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** A backend has its frontend's protocol. */
function withoutProtocol(address: L4Address): string {
	return address.slice(0, address.lastIndexOf("/"));
}
