// A Lease (coordination.k8s.io/v1): whose it is, and taking, renewing and giving it back as client-go's leaderelection does.

import type { Clock } from "../../lib/clock.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import type { ObjectPlace, Objects } from "../request/objects.ts";

export interface LeaseRecord {
	/** Whether it is ours now. Throws HubError where nobody knows, and at a conflict: somebody else was faster. */
	take(objects: Objects): Promise<boolean>;
	/** If it is ours, the next one need not wait. */
	release(objects: Objects): Promise<void>;
	/** Who has it, as far as it was seen; "" for nobody. */
	holder(): string;
}

export interface LeaseRecordOptions {
	readonly namespace: string;
	readonly name: string;
	readonly identity: string;
	/** Milliseconds after its last change in which nobody else takes it. Whole seconds. */
	readonly duration: number;
	readonly clock: Clock;
}

/** What was last read, and when it was seen to change: the holder's clock is not trusted. */
interface Observed {
	readonly spec: string;
	readonly at: number;
}

export function createLeaseRecord({ namespace, name, identity, duration, clock }: LeaseRecordOptions): LeaseRecord {
	const place: ObjectPlace = {
		kind: "Lease",
		apiVersion: "coordination.k8s.io/v1",
		resource: "leases",
		namespace,
		name,
	};
	let observed: Observed = { spec: "", at: 0 };
	let holder = "";

	function observe(lease: Raw): Raw {
		const given = field(lease, "spec");
		const spec = isRaw(given) ? given : {};
		const text = JSON.stringify(spec);
		if (text !== observed.spec) observed = { spec: text, at: clock.now() };
		holder = textOf(spec, "holderIdentity");
		return spec;
	}

	function ours(before: Raw | undefined): Raw {
		const now = microTime();
		const isOurs = before !== undefined && textOf(before, "holderIdentity") === identity;
		const transitions = before === undefined ? 0 : numberOf(before, "leaseTransitions") + (isOurs ? 0 : 1);
		return {
			...before,
			holderIdentity: identity,
			leaseDurationSeconds: Math.round(duration / 1000),
			acquireTime: isOurs ? field(before, "acquireTime") : now,
			renewTime: now,
			leaseTransitions: transitions,
		};
	}

	return {
		async take(objects) {
			const lease = await objects.get(place);
			if (lease === undefined) {
				observe(await objects.create(place, { spec: ours(undefined) }));
				return true;
			}
			const spec = observe(lease);
			const wait = numberOf(spec, "leaseDurationSeconds") * 1000;
			const isHeld = holder !== "" && holder !== identity && clock.now() < observed.at + wait;
			if (isHeld) return false;
			observe(await objects.replace(place, { ...lease, spec: ours(spec) }));
			return true;
		},
		async release(objects) {
			const lease = await objects.get(place);
			if (lease === undefined) return;
			const spec = observe(lease);
			if (holder !== identity) return;
			const released = { ...ours(spec), holderIdentity: "", leaseDurationSeconds: 1 };
			observe(await objects.replace(place, { ...lease, spec: released }));
		},
		holder: () => holder,
	};
}

function textOf(spec: Raw, key: string): string {
	const value = field(spec, key);
	return typeof value === "string" ? value : "";
}

function numberOf(spec: Raw, key: string): number {
	const value = field(spec, key);
	return typeof value === "number" && value >= 0 ? value : 0;
}

/** meta/v1 MicroTime: six digits and a zone, or the server answers 400. */
export function microTime(now = new Date()): string {
	return `${now.toISOString().slice(0, -1)}000Z`;
}
