// Resolution events: from the kernel's ring buffer to one log line each.

import { readFileSync } from "node:fs";
import { ringBuffer } from "bun-ffi-libbpf";
import type { OpenMaps } from "../datapath/datapath.ts";
import { decodeEvent } from "../datapath/events.ts";
import type { Maps } from "../datapath/maps.ts";
import { addressNames, frontendNames } from "../datapath/view.ts";
import type { Log } from "../lib/log.ts";
import type { Ip } from "../model/address.ts";
import { type Policy, policyKey } from "../model/policy.ts";
import { type NatType, natTypeOf, objectOf, resolutionRecord } from "../observe/resolution.ts";
import { CANARY } from "../plan/canary.ts";
import type { Plan } from "../plan/plan_types.ts";
import type { Clients } from "./clients.ts";

export interface EventLogOptions {
	readonly datapath: OpenMaps;
	readonly node: string;
	/** The policies of the plan; the identical map as long as none changes. */
	readonly policies: () => Plan["policies"];
	/** Who made a resolution. */
	readonly clients: Clients;
	/** Takes the events. */
	readonly resolutions: Log;
	/** Takes what goes wrong with them. */
	readonly log: Log;
}

export interface EventLog extends AsyncDisposable {
	/** Frontends may have other names by now. */
	forgetNames(): void;
}

/** Milliseconds for which the clocks' difference is believed: the wall clock may be set at any time. */
const CLOCK_AGE = 1000;

/** Milliseconds since the epoch of an event's CLOCK_BOOTTIME, which /proc/uptime shows to 10 ms (os.uptime() rounds to seconds). */
function createWallClock(): (time: bigint) => number {
	let read = Number.NEGATIVE_INFINITY;
	let booted = 0;
	return (time) => {
		const now = Date.now();
		if (Math.abs(now - read) > CLOCK_AGE) {
			booted = now - Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000;
			read = now;
		}
		return Math.min(now, booted + Number(time / 1_000_000n));
	};
}

/** Names by frontend id, read again for an id that is new, and by address where there is no frontend. */
function createNames(maps: Maps) {
	let names = new Map<number, string>();
	let addresses: ReadonlyMap<Ip, string> | undefined;
	return {
		/** Whose cluster IP it is. */
		at(ip: Ip): string {
			addresses ??= addressNames(maps);
			return addresses.get(ip) ?? "";
		},
		of(id: number): string {
			let name = names.get(id);
			if (name === undefined) {
				names = new Map(frontendNames(maps));
				name = names.get(id) ?? "";
				// Of a frontend that is gone: not to be looked for again at each of its last events.
				names.set(id, name);
			}
			return name;
		},
		forget() {
			names.clear();
			addresses = undefined;
		},
	};
}

const POLICY_KINDS: Readonly<Record<NatType, Policy["kind"] | undefined>> = {
	service: undefined,
	localRedirect: "LocalRedirectPolicy",
	balancing: "BalancingPolicy",
};

/** What policies' annotations say, by kind and name; of several hubs' the first one's. */
function createServiceIds(policies: () => Plan["policies"]) {
	let read: Plan["policies"] | undefined;
	const ids = new Map<string, number | undefined>();

	function readAll(states: Plan["policies"]): void {
		ids.clear();
		for (const { policy } of states.values()) {
			const key = policyKey(policy);
			if (!ids.has(key)) ids.set(key, policy.serviceId);
		}
		read = states;
	}

	return (type: NatType, object: string): number | undefined => {
		const kind = POLICY_KINDS[type];
		if (kind === undefined) return undefined;
		const now = policies();
		if (now !== read) readAll(now);
		return ids.get(policyKey({ kind, name: object }));
	};
}

/** Nothing runs while nothing happens. */
export function createEventLog(options: EventLogOptions): EventLog {
	const { datapath, node, policies, clients, resolutions, log } = options;
	const canaries = new Set(CANARY.frontends.map((frontend) => frontend.name));
	const names = createNames(datapath.maps);
	const serviceIdOf = createServiceIds(policies);
	const wallClock = createWallClock();
	let complained = false;

	function write(record: Uint8Array): void {
		const event = decodeEvent(record);
		if (!event) return;
		const name = event.reason === "UnknownPort" ? names.at(event.original.ip) : names.of(event.frontendId);
		// Our own proof of the attachment is no user's connection.
		if (canaries.has(name)) return;
		const serviceId = serviceIdOf(natTypeOf(event.mode), objectOf(name));
		const context = {
			name,
			node,
			time: wallClock(event.time),
			client: clients(event),
			...(serviceId === undefined ? {} : { serviceId }),
		};
		const { result, ...fields } = resolutionRecord(event, context);
		resolutions.info({ result, ...fields }, "resolution");
	}

	const ring = ringBuffer(datapath.events, (record) => {
		try {
			write(record);
		} catch (err) {
			// The events to come may be well, and the agent has more to do than to tell of them.
			if (!complained) log.error({ err }, "Cannot log a resolution event; further ones are not reported");
			complained = true;
		}
	});
	return {
		forgetNames: names.forget,
		[Symbol.asyncDispose]: async () => ring[Symbol.dispose](),
	};
}
