// An explanation as lines for a person.

import { assertNever } from "../../lib/assert_never.ts";
import { type L4Address, l4Address } from "../../model/address.ts";
import type { ConsideredEndpoint, Explanation, Question, Verdict } from "./explanation.ts";

/**
 * One line for each step and each endpoint; the last one says what becomes of the connection. Each ends in a newline.
 *
 *     10.96.0.10:80/TCP is a cluster IP of Service demo/web, port http 80/TCP
 *       10.244.1.11:8080/TCP on node a: new connections (ready)
 *       10.244.1.12:8080/TCP on node b: only UDP flows that it has (terminating, and still serving)
 *     would connect to 10.244.1.11:8080/TCP, because Service demo/web has 1 endpoint for new connections
 */
export function renderExplanation(question: Question, explanation: Explanation): string {
	const { steps, endpoints, because } = explanation;
	const last = `${renderVerdict(question, explanation)}, because ${because}${renderLimit(question, explanation)}`;
	return [...steps, ...endpoints.map(renderEndpoint), last].map((line) => `${line}\n`).join("");
}

const USES = { new: "new connections", flows: "only UDP flows that it has", none: "not used" } as const;

function renderEndpoint({ pod, address, node, use, through, weight, why }: ConsideredEndpoint): string {
	const who = [...(pod === undefined ? [] : [`Pod ${pod}`]), ...(address === undefined ? [] : [address])].join(" at ");
	const where = node === "" ? "" : ` on node ${node}`;
	const way = through.length === 0 || through[0] === address ? "" : `, through ${through.join(" and ")}`;
	const share = weight === undefined || use !== "new" ? "" : `, weight ${weight}`;
	return `  ${who}${where}: ${USES[use]}${way}${share} (${why})`;
}

function renderVerdict({ ip, port, protocol }: Question, { verdict, frontend }: Explanation): string {
	const sticky = frontend?.affinity === undefined || verdict.kind !== "translate" ? "" : ", the same one for a client";
	return `${renderWay(l4Address(ip, port, protocol), verdict)}${sticky}`;
}

function renderLimit({ ip, port, protocol }: Question, { limited }: Explanation): string {
	if (limited === undefined) return "";
	return `; what is over ${limited.perSecond} a second ${renderWay(l4Address(ip, port, protocol), limited.verdict)}`;
}

/** What becomes of a connection to the address: `would connect to 10.244.1.11:8080/TCP`. */
export function renderWay(address: L4Address, verdict: Verdict): string {
	switch (verdict.kind) {
		case "pass":
			return `would connect to ${address} as it is`;
		case "refuse":
			return `would be refused with ${verdict.errno}`;
		case "translate":
			return `would connect to ${verdict.active.join(" or ")}`;
		default:
			return assertNever(verdict);
	}
}
