// What is the matter with one kind: told once in the log however often it is met, and a Problem if a user can do something about it.

import type { Log } from "../../lib/log.ts";
import type { Problem } from "../../model/problem.ts";
import { HubError } from "../request/hub_error.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Scope } from "./scopes.ts";

export interface Complaint {
	/** Nothing is the matter any more. True if something was. */
	withdraw(): boolean;
	doubt(message: string): void;
	/** `refused`: the server does not show it; `failed`: it could not be asked. */
	fail(error: unknown): "refused" | "failed";
	message(): string | null;
}

export interface ComplaintOptions {
	readonly scope: Scope;
	readonly view: Pick<ClusterView, "complain">;
	readonly log: Log;
	readonly onChange: () => void;
}

export function createComplaint({ scope, view, log, onChange }: ComplaintOptions): Complaint {
	const { title } = scope;
	let known: string | null = null;

	function show(found: Problem | undefined): void {
		view.complain(title, found === undefined ? [] : [found]);
		onChange();
	}

	return {
		withdraw() {
			if (known === null) return false;
			known = null;
			show(undefined);
			return true;
		},
		doubt(message) {
			if (message !== known) log.warn({ kind: title }, message);
			known = message;
			show({ object: title, reason: "Doubtful", message });
		},
		fail(error) {
			const message = error instanceof Error ? error.message : String(error);
			if (message !== known) tellFailure(log, title, error);
			known = message;
			const problem = problemOf(scope, error);
			show(problem);
			return problem === undefined ? "failed" : "refused";
		},
		message: () => known,
	};
}

function tellFailure(log: Log, title: string, error: unknown): void {
	// What the hub did says nothing of our own calls; anything else is a fault of ours.
	const facts = error instanceof HubError ? { failure: error.message } : { err: error };
	log.warn({ kind: title, ...facts }, "Cannot follow the hub");
	log.debug({ kind: title, err: error }, "Where it failed");
}

/** Bad Request, URI Too Long, Request Header Fields Too Large: a selector may be long, and nobody shall wait for it. */
const NOT_TAKEN: ReadonlySet<number> = new Set([400, 414, 431]);

/** What a user can do something about; that a hub is away is no user's mistake. */
function problemOf({ need, title, namespace }: Scope, error: unknown): Problem | undefined {
	const end = need.without === undefined ? "" : `; until then nothing is heard of ${need.without}`;
	const status = error instanceof HubError ? error.status : 0;
	const resource = need.group === "" ? need.resource : `${need.resource}.${need.group}`;
	if (status === 403) {
		const role = namespace === undefined ? "ClusterRole" : `Role in ${namespace}`;
		const message = `The API server refuses to show them (403): grant list and watch on ${resource} in a ${role}${end}`;
		return { object: title, reason: "Forbidden", message };
	}
	if (status === 404) {
		const message = `The API server does not have ${resource} in ${need.api} (404): install it, or use a Kubernetes that has it${end}`;
		return { object: title, reason: "NotServed", message };
	}
	if (NOT_TAKEN.has(status) && need.without !== undefined) {
		const asked = `The API server, or a proxy before it, does not take the question (${status})`;
		return { object: title, reason: "Unsupported", message: `${asked}: select by fewer labels and values${end}` };
	}
	return undefined;
}
