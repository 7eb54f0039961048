// Writes the conditions of policies, only where they changed, and tells of the change by Events.

import { HubError } from "../../hub/request/hub_error.ts";
import {
	isConflict,
	isForbidden,
	isNotFound,
	metaOf,
	type ObjectPlace,
	type Objects,
} from "../../hub/request/objects.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { Policy, PolicyKey } from "../../model/policy.ts";
import type { Raw } from "../../model/raw.ts";
import type { Condition } from "./conditions.ts";
import type { EventWriter } from "./event_writer.ts";
import { changeOf, placeOf, type Wanted, wantedOf } from "./wanted_status.ts";

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

export function createPolicyStatus({ objects, events, log, signal }: PolicyStatusOptions): PolicyStatus {
	/** What each status says for certain, of which object: one that was made again begins without. */
	const known = new Map<PolicyKey, { readonly policy: Policy | undefined; readonly text: string }>();
	const complained = new Set<string>();

	/** Whether that is settled; if not, a snapshot with the object as it is will come. */
	async function writeOne(key: PolicyKey, wanted: Wanted): Promise<boolean> {
		const place = placeOf(key);
		const object = await objects.get(place);
		if (object === undefined || metaOf(object, "deletionTimestamp") !== undefined) return true;
		const change = changeOf(key, object, wanted, `${new Date().toISOString().slice(0, 19)}Z`);
		if (change?.status === undefined) return change !== undefined;
		const metadata = { resourceVersion: metaOf(object, "resourceVersion") };
		const body = { metadata, status: change.status };
		await objects.patch(place, { type: "merge", body, subresource: "status" });
		for (const condition of change.news) await tell(place, object, condition);
		return true;
	}

	async function tell(place: ObjectPlace, object: Raw, { type, status, reason, message }: Condition): Promise<void> {
		log.info(
			{ policy: `${place.kind} ${place.name}`, condition: type, status, reason, fact: message },
			"A policy's condition changed",
		);
		await events.emit({
			regarding: { ...place, uid: metaOf(object, "uid") ?? "" },
			type: status === "True" ? "Normal" : "Warning",
			reason,
			note: message,
		});
	}

	/** Whether it is to be tried again soon. */
	function isForSoon(key: PolicyKey, err: unknown): boolean {
		if (signal.aborted) return false;
		if (isConflict(err)) return true;
		const said = err instanceof HubError ? `${err.status} ${err.reason}` : String(err);
		if (!complained.has(said)) log.warn({ err, policy: key }, "Cannot write the status of a policy");
		complained.add(said);
		// The right, or the subresource of an older definition, is not there a second later.
		return !isForbidden(err) && !isNotFound(err);
	}

	async function bring(key: PolicyKey, wanted: Wanted): Promise<"done" | "again"> {
		const { policy, conditions } = wanted;
		const done = { policy, text: JSON.stringify(conditions) };
		const before = known.get(key);
		if (signal.aborted || (before?.policy === policy && before?.text === done.text)) return "done";
		try {
			if (await writeOne(key, wanted)) known.set(key, done);
		} catch (err) {
			if (isForSoon(key, err)) return "again";
			known.set(key, done);
		}
		return "done";
	}

	return {
		async write(cluster) {
			const wanted = wantedOf(cluster);
			for (const key of known.keys()) if (!wanted.has(key)) known.delete(key);
			let result: "done" | "again" = "done";
			for (const [key, each] of wanted) if ((await bring(key, each)) === "again") result = "again";
			return result;
		},
		forget() {
			known.clear();
			complained.clear();
		},
	};
}
