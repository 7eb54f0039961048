// Looks for sockets by where they are connected to and by cookie, in one network namespace after the other, and closes them.

import { setImmediate as others } from "node:timers/promises";
import {
	BpfError,
	type InetSocket,
	openSockDiag,
	type SockDiag,
	type SocketFamily,
	type SocketProtocol,
	type SocketState,
} from "bun-ffi-libbpf";
import type { Protocol } from "../model/address.ts";
import type { Namespaces } from "./namespaces.ts";
import type { StaleSocket } from "./stale_sockets.ts";

/** How many sockets of a protocol. */
export interface ClosedSockets {
	readonly closed: number;
	/** That the kernel refused to close, or that could not be looked for. */
	readonly failed: number;
}
export type Closed = Readonly<Record<Protocol, ClosedSockets>>;

/** Milliseconds of work, then others have their turn in the event loop. */
const TURN = 5;

const PROTOCOLS: Readonly<Record<Protocol, SocketProtocol>> = { TCP: "tcp", UDP: "udp" };
/** Those in which a program still waits for the backend. */
const STATES: Readonly<Record<Protocol, readonly SocketState[]>> = {
	TCP: ["established", "syn-sent", "fin-wait-1", "fin-wait-2", "close-wait"],
	UDP: ["established"],
};

interface Count {
	closed: number;
	failed: number;
}
export type Counts = Record<Protocol, Count>;

/** Still to be found, by cookie. */
export type Wanted = Map<bigint, StaleSocket>;

const MAPPED_PREFIX = 12;

function isMapped(ip: Uint8Array): boolean {
	return ip.subarray(0, MAPPED_PREFIX).every((byte, index) => byte === (index < 10 ? 0 : 0xff));
}

/** As sock_diag has it: 4 bytes also find v4-mapped ones. */
function destinationOf({ backend, port }: StaleSocket) {
	return { ip: isMapped(backend) ? backend.subarray(MAPPED_PREFIX) : backend, port };
}

function isConnectedTo(socket: InetSocket, { backend, port }: StaleSocket): boolean {
	const { destination, destinationPort } = socket;
	if (destinationPort !== port) return false;
	const own = destination.length === 4 && isMapped(backend) ? backend.subarray(MAPPED_PREFIX) : backend;
	return own.length === destination.length && own.every((byte, index) => byte === destination[index]);
}

/** The families in which sockets may be that are connected to one of these. */
function familiesOf(stale: readonly StaleSocket[]): readonly SocketFamily[] {
	return stale.some(({ backend }) => isMapped(backend)) ? ["IPv4", "IPv6"] : ["IPv6"];
}

function distinctDestinations(stale: readonly StaleSocket[]) {
	const distinct = new Map(stale.map((each) => [`${each.backend.join()} ${each.port}`, destinationOf(each)]));
	return [...distinct.values()];
}

/**
 * False if it is not there any more, or not to be told from another one as yet: the kernel looks it up by addresses, and only
 * then at the cookie, and sockets that share a port (SO_REUSEPORT) may have the same addresses.
 */
function closeOne(diag: SockDiag, socket: InetSocket, count: Count): boolean {
	try {
		if (!diag.destroy(socket)) return false;
		count.closed += 1;
	} catch (error) {
		if (!(error instanceof BpfError)) throw error;
		count.failed += 1;
	}
	return true;
}

/** Gives others their turn when ours was long enough. */
export function createTurns(): () => Promise<void> {
	let began = performance.now();
	return async () => {
		if (performance.now() - began < TURN) return;
		await others();
		began = performance.now();
	};
}

/** What one search goes by. */
export interface Search {
	/** What is found is taken out of it. */
	readonly wanted: Wanted;
	/** What is closed is added. */
	readonly counts: Counts;
	readonly namespaces: Namespaces;
	readonly turn: () => Promise<void>;
	readonly signal: AbortSignal;
}

async function closeFound(
	sockets: readonly InetSocket[],
	diag: SockDiag,
	{ wanted, turn }: Search,
	count: Count,
): Promise<void> {
	for (const socket of sockets) {
		const stale = wanted.get(socket.cookie);
		if (stale === undefined || !isConnectedTo(socket, stale)) continue;
		if (closeOne(diag, socket, count)) wanted.delete(socket.cookie);
		await turn();
	}
}

async function closeIn(diag: SockDiag, search: Search): Promise<void> {
	for (const protocol of ["UDP", "TCP"] as const) {
		const stale = [...search.wanted.values()].filter((each) => each.protocol === protocol);
		if (stale.length === 0) continue;
		const [states, destinations] = [STATES[protocol], distinctDestinations(stale)];
		for (const family of familiesOf(stale)) {
			const sockets = diag.list({ family, protocol: PROTOCOLS[protocol], states, destinations });
			await closeFound(sockets, diag, search, search.counts[protocol]);
		}
	}
}

/**
 * What says that a namespace vanished, with all its sockets: its process, the file where it was mounted, or the mount on that
 * file.
 */
const VANISHED: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "EINVAL"]);

async function closeAt(path: string, search: Search): Promise<BpfError | undefined> {
	try {
		using diag = openSockDiag({ netns: path });
		await closeIn(diag, search);
		return undefined;
	} catch (error) {
		if (!(error instanceof BpfError)) throw error;
		return error.call === "setns" && VANISHED.has(error.code) ? undefined : error;
	}
}

/** Goes through all namespaces, or until all is found. Returns what went wrong first in one of them. */
export async function closeWanted(search: Search): Promise<BpfError | undefined> {
	let failure: BpfError | undefined;
	for (const path of search.namespaces.list()) {
		if (search.wanted.size === 0 || search.signal.aborted) break;
		const error = await closeAt(path, search);
		failure ??= error;
		await search.turn();
	}
	return failure;
}
