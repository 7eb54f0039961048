// What the hub does wrong when a test wants it: instead of an answer, or with it.

import type { Buffer } from "node:buffer";
import { setTimeout } from "node:timers/promises";
import { headersFor, sendError } from "./answer.ts";
import type { Connection, Response } from "./http.ts";
import { fits, type RequestFilter, type RequestRecord } from "./log.ts";
import type { ApiError } from "./status.ts";

/** How a connection breaks. */
export type Break = "fin" | "reset" | "silence";

export type Fault =
	/** An error instead of the answer: status.ts makes them. */
	| { readonly kind: "error"; readonly error: ApiError }
	/** The answer, but later. */
	| { readonly kind: "delay"; readonly ms: number }
	/** No answer. */
	| { readonly kind: "break"; readonly how: Break }
	/** The answer up to so many bytes, head included. */
	| { readonly kind: "cut"; readonly bytes: number; readonly how: Break }
	/** The answer, so many bytes at a time. */
	| { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number }
	/** 200 and any content: garbage, gigabytes; then a clean end, or a break. */
	| {
			readonly kind: "content";
			readonly pieces: Iterable<string | Buffer>;
			readonly contentType?: string;
			/** How it ends; "end" is the terminating chunk. */
			readonly ending: Break | "end";
	  };

export interface Injected {
	/** How often it struck. */
	readonly hits: () => number;
	remove(): void;
}

export interface Faults {
	/** The requests that fit meet the fault, so many times; without a number until it is removed. */
	inject(filter: RequestFilter, fault: Fault, times?: number): Injected;
	/** The faults of a request; each is counted. */
	strike(record: RequestRecord): readonly Fault[];
	clear(): void;
}

export function createFaults(): Faults {
	interface Rule {
		readonly filter: RequestFilter;
		readonly fault: Fault;
		left: number;
		hits: number;
	}
	const rules = new Set<Rule>();
	return {
		inject(filter, fault, times = Number.POSITIVE_INFINITY) {
			const rule: Rule = { filter, fault, left: times, hits: 0 };
			rules.add(rule);
			return { hits: () => rule.hits, remove: () => void rules.delete(rule) };
		},
		strike(record) {
			const struck = [...rules].filter(({ filter }) => fits(record, filter));
			for (const rule of struck) {
				rule.hits += 1;
				rule.left -= 1;
				if (rule.left <= 0) rules.delete(rule);
			}
			return struck.map(({ fault }) => fault);
		},
		clear: () => rules.clear(),
	};
}

export function breakConnection(connection: Connection, how: Break): void {
	if (how === "fin") connection.fin();
	else if (how === "reset") connection.reset();
	else connection.silence();
}

/** Does to an answer what the faults say. True if it has been answered so, and nothing must follow. */
export async function suffer(faults: readonly Fault[], response: Response): Promise<boolean> {
	for (const fault of faults) if (await sufferOne(fault, response)) return true;
	return false;
}

async function sufferOne(fault: Fault, response: Response): Promise<boolean> {
	switch (fault.kind) {
		case "delay":
			await setTimeout(fault.ms, undefined, { ref: false });
			return false;
		case "error":
			await sendError(response, fault.error);
			return true;
		case "break":
			breakConnection(response.connection, fault.how);
			return true;
		case "cut":
			response.connection.cutAfter(fault.bytes, fault.how);
			return false;
		case "drip":
			response.connection.drip(fault.bytes, fault.everyMs);
			return false;
		case "content":
			await sendContent(fault, response);
			return true;
	}
}

async function sendContent(fault: Extract<Fault, { kind: "content" }>, response: Response): Promise<void> {
	response.start(200, headersFor(fault.contentType ?? "application/json"));
	for (const piece of fault.pieces) {
		if (!response.connection.isOpen()) return;
		if (!response.chunk(piece)) await response.drained();
		// Lets the socket's events in: an endless source would starve them.
		await setTimeout(0);
	}
	if (fault.ending === "end") response.finish();
	else breakConnection(response.connection, fault.ending);
}
