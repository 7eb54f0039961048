// How it goes with one kind: for the status page, for the log, and for whoever waits for all kinds.

import type { Log } from "../../lib/log.ts";
import { HubError } from "../request/hub_error.ts";
import type { ClusterView } from "./cluster_view.ts";
import { createComplaint } from "./complaint.ts";
import type { Known } from "./needs.ts";
import { createPresence, type Presence } from "./presence.ts";
import type { Scope } from "./scopes.ts";

/** Of one kind, in all namespaces or in one. */
export interface KindStatus {
	readonly kind: Known["kind"];
	/** `Services`, `Services in demo`. */
	readonly title: string;
	/** It was read completely at least once, or given up. */
	readonly synced: boolean;
	/** It was never read, the hub does not show it, and there is a sense without it (`Need.without`). */
	readonly isGivenUp: boolean;
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
	/** `absent`: it is plain that the cluster does not have this kind, and need not; all that was known of it is gone. */
	failed(error: unknown): "absent" | "failed";
	/** The hub has nothing of a kind that it need not have. */
	missing(): void;
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

/** Since when what is known may be old. */
function createAge() {
	let lastHeard = new Date();
	let since: Date | null = lastHeard;
	return {
		heard() {
			lastHeard = new Date();
		},
		begin() {
			since ??= lastHeard;
		},
		end() {
			since = null;
		},
		since: () => since,
	};
}

export interface KindStateOptions {
	readonly scope: Scope;
	readonly view: Pick<ClusterView, "complain">;
	readonly log: Log;
	readonly onChange: () => void;
}

export function createKindState({ scope, view, log, onChange }: KindStateOptions): KindState {
	const { title } = scope;
	const presence = createPresence(scope, log);
	const complaint = createComplaint({ scope, view, log, onChange });
	let lastEvent: Date | null = null;
	const age = createAge();
	const reading = createReading();

	function recover(): void {
		const staleSince = age.since()?.toISOString();
		if (complaint.withdraw()) log.info({ kind: title, staleSince }, "The hub is followed again");
		age.end();
	}

	function read(): void {
		presence.read();
		reading.end("complete");
		lastEvent ??= new Date();
		onChange();
	}

	function doubt(message: string): void {
		presence.blank();
		reading.end("broken");
		complaint.doubt(message);
	}

	function failed(error: unknown): "absent" | "failed" {
		reading.end("broken");
		const isAbsent = isMissing(scope, error) && presence.missing();
		if (isMissing(scope, error)) complaint.withdraw();
		else {
			age.begin();
			if (complaint.fail(error) === "refused") presence.refused();
		}
		onChange();
		return isAbsent ? "absent" : "failed";
	}

	return {
		reading,
		heard: age.heard,
		listed() {
			recover();
			read();
		},
		read,
		listedInDoubt(message) {
			age.end();
			read();
			doubt(message);
		},
		live: recover,
		changed() {
			lastEvent = new Date();
			onChange();
		},
		failed,
		missing() {
			reading.end("broken");
			presence.absent();
			onChange();
		},
		doubted: doubt,
		status() {
			const isUnknown = presence.isGivenUp() || presence.isAbsent();
			const staleSince = isUnknown ? null : age.since();
			return { ...statusOf(scope, presence), lastEvent, staleSince, problem: complaint.message() };
		},
	};
}

function statusOf({ need, title }: Scope, presence: Presence) {
	return { kind: need.kind, title, isGivenUp: presence.isGivenUp(), synced: presence.isSettled() };
}

/** Its definition is not installed. */
export function isMissing({ need }: Pick<Scope, "need">, error: unknown): boolean {
	return need.install !== undefined && error instanceof HubError && error.status === 404;
}
