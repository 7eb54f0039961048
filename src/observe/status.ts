// What the agent knows about itself, as data and as a page for people.

import type { Problem } from "../model/problem.ts";
import { type HealthStatus, healthLine, renderHealth } from "./health/health_status.ts";
import { type PolicyStatus, renderPolicies } from "./policy_status.ts";

export interface HubStatus {
	/** `manifests PATH`. */
	readonly name: string;
	/** It has been read completely at least once. */
	readonly synced: boolean;
	/** As long as it is not: a copy of that time (RFC 3339) stands in for it; null if there is none, or no need. */
	readonly copyOf: string | null;
	/** RFC 3339; null before the first change. */
	readonly lastChange: string | null;
	/**
	 * RFC 3339: it was last heard of then, and what is known since is the last good state; null while it is followed. The time of the
	 * copy while one stands in for it.
	 */
	readonly staleSince: string | null;
	/** What is the matter with it, one sentence each. */
	readonly troubles: readonly string[];
}

export interface WriteStatus {
	/** RFC 3339. */
	readonly at: string;
	readonly milliseconds: number;
	readonly operations: number;
	readonly failures: number;
}

/** Sockets whose backend was gone. */
export interface SocketsStatus {
	/** How many of a protocol were closed, and how many could not be, since the start. */
	readonly closed: Readonly<Record<"UDP" | "TCP", { readonly closed: number; readonly failed: number }>>;
	/** Why not all are closed; null if all are. */
	readonly limit: string | null;
}

/** The answer of `/status`, and of `balancing status -o json`. */
export interface AgentStatus {
	readonly version: string;
	readonly commit: string;
	readonly node: string;
	readonly pid: number;
	/** RFC 3339. */
	readonly started: string;
	/** Every hub is synced, the attachment is proved, and the kernel holds what is wanted. */
	readonly ready: boolean;
	/** Why not, if it is not. */
	readonly notReady: readonly string[];
	readonly hubs: readonly HubStatus[];
	readonly attachment: {
		readonly cgroup: string;
		readonly pinPath: string;
		/** A canary connect() was answered by our programs. */
		readonly proved: boolean;
		/** Why not, if it is not. */
		readonly reason: string | null;
	};
	readonly frontends: number;
	readonly backends: number;
	readonly lastWrite: WriteStatus | null;
	/** Why a connection was let through untranslated, or an event was lost: counts since the maps were made. */
	readonly faults: Readonly<Record<string, number>>;
	/** Connections to ports that a cluster IP does not have, since the maps were made. */
	readonly unknownPortRefusals: number;
	readonly sockets: SocketsStatus;
	readonly health: HealthStatus;
	readonly policies: readonly PolicyStatus[];
	readonly problems: readonly Problem[];
}

/** What an agent of a former version does not say: a new binary asks it until it is started anew. */
const NOT_SAID: Pick<AgentStatus, "health" | "policies"> = {
	health: { backends: [], probes: { passed: 0, failed: 0, broken: 0 } },
	policies: [],
};

/** The answer of `/status`. */
export function parseStatus(text: string): AgentStatus {
	return { ...NOT_SAID, ...JSON.parse(text) };
}

/** `Service demo/web spec.ports[0]: message (InvalidObject, FILE:LINE)`. */
export function problemLine({ object, field, message, reason, source }: Problem): string {
	const where = source === undefined ? reason : `${reason}, ${source}`;
	return `${object}${field === undefined ? "" : ` ${field}`}: ${message} (${where})`;
}

function hubLine({ name, synced, copyOf, lastChange, staleSince, troubles }: HubStatus): string {
	const why = troubles.length === 0 ? "" : `: ${troubles.join("; ")}`;
	if (!synced) return `${name}: not read yet${copyOf === null ? "" : `, serving the copy of ${copyOf}`}${why}`;
	const last = lastChange === null ? "" : `, last change ${lastChange}`;
	return `${name}: synced${last}${staleSince === null ? "" : `, STALE since ${staleSince}`}${why}`;
}

function socketsLine({ closed: { UDP, TCP }, limit }: SocketsStatus): string {
	const failed = UDP.failed + TCP.failed;
	const told = `${UDP.closed} UDP, ${TCP.closed} TCP${failed === 0 ? "" : `, ${failed} could not be`}`;
	return limit === null ? told : `${told}; NOT ALL: ${limit}`;
}

/** For a terminal; ends in a line break. */
export function renderStatus(status: AgentStatus): string {
	const { attachment, lastWrite } = status;
	const proved = attachment.proved
		? "proved by a canary connect"
		: `NOT PROVED: ${attachment.reason ?? "not tried yet"}`;
	const rows: readonly (readonly [string, string])[] = [
		["Ready", status.ready ? "yes" : `NO: ${status.notReady.join("; ")}`],
		[
			"Agent",
			`pid ${status.pid} on ${status.node}, version ${status.version} (${status.commit}), since ${status.started}`,
		],
		...status.hubs.map((hub) => ["Hub", hubLine(hub)] as const),
		["Attached", `${attachment.cgroup}, ${proved}`],
		["Pins", attachment.pinPath],
		["Programmed", `${status.frontends} frontends, ${status.backends} backends`],
		[
			"Last write",
			lastWrite
				? `${lastWrite.at}, ${lastWrite.operations} operations in ${lastWrite.milliseconds} ms, ${lastWrite.failures} failed`
				: "none yet",
		],
		[
			"Faults",
			Object.entries(status.faults)
				.map(([name, count]) => `${name} ${count}`)
				.join(", "),
		],
		...(status.unknownPortRefusals === 0
			? []
			: [["Refused", `${status.unknownPortRefusals} connections to ports that a cluster IP does not have`] as const]),
		["Closed", socketsLine(status.sockets)],
	];
	const line = ([name, value]: readonly [string, string]) => `${name.padEnd(12)}${value}\n`;
	const policies = status.policies.length === 0 ? [] : [line(["Policies", String(status.policies.length)])];
	const health = status.health.backends.length === 0 ? [] : [line(["Health", healthLine(status.health)])];
	return [
		...rows.map(line),
		...health,
		renderHealth(status.health),
		...policies,
		renderPolicies(status.policies),
		line(["Problems", String(status.problems.length)]),
		...status.problems.map((problem) => `  ${problemLine(problem)}\n`),
	].join("");
}
