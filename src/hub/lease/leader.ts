// One of several works at a time: whoever holds the Lease, for as long as it can be renewed.

import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { isConflict, type Objects } from "../request/objects.ts";
import { createLeaseRecord, type LeaseRecord } from "./lease_record.ts";

/** Milliseconds. */
export interface LeaseTiming {
	/** For how long after its last change nobody else takes it. Whole seconds. */
	readonly duration: number;
	/** Who could not renew it for so long stops working: less than the duration, as clocks do not run evenly. */
	readonly deadline: number;
	/** Between two tries. */
	readonly retry: number;
}

/** client-go's defaults. */
export const LEASE_TIMING: LeaseTiming = { duration: 15_000, deadline: 10_000, retry: 2000 };
/** Tries of those that do not have it are spread by so much more. */
const SPREAD = 1.2;

export interface LeaderOptions {
	/** Requests that end with the signal. */
	readonly objects: (signal: AbortSignal) => Objects;
	readonly namespace: string;
	readonly name: string;
	/** Of this process: nobody else has it, not even a later one of the same Pod. */
	readonly identity: string;
	/** Works until the signal is aborted: the lease is lost, or everything ends. */
	readonly lead: (signal: AbortSignal) => Promise<void>;
	readonly clock: Clock;
	/** From 0 up to 1. */
	readonly random: () => number;
	readonly log: Log;
	readonly signal: AbortSignal;
	readonly timing?: LeaseTiming;
}

export interface Leader {
	isLeading(): boolean;
	/** Who leads, as far as it was seen; "" for nobody. */
	holder(): string;
	/** Settles when the signal is aborted, the work has ended and the lease is released; rejects if the work does. */
	readonly stopped: Promise<void>;
}

/** `unknown`: no answer, or somebody was faster. */
type Taken = "ours" | "others" | "unknown";

/** Starts at once. */
export function followLease(options: LeaderOptions): Leader {
	const { identity, lead, clock, random, log, signal, timing = LEASE_TIMING } = options;
	const record = createLeaseRecord({ ...options, duration: timing.duration });
	const takeWithin = createTaking(options, record);
	let isLeading = false;

	async function leadWhileHeld(): Promise<void> {
		const lost = new AbortController();
		isLeading = true;
		log.info({ identity }, "Leading");
		const working = lead(lost.signal);
		try {
			// A work that ends by itself has failed.
			await Promise.race([hold(takeWithin, options), working.then(() => new Promise(() => {}))]);
		} finally {
			isLeading = false;
			lost.abort();
		}
		await working;
		if (signal.aborted) await release(record, options);
		else log.warn({ identity, holder: record.holder() }, "Not leading any more");
	}

	async function run(): Promise<void> {
		while (!signal.aborted) {
			if ((await takeWithin(timing.deadline)) === "ours") await leadWhileHeld();
			else await clock.sleep(timing.retry * (1 + SPREAD * random()), signal);
		}
	}

	return { isLeading: () => isLeading, holder: record.holder, stopped: run() };
}

/** Takes or renews it, within so many milliseconds. */
function createTaking({ objects, clock, log, signal, ...lease }: LeaderOptions, record: LeaseRecord) {
	let complained = "";

	return async function takeWithin(milliseconds: number): Promise<Taken> {
		const ended = new AbortController();
		const stop = (): void => ended.abort();
		signal.addEventListener("abort", stop);
		const timer = clock.sleep(milliseconds, ended.signal).then(stop);
		try {
			const isOurs = await record.take(objects(ended.signal));
			complained = "";
			return isOurs ? "ours" : "others";
		} catch (err) {
			if (signal.aborted || isConflict(err)) return "unknown";
			// Tried every two seconds, told once.
			if (String(err) !== complained)
				log.warn({ err, lease: `${lease.namespace}/${lease.name}` }, "Cannot get the lease");
			complained = String(err);
			return "unknown";
		} finally {
			signal.removeEventListener("abort", stop);
			ended.abort();
			await timer;
		}
	};
}

/** Until it is lost. */
async function hold(
	takeWithin: (milliseconds: number) => Promise<Taken>,
	{ clock, signal, timing = LEASE_TIMING }: LeaderOptions,
): Promise<void> {
	let renewed = clock.now();
	while (!signal.aborted) {
		await clock.sleep(timing.retry, signal);
		const asked = clock.now();
		const left = renewed + timing.deadline - asked;
		if (left <= 0 || signal.aborted) return;
		const taken = await takeWithin(left);
		if (taken === "others") return;
		// Counted from before the request: whoever waits for its end has seen it later.
		if (taken === "ours") renewed = asked;
	}
}

async function release(record: LeaseRecord, { objects, log, timing = LEASE_TIMING }: LeaderOptions): Promise<void> {
	try {
		await record.release(objects(AbortSignal.timeout(timing.retry)));
	} catch (err) {
		if (!isConflict(err)) log.info({ err }, "The lease was not given back; it ends by itself");
	}
}
