// How it goes with one kind: for the status page, for the log, and for whoever waits for all kinds.

import type { Log } from "../../lib/log.ts";
import type { Problem } from "../../model/problem.ts";
import { HubError } from "../request/hub_error.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Scope } from "./needs.ts";

/** Of one kind, in all namespaces or in one. */
export interface KindStatus {
	/** `Services`, `Services in demo`. */
	readonly title: string;
	/** It was read completely at least once. */
	readonly synced: boolean;
	/** The last change that came; null before the first. */
	readonly lastEvent: Date | null;
	/** When the server was last heard of, if it is not being followed now; null if it is. */
	readonly staleSince: Date | null;
	/** The last failure; null once it goes well again. */
	readonly problem: string | null;
}

export interface KindState {
	readonly reading: Reading;
	/** A byte has come. */
	heard(): void;
	/** A list was read completely, and what is known is up to date. */
	listed(): void;
	/** A list was read completely, but nothing tells of changes after it. */
	read(): void;
	/** A list was read completely, and not all of it is believed. */
	listedInDoubt(message: string): void;
	/** A watch is open: what is known is up to date. */
	live(): void;
	/** An object came or went. */
	changed(): void;
	failed(error: unknown): void;
	doubted(message: string): void;
	status(): KindStatus;
}

/** A kind that is read anew: what is known of it is of no one moment with what is known of other kinds. */
export interface Reading {
	begin(): void;
	end(how: "complete" | "broken"): void;
	isGoingOn(): boolean;
	/** How often it was read to the end. */
	count(): number;
}

function createReading(): Reading {
	let isGoingOn = false;
	let count = 0;
	return {
		begin() {
			isGoingOn = true;
		},
		end(how) {
			if (isGoingOn && how === "complete") count += 1;
			isGoingOn = false;
		},
		isGoingOn: () => isGoingOn,
		count: () => count,
	};
}

export interface KindStateOptions {
	readonly scope: Scope;
	readonly view: ClusterView;
	readonly log: Log;
	readonly onChange: () => void;
}

export function createKindState({ scope, view, log, onChange }: KindStateOptions): KindState {
	const { title } = scope;
	let synced = false;
	let lastEvent: Date | null = null;
	let lastHeard = new Date();
	let staleSince: Date | null = lastHeard;
	let problem: string | null = null;
	const reading = createReading();

	function complain(found: Problem | undefined): void {
		view.complain(title, found === undefined ? [] : [found]);
		onChange();
	}

	function recover(): void {
		if (problem !== null) {
			const since = staleSince?.toISOString();
			log.info({ kind: title, ...(since === undefined ? {} : { staleSince: since }) }, "The hub is followed again");
			problem = null;
			complain(undefined);
		}
		staleSince = null;
	}

	function read(): void {
		if (!synced) log.info({ kind: title }, "Read completely");
		synced = true;
		reading.end("complete");
		lastEvent ??= new Date();
		onChange();
	}

	function doubt(message: string): void {
		reading.end("broken");
		// Confirmed again and again, told once.
		if (message !== problem) log.warn({ kind: title }, message);
		problem = message;
		complain({ object: title, reason: "Doubtful", message });
	}

	return {
		reading,
		heard() {
			lastHeard = new Date();
		},
		listed() {
			recover();
			read();
		},
		read,
		listedInDoubt(message) {
			staleSince = null;
			doubt(message);
			read();
		},
		live: recover,
		changed() {
			lastEvent = new Date();
			onChange();
		},
		failed(error) {
			reading.end("broken");
			staleSince ??= lastHeard;
			const message = error instanceof Error ? error.message : String(error);
			// Tried again and again, told once.
			if (message !== problem) tellFailure(log, title, error);
			problem = message;
			complain(problemOf(scope, error));
		},
		doubted: doubt,
		status: () => ({ title, synced, lastEvent, staleSince, problem }),
	};
}

function tellFailure(log: Log, title: string, error: unknown): void {
	// What the hub did says nothing of our own calls; anything else is a fault of ours.
	const facts = error instanceof HubError ? { failure: error.message } : { err: error };
	log.warn({ kind: title, ...facts }, "Cannot follow the hub");
	log.debug({ kind: title, err: error }, "Where it failed");
}

/** What a user can do something about; that a hub is away is no user's mistake. */
function problemOf({ need, title, namespace }: Scope, error: unknown): Problem | undefined {
	const status = error instanceof HubError ? error.status : 0;
	const resource = need.group === "" ? need.resource : `${need.resource}.${need.group}`;
	if (status === 403) {
		const role = namespace === undefined ? "ClusterRole" : `Role in ${namespace}`;
		const message = `The API server refuses to show them (403): grant list and watch on ${resource} in a ${role}`;
		return { object: title, reason: "Forbidden", message };
	}
	if (status === 404) {
		const message = `The API server does not have ${resource} in ${need.api} (404): install it, or use a Kubernetes that has it`;
		return { object: title, reason: "NotServed", message };
	}
	return undefined;
}
