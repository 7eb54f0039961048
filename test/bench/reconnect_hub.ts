// A model of an API server and the way to it, for very many clients, on virtual time.

import type { HttpSend } from "../../src/hub/request/http.ts";
import type { VirtualClock } from "./reconnect_clock.ts";
import { type Condition, createDoor, type DoorLimits } from "./reconnect_door.ts";
import { createExchange, type Exchange } from "./reconnect_exchange.ts";
import type { Meter } from "./reconnect_meter.ts";
import type { Objects } from "./reconnect_objects.ts";
import { createService, type ServiceLimits } from "./reconnect_service.ts";

export type Capacity = DoorLimits & ServiceLimits;

type Ending = "reset" | "end" | "lost";

export interface ModelHub {
	/** One agent's way to it. */
	client(agent: number): HttpSend;
	/** What new connections and requests meet from now on. */
	setCondition(condition: Condition): void;
	setCapacity(capacity: Capacity): void;
	/** All connections of now end: reset; after a clean end of every answer; or nobody ever hears of them again. */
	drop(how: Ending): void;
}

interface Connection {
	isLost: boolean;
	readonly exchanges: Set<Exchange>;
}

/** Milliseconds from a client to the server. */
const WAY = 10;
/** Milliseconds until a client with HTTP/2 notices that its pings are not answered (Go's: 30 s and 15 s). */
const PINGED = 45_000;
/** Bytes of a request. */
const REQUEST = 400;

export interface ModelOptions {
	readonly clock: VirtualClock;
	readonly meter: Meter;
	readonly objects: Objects;
	readonly capacity: Capacity;
	/** HTTP/2: all requests of an agent share a connection. */
	readonly multiplex: boolean;
	/** From 0 up to 1. */
	readonly random: () => number;
}

export function createModelHub(options: ModelOptions): ModelHub {
	const { clock, meter, multiplex } = options;
	const pools = new Map<number, Set<Connection>>();
	let capacity = options.capacity;
	const limits = (): Capacity => capacity;
	const door = createDoor({ clock, meter, limits });
	const service = createService({ ...options, limits });

	function poolOf(agent: number): Set<Connection> {
		const pool = pools.get(agent) ?? new Set();
		pools.set(agent, pool);
		return pool;
	}

	async function connectionOf(agent: number, signal: AbortSignal): Promise<Connection> {
		const pool = poolOf(agent);
		for (const connection of pool) if (multiplex || connection.exchanges.size === 0) return connection;
		await door.enter(agent, signal);
		const connection: Connection = { isLost: false, exchanges: new Set() };
		pool.add(connection);
		return connection;
	}

	function arrive(agent: number, url: string, exchange: Exchange): void {
		if (door.condition() !== "up" || !exchange.isOpen()) return;
		meter.requested(agent, REQUEST);
		service(agent, url, exchange);
	}

	function abandon(pool: Set<Connection>, connection: Connection): void {
		for (const exchange of connection.exchanges) {
			exchange.mute();
			if (multiplex) clock.after(PINGED, () => exchange.fail("ETIMEDOUT"));
		}
		if (multiplex) clock.after(PINGED, () => pool.delete(connection));
	}

	function breakOff(pool: Set<Connection>, connection: Connection, how: Ending): void {
		connection.isLost = true;
		if (how === "lost") {
			abandon(pool, connection);
			return;
		}
		pool.delete(connection);
		for (const exchange of [...connection.exchanges]) {
			if (how === "reset") exchange.fail("ECONNRESET");
			else exchange.end();
		}
	}

	return {
		client: (agent) => async (request) => {
			const { url, signal } = request;
			const connection = await connectionOf(agent, signal);
			const exchange = createExchange(signal);
			connection.exchanges.add(exchange);
			exchange.onClose((complete) => {
				connection.exchanges.delete(exchange);
				// With HTTP/1.1 an answer that is not read to its end costs the connection.
				if (!complete && !multiplex) poolOf(agent).delete(connection);
			});
			if (!connection.isLost) clock.after(WAY, () => arrive(agent, url, exchange));
			return await exchange.response;
		},
		setCondition: door.setCondition,
		setCapacity(next) {
			capacity = next;
		},
		drop(how) {
			for (const pool of pools.values()) for (const connection of [...pool]) breakOff(pool, connection, how);
		},
	};
}
