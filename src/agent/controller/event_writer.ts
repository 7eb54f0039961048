// Kubernetes Events (events.k8s.io/v1): the same one counts, and there are never too many.

import { createHash } from "node:crypto";
import { microTime } from "../../hub/lease/lease_record.ts";
import { isConflict, type ObjectPlace, type Objects } from "../../hub/request/objects.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";

export interface EventFacts {
	readonly regarding: ObjectPlace & { readonly uid: string };
	readonly type: "Normal" | "Warning";
	/** CamelCase. */
	readonly reason: string;
	readonly note: string;
}

export interface EventWriter {
	/** Never throws: an Event that is lost is not missed. */
	emit(facts: EventFacts): Promise<void>;
}

export interface EventWriterOptions {
	readonly objects: Objects;
	/** Of this process. */
	readonly identity: string;
	readonly clock: Clock;
	readonly log: Log;
}

/** Events of objects in no namespace are there (the server's rule). */
const NAMESPACE = "default";
/** Of the API: events.k8s.io/v1 Event.note. */
const LONGEST_NOTE = 1024;
/** So many at once, then one in so many milliseconds. */
const BURST = 50;
const REFILL = 2000;
/** Of a name: 253, of which the rest is a hash. */
const LONGEST_PREFIX = 230;

export function createEventWriter({ objects, identity, clock, log }: EventWriterOptions): EventWriter {
	let left = BURST;
	let refilled = clock.now();
	let hasComplained = false;

	function isTooMany(): boolean {
		const earned = Math.floor((clock.now() - refilled) / REFILL);
		left = Math.min(BURST, left + earned);
		refilled += earned * REFILL;
		if (left > 0) left -= 1;
		else return true;
		return false;
	}

	function eventOf({ regarding, type, reason, note }: EventFacts): Raw {
		const { kind, apiVersion, name, uid } = regarding;
		return {
			eventTime: microTime(),
			reportingController: "balancing.elf.io/controller",
			// Of the API: at most 128 characters.
			reportingInstance: identity.slice(0, 128),
			action: "Program",
			reason,
			type,
			note,
			regarding: { kind, apiVersion, name, ...(uid === "" ? {} : { uid }) },
		};
	}

	/** It is there already: it happened once more. */
	async function count(place: ObjectPlace): Promise<void> {
		const before = await objects.get(place);
		const series = before === undefined ? undefined : field(before, "series");
		const former = isRaw(series) ? field(series, "count") : 1;
		const body = { series: { count: (typeof former === "number" ? former : 1) + 1, lastObservedTime: microTime() } };
		await objects.patch(place, { type: "merge", body });
	}

	async function createOrCount(place: ObjectPlace, event: Raw): Promise<void> {
		try {
			await objects.create(place, event);
		} catch (error) {
			if (!isConflict(error)) throw error;
			await count(place);
		}
	}

	return {
		async emit(facts) {
			if (isTooMany()) {
				log.info({ reason: facts.reason, of: facts.regarding.name }, "An Event is left out: there are too many");
				return;
			}
			const short = { ...facts, note: facts.note.slice(0, LONGEST_NOTE) };
			try {
				await createOrCount(placeOf(short), eventOf(short));
			} catch (err) {
				if (!hasComplained) log.warn({ err }, "Cannot write Events");
				hasComplained = true;
			}
		},
	};
}

/** The same Event has the same name, whoever writes it. */
function placeOf({ regarding, reason, note }: EventFacts): ObjectPlace {
	const hash = createHash("sha256")
		.update(JSON.stringify([regarding.kind, regarding.uid, reason, note]))
		.digest("hex");
	const name = `${regarding.name.slice(0, LONGEST_PREFIX)}.${hash.slice(0, 16)}`;
	return { kind: "Event", apiVersion: "events.k8s.io/v1", resource: "events", namespace: NAMESPACE, name };
}
