// Whether others still wait for a kind: until it was read, or, where there is a sense without it, until it is plain that it is not shown.

import type { Log } from "../../lib/log.ts";
import type { Scope } from "./scopes.ts";

/** A server that has just started does not know everybody's rights yet; the second answer is asked for soon. */
const REFUSALS = 2;

export interface Presence {
	/** It was read completely. */
	read(): void;
	/** The server refuses to show it, or does not have it. */
	refused(): void;
	/** The server has nothing of it that could be believed. */
	blank(): void;
	/** The server says that it does not have a kind that need not be there (`Need.install`). True once that is plain. */
	missing(): boolean;
	/** That is plain. */
	absent(): void;
	/** Nobody waits for it. */
	isSettled(): boolean;
	/** Nobody waits for it, and nothing is known of it: nothing of it can be old. */
	isGivenUp(): boolean;
	/** It is plain that the cluster does not have it: there is nothing to know. */
	isAbsent(): boolean;
}

export function createPresence({ need, title }: Pick<Scope, "need" | "title">, log: Log): Presence {
	let state: "awaited" | "given up" | "absent" | "known" = "awaited";
	let refusals = 0;
	let absences = 0;

	function giveUp(): void {
		if (state !== "awaited" || need.without === undefined) return;
		state = "given up";
		log.warn({ kind: title, unknown: need.without }, "Followed without a kind that the hub does not show");
	}

	function absent(): void {
		if (state !== "absent") log.info({ kind: title, install: need.install }, "The cluster does not have a kind");
		state = "absent";
	}

	return {
		read() {
			if (state !== "known") log.info({ kind: title }, "Read completely");
			state = "known";
			absences = 0;
		},
		refused() {
			if (++refusals >= REFUSALS) giveUp();
		},
		blank: giveUp,
		missing() {
			if (++absences >= REFUSALS) absent();
			return absences >= REFUSALS;
		},
		absent,
		isSettled: () => state !== "awaited",
		isGivenUp: () => state === "given up",
		isAbsent: () => state === "absent",
	};
}
