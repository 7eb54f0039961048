// sock_diag(7): the TCP and UDP sockets of a network namespace, as ss(8) sees them, and their end.

import { own } from "./descriptor.ts";
import { errnoNumber, isNotFound } from "./errors.ts";
import { check, cString, failure, native, textOf } from "./native.ts";
import { type Destination, destinationFilter } from "./sock_diag_filter.ts";

export type SocketFamily = "IPv4" | "IPv6";
export type SocketProtocol = "tcp" | "udp";

/** TCP's states by their numbers; a UDP socket is `established` if it is connected, else `close`. */
export const SOCKET_STATES = [
	"unknown",
	"established",
	"syn-sent",
	"syn-recv",
	"fin-wait-1",
	"fin-wait-2",
	"time-wait",
	"close",
	"close-wait",
	"last-ack",
	"listening",
	"closing",
	"new-syn-recv",
	"bound-inactive",
] as const;
export type SocketState = (typeof SOCKET_STATES)[number];

export interface InetSocket {
	/** Of the socket: an IPv6 one may have v4-mapped addresses. */
	readonly family: SocketFamily;
	readonly protocol: SocketProtocol;
	readonly state: SocketState;
	/** 4 or 16 bytes. */
	readonly source: Uint8Array;
	readonly sourcePort: number;
	readonly destination: Uint8Array;
	readonly destinationPort: number;
	/** As bpf_get_socket_cookie() and SO_COOKIE have it: no other socket has it until the next boot. */
	readonly cookie: bigint;
	readonly uid: number;
	/** Of its file, as in /proc/PID/fd; 0 if no process has it any more. */
	readonly inode: number;
	/** struct inet_diag_sockid, which names it to the kernel. */
	readonly id: Uint8Array;
}

export interface SocketQuery {
	readonly family: SocketFamily;
	readonly protocol: SocketProtocol;
	/** All if left out. */
	readonly states?: readonly SocketState[];
	/** Only those that are connected to one of these; all if left out. The kernel sorts out up to 256 of them. */
	readonly destinations?: readonly Destination[];
}

export interface SockDiag extends Disposable {
	/** What there is while it is read: a socket that comes or goes meanwhile may be missed. */
	list(query: SocketQuery): readonly InetSocket[];
	/**
	 * Closes it under its owner, who gets ECONNABORTED; the peer of a TCP connection gets a reset. False if this very socket,
	 * by its cookie, is not there any more, or is connected otherwise. Throws EOPNOTSUPP if the kernel cannot
	 * (CONFIG_INET_DIAG_DESTROY, Linux 4.5; UDP: 4.9).
	 */
	destroy(socket: InetSocket): boolean;
	/** Whether the kernel can close sockets of a protocol at all; closes none. */
	canDestroy(protocol: SocketProtocol): boolean;
	close(): void;
}

export interface SockDiagOptions {
	/** A file of a network namespace, `/proc/PID/ns/net` or `/run/netns/NAME`; the process's own if left out. */
	readonly netns?: string;
}

const FAMILIES = { IPv4: 2, IPv6: 10 } as const;
const PROTOCOLS = { tcp: 6, udp: 17 } as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const INET_DIAG_REQ_BYTECODE = 1;

/** struct nlmsghdr, and struct inet_diag_req_v2 behind it, which ends in the id. */
const HEADER_SIZE = 16;
const REQUEST_SIZE = 56;
const ID_SIZE = 48;
/** struct inet_diag_msg: four bytes, the id, and five words. */
const MESSAGE_ID = 4;
const MESSAGE_UID = 64;
const MESSAGE_INODE = 68;
const MESSAGE_SIZE = 72;
/** The kernel fills up to 32 KiB at a time. */
const CAPACITY = 64 * 1024;

interface Request {
	readonly type: number;
	readonly flags: number;
	readonly family: SocketFamily;
	readonly protocol: SocketProtocol;
	/** A bit for each. */
	readonly states: number;
	readonly id?: Uint8Array;
	readonly filter?: Uint8Array;
}

function encodeRequest({ type, flags, family, protocol, states, id, filter }: Request): Uint8Array {
	const length = HEADER_SIZE + REQUEST_SIZE + (filter === undefined ? 0 : 4 + filter.length);
	const bytes = new Uint8Array(length);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, length, true);
	view.setUint16(4, type, true);
	view.setUint16(6, flags | NLM_F_REQUEST, true);
	view.setUint8(HEADER_SIZE, FAMILIES[family]);
	view.setUint8(HEADER_SIZE + 1, PROTOCOLS[protocol]);
	view.setUint32(HEADER_SIZE + 4, states, true);
	if (id !== undefined) bytes.set(id, HEADER_SIZE + 8);
	if (filter !== undefined) {
		view.setUint16(HEADER_SIZE + REQUEST_SIZE, 4 + filter.length, true);
		view.setUint16(HEADER_SIZE + REQUEST_SIZE + 2, INET_DIAG_REQ_BYTECODE, true);
		bytes.set(filter, HEADER_SIZE + REQUEST_SIZE + 4);
	}
	return bytes;
}

function decodeSocket(bytes: Uint8Array, protocol: SocketProtocol): InetSocket {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const family = view.getUint8(0) === FAMILIES.IPv4 ? "IPv4" : "IPv6";
	const size = family === "IPv4" ? 4 : 16;
	const id = bytes.slice(MESSAGE_ID, MESSAGE_ID + ID_SIZE);
	return {
		family,
		protocol,
		state: SOCKET_STATES[view.getUint8(1)] ?? "unknown",
		source: id.subarray(4, 4 + size),
		sourcePort: view.getUint16(MESSAGE_ID),
		destination: id.subarray(20, 20 + size),
		destinationPort: view.getUint16(MESSAGE_ID + 2),
		// Two words, the lower one first.
		cookie: BigInt(view.getUint32(MESSAGE_ID + 40, true)) | (BigInt(view.getUint32(MESSAGE_ID + 44, true)) << 32n),
		uid: view.getUint32(MESSAGE_UID, true),
		inode: view.getUint32(MESSAGE_INODE, true),
		id,
	};
}

function stateBits(states: readonly SocketState[]): number {
	return states.reduce((bits, state) => bits | (1 << SOCKET_STATES.indexOf(state)), 0) >>> 0;
}

/** For one answer after the other; made when the first one comes. */
let scratch: Uint8Array<ArrayBuffer> | undefined;

/** Sends a request and hands on each message of the answer, valid during the call; returns the errno in its end, 0 or negative. */
function ask(fd: number, request: Uint8Array, onMessage: (message: Uint8Array) => void): number {
	const action = "ask for sockets";
	check(native().bffi_diag_send(fd, request, request.length), { action, call: "send" });
	scratch ??= new Uint8Array(CAPACITY);
	const buffer = scratch;
	const view = new DataView(buffer.buffer);
	for (;;) {
		const received = native().bffi_diag_receive(fd, buffer, buffer.length);
		const end = check(received, { action, call: "recv" });
		for (let at = 0; at + HEADER_SIZE <= end; ) {
			const length = view.getUint32(at, true);
			const type = view.getUint16(at + 4, true);
			if (type === NLMSG_ERROR || type === NLMSG_DONE)
				return length >= HEADER_SIZE + 4 ? view.getInt32(at + HEADER_SIZE, true) : 0;
			onMessage(buffer.subarray(at + HEADER_SIZE, at + length));
			at += Math.ceil(Math.max(length, HEADER_SIZE) / 4) * 4;
		}
	}
}

function list(fd: number, query: SocketQuery): readonly InetSocket[] {
	const { family, protocol, states, destinations } = query;
	const filter = destinations === undefined ? undefined : destinationFilter(destinations);
	const request = encodeRequest({
		type: SOCK_DIAG_BY_FAMILY,
		flags: NLM_F_DUMP,
		family,
		protocol,
		states: states === undefined ? 0xffff_ffff : stateBits(states),
		...(filter === undefined ? {} : { filter }),
	});
	const found: InetSocket[] = [];
	const errno = ask(fd, request, (message) => {
		if (message.length >= MESSAGE_SIZE) found.push(decodeSocket(message, protocol));
	});
	check(errno, { action: `list ${protocol} sockets of ${family}`, call: "SOCK_DIAG_BY_FAMILY" });
	return found;
}

function destroy(fd: number, { family, protocol, id }: InetSocket): boolean {
	const request = encodeRequest({ type: SOCK_DESTROY, flags: NLM_F_ACK, family, protocol, states: 0, id });
	const errno = ask(fd, request, () => {});
	if (errno === -errnoNumber("ENOENT")) return false;
	if (errno < 0) throw failure(errno, { action: `close a ${protocol} socket of ${family}`, call: "SOCK_DESTROY" });
	return true;
}

/** Nobody has the id of zeros: a kernel that knows the protocol, and looks for it, can close. */
function canDestroy(fd: number, protocol: SocketProtocol): boolean {
	const nobody = { family: "IPv4", protocol, destinations: [{ ip: new Uint8Array(4), port: 0 }] } as const;
	try {
		list(fd, nobody);
	} catch (error) {
		if (isNotFound(error)) return false;
		throw error;
	}
	const id = new Uint8Array(ID_SIZE);
	const request = encodeRequest({ type: SOCK_DESTROY, flags: NLM_F_ACK, family: "IPv4", protocol, states: 0, id });
	return ask(fd, request, () => {}) !== -errnoNumber("EOPNOTSUPP");
}

/**
 * Opens the sockets of a network namespace; the namespace may be left by all others meanwhile. Throws ENOENT if it is not
 * there (any more), EPERM without CAP_SYS_ADMIN, EINVAL if the file is no network namespace.
 */
export function openSockDiag({ netns = "" }: SockDiagOptions = {}): SockDiag {
	const path = cString(netns);
	const opened = check(native().bffi_diag_open(path), {
		action: netns === "" ? "ask for sockets" : `ask for the sockets of ${textOf(path)}`,
		call: "setns",
	});
	const socket = own(opened, "the sockets");
	return {
		list: (query) => list(socket.fd, query),
		destroy: (which) => destroy(socket.fd, which),
		canDestroy: (protocol) => canDestroy(socket.fd, protocol),
		close: socket.close,
		[Symbol.dispose]: socket.close,
	};
}
