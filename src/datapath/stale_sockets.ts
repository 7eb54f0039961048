// Connected sockets whose backend is gone: found by a program that the kernel runs over all sockets with state.

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { type BpfObject, openIterator, openObject } from "bun-ffi-libbpf";
import objectPath from "../../dist/bpf/close.bpf.o" with { type: "file" };
import type { Protocol } from "../model/address.ts";
import { encodeId } from "./codec.ts";
import { PINNED } from "./datapath.ts";
import { FLOW_FLAGS, offsetOf, sizeOf } from "./layout.ts";
import { mapPin } from "./pins.ts";

/** Where a socket that is to be closed is connected to. */
export interface StaleSocket {
	/** As bpf_get_socket_cookie() has it. */
	readonly cookie: bigint;
	readonly protocol: Protocol;
	/** 16 bytes; IPv4 is v4-mapped. */
	readonly backend: Uint8Array;
	readonly port: number;
}

export interface StaleSockets extends Disposable {
	/** Those that were not found yet, 1024 at the most: empty when there are no more. Each is found once. */
	find(): readonly StaleSocket[];
}

export interface StaleSocketsOptions {
	/** Undefined: onto maps of its own, in which nothing is, to see whether the kernel takes it. */
	readonly pinPath: string | undefined;
	/** A number that no other agent of these maps has: what another one has found is found again. */
	readonly epoch: number;
}

const FIRST = Buffer.from(encodeId(0), "latin1");
const SIZE = sizeOf("stale_socket");
const FLOW = offsetOf("stale_socket", "flow");
const COOKIE = offsetOf("stale_socket", "cookie");
const BACKEND = FLOW + offsetOf("flow", "backend_address");
const PORT = FLOW + offsetOf("flow", "backend_port");
const FLAGS = FLOW + offsetOf("flow", "flags");
const ADDRESS_SIZE = sizeOf("address");

function decode(bytes: Buffer): StaleSocket {
	return {
		cookie: bytes.readBigUInt64LE(COOKIE),
		protocol: bytes.readUInt32LE(FLAGS) & FLOW_FLAGS.TCP ? "TCP" : "UDP",
		backend: new Uint8Array(bytes.subarray(BACKEND, BACKEND + ADDRESS_SIZE)),
		port: bytes.readUInt16BE(PORT),
	};
}

function part<T>(parts: ReadonlyMap<string, T>, name: string): T {
	const found = parts.get(name);
	if (found === undefined) throw new Error(`Cannot look for sockets: the object has no ${name}`);
	return found;
}

function load({ pinPath, epoch }: StaleSocketsOptions): BpfObject {
	using stack = new DisposableStack();
	const object = stack.use(openObject(readFileSync(objectPath), { name: "close" }));
	if (pinPath !== undefined) for (const name of PINNED) object.maps.get(name)?.setPinPath(mapPin(pinPath, name));
	part(object.variables, "epoch").set(epoch);
	object.load();
	stack.move();
	return object;
}

/**
 * Loads the program onto the maps that an agent has pinned. Throws a BpfError if the kernel has no such iterators (Linux 5.12),
 * or no BTF of its own (CONFIG_DEBUG_INFO_BTF).
 */
export function openStaleSockets(options: StaleSocketsOptions): StaleSockets {
	using stack = new DisposableStack();
	using object = load(options);
	const sockets = stack.use(part(object.maps, "stale_sockets").open());
	const count = stack.use(part(object.maps, ".bss").open());
	const mapFd = part(object.maps, "sock_peers").fd;
	const iterator = stack.use(openIterator(part(object.programs, "find_stale").fd, { mapFd }));
	const held = stack.move();
	const none = new Uint8Array(count.info.valueSize);
	return {
		find() {
			// If it fails on the way, what it has found by then stays there for the next call.
			iterator.run();
			const length = Buffer.from(count.lookup(FIRST) ?? none).readUInt32LE();
			const value = Buffer.alloc(SIZE);
			const found = Array.from({ length }, (_, index) => {
				sockets.lookupInto(Buffer.from(encodeId(index), "latin1"), value);
				return decode(value);
			});
			count.update(FIRST, none);
			return found;
		},
		[Symbol.dispose]: () => held.dispose(),
	};
}
