// Closes connected sockets whose backend is gone, in whichever network namespace they are: exactly those that we translated to it.

import { setImmediate as others } from "node:timers/promises";
import {
	BpfError,
	type InetSocket,
	isPermission,
	openSockDiag,
	type SockDiag,
	type SocketFamily,
	type SocketProtocol,
	type SocketState,
} from "bun-ffi-libbpf";
import type { Protocol } from "../model/address.ts";
import { createNamespaces, type Namespaces } from "./namespaces.ts";
import { openStaleSockets, type StaleSocket, type StaleSockets } from "./stale_sockets.ts";

/** How many sockets of a protocol. */
export interface ClosedSockets {
	readonly closed: number;
	/** That the kernel refused to close. */
	readonly failed: number;
}
export type Closed = Readonly<Record<Protocol, ClosedSockets>>;

export interface SocketCloser extends Disposable {
	/** Rejects only if the kernel fails in a way that it cannot. Not to be called twice at once. */
	closeStale(signal: AbortSignal): Promise<Closed>;
	/** What is not as it could be; undefined if nothing. */
	readonly limit: string | undefined;
}

/** Milliseconds of work, then others have their turn in the event loop. */
const TURN = 5;
/** A dump that is read while sockets come and go may miss one. */
const SEARCHES = 2;

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
type Counts = Record<Protocol, Count>;

/** Still to be found, by cookie. */
type Wanted = Map<bigint, StaleSocket>;

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

/** The kernel looks it up by addresses and cookie once more: what is not there any more needs no closing. */
function closeOne(diag: SockDiag, socket: InetSocket, count: Count): void {
	try {
		if (diag.destroy(socket)) count.closed += 1;
	} catch (error) {
		if (!(error instanceof BpfError)) throw error;
		count.failed += 1;
	}
}

/** Gives others their turn when ours was long enough. */
function createTurns(): () => Promise<void> {
	let began = performance.now();
	return async () => {
		if (performance.now() - began < TURN) return;
		await others();
		began = performance.now();
	};
}

/** What one run of closing goes by. */
interface Run {
	readonly wanted: Wanted;
	readonly counts: Counts;
	readonly namespaces: Namespaces;
	readonly turn: () => Promise<void>;
	readonly signal: AbortSignal;
}

async function closeFound(
	sockets: readonly InetSocket[],
	diag: SockDiag,
	{ wanted, turn }: Run,
	count: Count,
): Promise<void> {
	for (const socket of sockets) {
		const stale = wanted.get(socket.cookie);
		if (stale === undefined || !isConnectedTo(socket, stale)) continue;
		wanted.delete(socket.cookie);
		closeOne(diag, socket, count);
		await turn();
	}
}

async function closeIn(diag: SockDiag, run: Run): Promise<void> {
	for (const protocol of ["UDP", "TCP"] as const) {
		const stale = [...run.wanted.values()].filter((each) => each.protocol === protocol);
		if (stale.length === 0) continue;
		const [states, destinations] = [STATES[protocol], distinctDestinations(stale)];
		for (const family of familiesOf(stale)) {
			const sockets = diag.list({ family, protocol: PROTOCOLS[protocol], states, destinations });
			await closeFound(sockets, diag, run, run.counts[protocol]);
		}
	}
}

/** Undefined if the namespace vanished meanwhile, and with it its sockets, or is not for us to enter. */
function enter(netns: string): SockDiag | undefined {
	try {
		return openSockDiag({ netns });
	} catch (error) {
		if (error instanceof BpfError) return undefined;
		throw error;
	}
}

async function search(run: Run): Promise<void> {
	for (const path of run.namespaces.list()) {
		if (run.wanted.size === 0 || run.signal.aborted) return;
		using diag = enter(path);
		if (diag !== undefined) await closeIn(diag, run);
		await run.turn();
	}
}

/** All at once: to look into the namespaces takes longer than to remember them. */
function findAll(stale: StaleSockets): Wanted {
	const wanted: Wanted = new Map();
	for (let found = stale.find(); found.length > 0; found = stale.find())
		for (const each of found) wanted.set(each.cookie, each);
	return wanted;
}

async function closeAll(stale: StaleSockets, namespaces: Namespaces, signal: AbortSignal): Promise<Closed> {
	const counts: Counts = { TCP: { closed: 0, failed: 0 }, UDP: { closed: 0, failed: 0 } };
	const run = { wanted: findAll(stale), counts, namespaces, turn: createTurns(), signal };
	for (let tries = 0; tries < SEARCHES; tries++) await search(run);
	return counts;
}

/** Why the kernel cannot close sockets; undefined if it can. */
function whyNot(): string | undefined {
	using diag = openSockDiag();
	const lacking = (["udp", "tcp"] as const).filter((protocol) => !diag.canDestroy(protocol));
	if (lacking.length === 0) return undefined;
	return `this kernel cannot close sockets of ${lacking.join(" and ")} (needs CONFIG_INET_DIAG_DESTROY)`;
}

export interface SocketCloserOptions {
	readonly pinPath: string;
	/** See StaleSocketsOptions. */
	readonly epoch: number;
	/** Pretend that the kernel has no iterators over sockets (before 5.12); for tests. */
	readonly withoutIterators?: boolean;
	readonly namespaces?: Namespaces;
}

const UNABLE: Closed = { TCP: { closed: 0, failed: 0 }, UDP: { closed: 0, failed: 0 } };

function unable(limit: string): SocketCloser {
	return { closeStale: () => Promise.resolve(UNABLE), limit, [Symbol.dispose]() {} };
}

/** A kernel without the means is no error: `limit` says so, and nothing is closed. */
export function openSocketCloser(options: SocketCloserOptions): SocketCloser {
	const { withoutIterators = false, namespaces = createNamespaces() } = options;
	try {
		if (withoutIterators) return unable("this kernel has no iterators over sockets (needs Linux 5.12)");
		const reason = whyNot();
		if (reason !== undefined) return unable(reason);
		const stale = openStaleSockets(options);
		return {
			closeStale: (signal) => closeAll(stale, namespaces, signal),
			get limit() {
				return namespaces.limit();
			},
			[Symbol.dispose]: () => stale[Symbol.dispose](),
		};
	} catch (error) {
		if (!(error instanceof BpfError)) throw error;
		return unable(
			isPermission(error) ? error.message : `${error.message} (needs Linux 5.12 with CONFIG_DEBUG_INFO_BTF)`,
		);
	}
}
