// How a modelled API server answers: seats as API Priority and Fairness gives them, processor time, the network; lists and watches.

import { createLine, createSeats, type Room } from "./reconnect_capacity.ts";
import type { VirtualClock } from "./reconnect_clock.ts";
import type { Exchange } from "./reconnect_exchange.ts";
import type { Meter } from "./reconnect_meter.ts";
import { EXPIRED, type Objects, type Size } from "./reconnect_objects.ts";

/** What the server can do; per second where it is a rate. */
export interface ServiceLimits extends Room {
	/** Bytes of JSON that all its processors together make. */
	readonly encode: number;
	/** Bytes that all its processors together compress. */
	readonly compress: number;
	/** Bytes that leave. */
	readonly network: number;
	/** Milliseconds of all processors together that a request takes besides. */
	readonly request: number;
}

export interface ServiceOptions {
	readonly clock: VirtualClock;
	readonly meter: Meter;
	readonly objects: Objects;
	readonly limits: () => ServiceLimits;
	readonly random: () => number;
}

/** Bytes of an answer's head. */
const HEAD = 450;
/** A list with one object. */
const ONE: Size = { raw: 1500, packed: 1500, count: 1 };
/** Objects for which a list takes one more seat, up to ten (the work estimator of API Priority and Fairness). */
const OBJECTS_A_SEAT = 100;
const SEATS_AT_MOST = 10;
/** Milliseconds between bookmarks. */
const BOOKMARK = 60_000;
/** Seconds, as the API server says with 429. */
const RETRY_AFTER = "1";

type Service = (agent: number, url: string, exchange: Exchange) => void;

export function createService(options: ServiceOptions): Service {
	const { clock, meter, objects, limits, random } = options;
	const seats = createSeats(limits);
	const processors = createLine(clock);
	const network = createLine(clock);

	/** Called back when the answer has left, the seat is free again then. */
	function work(exchange: Exchange, cost: Cost, done: () => void): void {
		const { width, bytes, raw } = cost;
		const { request, encode, compress, network: rate } = limits();
		const start = (): void => {
			const packing = bytes < raw ? raw / compress : 0;
			const made = processors.add(request + (raw / encode + packing) * 1000);
			const left = network.add((bytes / rate) * 1000);
			clock.after(Math.max(made, left), () => {
				seats.leave(width);
				if (exchange.isOpen()) done();
			});
		};
		if (seats.enter({ width, start, isWanted: exchange.isOpen })) return;
		meter.refused();
		exchange.head(429, { "retry-after": RETRY_AFTER });
		exchange.send("too many requests");
		exchange.end();
	}

	function list({ agent, resource, query }: Asked, exchange: Exchange): void {
		const isProbe = query.get("limit") === "1";
		const { raw, packed, count } = isProbe ? ONE : objects.size(resource);
		work(exchange, { raw, bytes: packed, width: widthOf(count) }, () => {
			if (!isProbe) meter.listed(agent);
			meter.sent(agent, HEAD + packed);
			exchange.head(200);
			exchange.send(objects.list(resource));
			exchange.end();
		});
	}

	function watch({ agent, resource, query }: Asked, exchange: Exchange): void {
		const isStream = query.has("sendInitialEvents");
		const version = Number(query.get("resourceVersion"));
		const { raw, count } = objects.size(resource);
		const cost = isStream ? { raw, bytes: raw, width: widthOf(count) } : { raw: 0, bytes: 0, width: 1 };
		work(exchange, cost, () => {
			meter.sent(agent, HEAD + cost.bytes);
			exchange.head(200);
			if (!isStream && version < objects.floor()) {
				exchange.send(EXPIRED);
				exchange.end();
				return;
			}
			if (isStream) meter.listed(agent);
			const complete = objects.bookmark(resource, true);
			exchange.send(isStream ? objects.added(resource) + complete : objects.missed(resource, version));
			keepOpen({ agent, resource, query }, exchange);
		});
	}

	function keepOpen({ agent, resource, query }: Asked, exchange: Exchange): void {
		meter.watching(agent, 1);
		exchange.onClose(() => meter.watching(agent, -1));
		const bookmark = (): void => {
			if (!exchange.isOpen()) return;
			exchange.send(objects.bookmark(resource, false));
			meter.sent(agent, objects.bookmark(resource, false).length);
		};
		const again = (): void => {
			bookmark();
			if (exchange.isOpen()) clock.after(BOOKMARK, again);
		};
		clock.after(BOOKMARK * (0.5 + random() / 2), again);
		clock.after(Number(query.get("timeoutSeconds")) * 1000, () => {
			bookmark();
			exchange.end();
		});
	}

	return (agent, url, exchange) => {
		const { pathname, searchParams: query } = new URL(url);
		const resource = pathname.split("/").at(-1) ?? "";
		const isWatch = query.has("watch");
		if (isWatch) watch({ agent, resource, query }, exchange);
		else list({ agent, resource, query }, exchange);
	};
}

interface Asked {
	readonly agent: number;
	readonly resource: string;
	readonly query: URLSearchParams;
}

interface Cost {
	readonly width: number;
	/** Of JSON, and of what of it leaves. */
	readonly raw: number;
	readonly bytes: number;
}

function widthOf(objects: number): number {
	return Math.min(SEATS_AT_MOST, Math.ceil(objects / OBJECTS_A_SEAT));
}
