// How it goes with one kind: for the status page, for the log, and for whoever waits for all kinds.

import type { Log } from "../../lib/log.ts";
import type { ClusterView } from "./cluster_view.ts";
import { createComplaint } from "./complaint.ts";
import type { Known, Scope } from "./needs.ts";
import { createPresence } from "./presence.ts";

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
	readonly view: Pick<ClusterView, "complain">;
	readonly log: Log;
	readonly onChange: () => void;
}

export function createKindState({ scope, view, log, onChange }: KindStateOptions): KindState {
	const { title } = scope;
	const presence = createPresence(scope, log);
	const complaint = createComplaint({ scope, view, log, onChange });
	let lastEvent: Date | null = null;
	let lastHeard = new Date();
	let staleSince: Date | null = lastHeard;
	const reading = createReading();

	function recover(): void {
		const since = staleSince === null ? {} : { staleSince: staleSince.toISOString() };
		if (complaint.withdraw()) log.info({ kind: title, ...since }, "The hub is followed again");
		staleSince = null;
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
			read();
			doubt(message);
		},
		live: recover,
		changed() {
			lastEvent = new Date();
			onChange();
		},
		failed(error) {
			reading.end("broken");
			staleSince ??= lastHeard;
			if (complaint.fail(error) === "refused") presence.refused();
			onChange();
		},
		doubted: doubt,
		status: () => ({
			kind: scope.need.kind,
			title,
			isGivenUp: presence.isGivenUp(),
			synced: presence.isSettled(),
			lastEvent,
			staleSince: presence.isGivenUp() ? null : staleSince,
			problem: complaint.message(),
		}),
	};
}
