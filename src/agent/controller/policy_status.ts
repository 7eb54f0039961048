// Writes the conditions of policies, only where they changed, and tells of the change by Events.

import { HubError } from "../../hub/request/hub_error.ts";
import { isConflict, metaOf, type ObjectPlace, type Objects } from "../../hub/request/objects.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { Policy, PolicyKey } from "../../model/policy.ts";
import type { Raw } from "../../model/raw.ts";
import type { Condition } from "./conditions.ts";
import type { EventFacts, EventWriter } from "./event_writer.ts";
import { createStatusTroubles } from "./status_troubles.ts";
import { changeOf, POLICY_KINDS, placeOf, type Wanted, wantedOf } from "./wanted_status.ts";

export interface PolicyStatus {
	/** Brings every status up to date. Never throws: `again` if something is to be tried soon. */
	write(cluster: Cluster): Promise<"done" | "again">;
	/** Somebody may have changed what was written: everything is read again by the next write. */
	forget(): void;
}

export interface PolicyStatusOptions {
	readonly objects: Objects;
	readonly events: EventWriter;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** As many are read one by one. */
const FEW = 10;
/** Credentials, conflicts, and what has to wait. */
const PASSING: ReadonlySet<number> = new Set([401, 408, 409, 429]);
const NOTHING: ReadonlyMap<string, Raw> = new Map();

export function createPolicyStatus({ objects, events, log, signal }: PolicyStatusOptions): PolicyStatus {
	/** What each status says for certain, of which object: one that was made again begins without. */
	const known = new Map<PolicyKey, { readonly policy: Policy | undefined; readonly text: string }>();
	const troubles = createStatusTroubles(log);

	/** Whether that is settled; if not, a snapshot with the object as it is will come. */
	async function writeOne(key: PolicyKey, wanted: Wanted, listed: Raw | undefined): Promise<boolean> {
		const place = placeOf(key);
		const object = listed ?? (await objects.get(place));
		if (object === undefined || metaOf(object, "deletionTimestamp") !== undefined) return true;
		const change = changeOf(key, object, wanted, `${new Date().toISOString().slice(0, 19)}Z`);
		if (change?.status === undefined) return change !== undefined;
		const metadata = { resourceVersion: metaOf(object, "resourceVersion") };
		const body = { metadata, status: change.status };
		const written = await objects.patch(place, { type: "merge", body, subresource: "status" });
		if (troubles.wasTold(key, written, JSON.stringify([metaOf(object, "uid"), wanted.conditions]))) return true;
		for (const condition of change.news) {
			log.info({ policy: key, ...condition }, "A policy's condition changed");
			await events.emit(eventOf(place, object, condition));
		}
		return true;
	}

	/** Whether it is to be tried again soon. */
	function isForSoon(key: PolicyKey, err: unknown): boolean {
		if (signal.aborted) return false;
		if (isConflict(err)) return true;
		const said = err instanceof HubError ? `${err.status} ${err.reason}` : String(err);
		troubles.fail(said, key, err);
		return !(err instanceof HubError && isFinal(err));
	}

	async function bring(key: PolicyKey, wanted: Wanted, listed: Raw | undefined): Promise<"done" | "again"> {
		const { policy, conditions } = wanted;
		const done = { policy, text: JSON.stringify(conditions) };
		const before = known.get(key);
		if (signal.aborted || (before?.policy === policy && before?.text === done.text)) return "done";
		try {
			if (await writeOne(key, wanted, listed)) known.set(key, done);
		} catch (err) {
			if (isForSoon(key, err)) return "again";
			known.set(key, done);
		}
		return "done";
	}

	function drop(key: PolicyKey): void {
		known.delete(key);
		troubles.forget(key);
	}

	function forgetGone(wanted: ReadonlyMap<PolicyKey, Wanted>): void {
		for (const key of known.keys()) if (!wanted.has(key)) drop(key);
	}

	return {
		async write(cluster) {
			const wanted = wantedOf(cluster);
			forgetGone(wanted);
			// Two requests instead of one for each, where nothing is known of any.
			const listed = known.size === 0 && wanted.size > FEW ? await readAll(objects) : NOTHING;
			let isAgain = false;
			for (const [key, each] of wanted) isAgain = (await bring(key, each, listed.get(key))) === "again" || isAgain;
			return isAgain ? "again" : "done";
		},
		forget() {
			known.clear();
		},
	};
}

/** The right is not there a second later, nor is an object valid that an older definition let in: what changes is heard of. */
function isFinal({ status }: HubError): boolean {
	return status >= 400 && status < 500 && !PASSING.has(status);
}

/** By key; none where that fails, as each is asked for then. */
async function readAll(objects: Objects): Promise<ReadonlyMap<string, Raw>> {
	try {
		const lists = await Promise.all(
			POLICY_KINDS.map(async (kind) => {
				const list = await objects.list(kind);
				return list.map((object) => [`${kind.kind} ${metaOf(object, "name")}`, object] as const);
			}),
		);
		return new Map(lists.flat());
	} catch {
		return NOTHING;
	}
}

function eventOf(place: ObjectPlace, object: Raw, { status, reason, message }: Condition): EventFacts {
	return {
		regarding: { ...place, uid: metaOf(object, "uid") ?? "" },
		type: status === "True" ? "Normal" : "Warning",
		reason,
		note: message,
	};
}
