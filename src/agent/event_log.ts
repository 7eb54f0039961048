// Resolution events: from the kernel's ring buffer to one log line each.

import { uptime } from "node:os";
import { ringBuffer } from "bun-ffi-libbpf";
import type { OpenMaps } from "../datapath/datapath.ts";
import { decodeEvent, type ResolutionEvent } from "../datapath/events.ts";
import { frontendNames } from "../datapath/view.ts";
import type { Log } from "../lib/log.ts";
import { resolutionRecord } from "../observe/resolution.ts";

export interface EventLogOptions {
	readonly datapath: OpenMaps;
	readonly node: string;
	readonly log: Log;
}

export interface EventLog extends AsyncDisposable {
	/** Frontends may have other names by now. */
	forgetNames(): void;
}

/** Milliseconds since the epoch of an event's CLOCK_BOOTTIME; os.uptime() reads that clock, to 10 ms. */
function wallClock(time: bigint): number {
	return Date.now() - Math.max(0, uptime() * 1000 - Number(time / 1_000_000n));
}

/** Nothing runs while nothing happens. */
export function createEventLog({ datapath, node, log }: EventLogOptions): EventLog {
	let names: ReadonlyMap<number, string> | undefined;

	function nameOf(event: ResolutionEvent): string {
		names ??= frontendNames(datapath.maps);
		const known = names.get(event.frontendId);
		if (known !== undefined) return known;
		names = frontendNames(datapath.maps);
		return names.get(event.frontendId) ?? "";
	}

	const ring = ringBuffer(datapath.events, (record) => {
		const event = decodeEvent(record);
		if (!event) return;
		const name = nameOf(event);
		const { result, ...fields } = resolutionRecord(event, { name, node, time: wallClock(event.time) });
		log.info({ result, ...fields }, "resolution");
	});
	return {
		forgetNames() {
			names = undefined;
		},
		[Symbol.asyncDispose]: async () => ring[Symbol.dispose](),
	};
}
