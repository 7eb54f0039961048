// Closes connected sockets whose backend is gone, in whichever network namespace they are: exactly those that we translated to it.

import { BpfError, isPermission, openSockDiag } from "bun-ffi-libbpf";
import { createNamespaces, type Namespaces } from "./namespaces.ts";
import { type Closed, type Counts, closeWanted, createTurns, type Search, type Wanted } from "./socket_search.ts";
import { openStaleSockets, type StaleSockets } from "./stale_sockets.ts";

export interface Outcome {
	readonly closed: Closed;
	/** Some could not be looked for; they are looked for again at the next call, for some calls. */
	readonly failure: Error | undefined;
}

export interface SocketCloser extends Disposable {
	/** Not to be called twice at once. */
	closeStale(signal: AbortSignal): Promise<Outcome>;
	/** What is not as it could be; undefined if nothing. */
	readonly limit: string | undefined;
}

/** A list that is read while sockets come and go may miss one. */
const SEARCHES = 2;
/** Calls in a row, after which those that could not be looked for are given up. */
const TRIES = 5;

function none(): Counts {
	return { TCP: { closed: 0, failed: 0 }, UDP: { closed: 0, failed: 0 } };
}

/** All at once: to look into the namespaces takes longer than to remember them. */
function findAll(stale: StaleSockets, wanted: Wanted): void {
	for (let found = stale.find(); found.length > 0; found = stale.find())
		for (const each of found) wanted.set(each.cookie, each);
}

/** Returns what went wrong, so that not all could be looked for. */
async function closeAll(stale: StaleSockets, search: Search): Promise<Error | undefined> {
	try {
		findAll(stale, search.wanted);
		let failure: Error | undefined;
		for (let round = 0; round < SEARCHES; round++) failure = await closeWanted(search);
		return failure;
	} catch (error) {
		if (error instanceof BpfError) return error;
		throw error;
	}
}

function createClose(stale: StaleSockets, namespaces: Namespaces): SocketCloser["closeStale"] {
	const wanted: Wanted = new Map();
	let failures = 0;

	return async (signal) => {
		const counts = none();
		const failure = await closeAll(stale, { wanted, counts, namespaces, turn: createTurns(), signal });
		failures = failure === undefined ? 0 : failures + 1;
		if (failures >= TRIES) for (const { protocol } of wanted.values()) counts[protocol].failed += 1;
		// Without a failure they were not connected any more, or are in a namespace that we do not see: limit says so.
		if (failures === 0 || failures >= TRIES) wanted.clear();
		return { closed: counts, failure };
	};
}

function whyNoDestroy(): string | undefined {
	using diag = openSockDiag();
	const lacking = (["udp", "tcp"] as const).filter((protocol) => !diag.canDestroy(protocol));
	if (lacking.length === 0) return undefined;
	return `this kernel cannot close sockets of ${lacking.join(" and ")} (needs CONFIG_INET_DIAG_DESTROY)`;
}

/** Runs what the kernel may refuse; why it did, if it did. */
function refusalOf(attempt: () => string | undefined): string | undefined {
	try {
		return attempt();
	} catch (error) {
		if (!(error instanceof BpfError)) throw error;
		return isPermission(error) ? error.message : `${error.message} (needs Linux 5.12 with CONFIG_DEBUG_INFO_BTF)`;
	}
}

/** Why this kernel, or this process, cannot close all sockets; undefined if it can. Needs no agent, and changes nothing. */
export function whyNotClosing(): string | undefined {
	return refusalOf(() => {
		const reason = whyNoDestroy();
		if (reason !== undefined) return reason;
		openStaleSockets({ pinPath: undefined, epoch: 0 })[Symbol.dispose]();
		return createNamespaces().limit();
	});
}

export interface SocketCloserOptions {
	readonly pinPath: string;
	/** See StaleSocketsOptions. */
	readonly epoch: number;
	/** Pretend that the kernel has no iterators over sockets (before 5.12); for tests. */
	readonly withoutIterators?: boolean;
	readonly namespaces?: Namespaces;
}

function unable(limit: string): SocketCloser {
	return {
		closeStale: () => Promise.resolve({ closed: none(), failure: undefined }),
		limit,
		[Symbol.dispose]() {},
	};
}

/** A kernel without the means is no error: `limit` says so, and nothing is closed. */
export function openSocketCloser(options: SocketCloserOptions): SocketCloser {
	const { withoutIterators = false, namespaces = createNamespaces() } = options;
	if (withoutIterators) return unable("this kernel has no iterators over sockets (needs Linux 5.12)");
	let stale: StaleSockets | undefined;
	const refusal = refusalOf(() => {
		const reason = whyNoDestroy();
		if (reason === undefined) stale = openStaleSockets(options);
		return reason;
	});
	if (stale === undefined) return unable(refusal ?? "");
	const held = stale;
	return {
		closeStale: createClose(held, namespaces),
		get limit() {
			return namespaces.limit();
		},
		[Symbol.dispose]: () => held[Symbol.dispose](),
	};
}
