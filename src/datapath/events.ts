// One resolution as the programs report it.

import { Buffer } from "node:buffer";
import { type Ip, ipFromBytes, type Protocol } from "../model/address.ts";
import type { FrontendMode } from "../plan/plan_types.ts";
import { ENUMS, offsetOf, sizeOf } from "./layout.ts";
import { modeOf } from "./traits.ts";

export interface Endpoint {
	readonly ip: Ip;
	readonly port: number;
}

/** struct event of bpf/types.h, decoded. */
export interface ResolutionEvent {
	/** Nanoseconds of CLOCK_BOOTTIME. */
	readonly time: bigint;
	readonly result: "success" | "failure";
	/** Why there is no backend; "" where there is one. */
	readonly reason: "" | "NoBackends" | "UnknownPort";
	/** What kind of address the client used. */
	readonly mode: FrontendMode;
	readonly protocol: Protocol;
	/** 0 for a port that a cluster IP has no frontend for. */
	readonly frontendId: number;
	/** 0 where the connection was refused, or went to the address itself. */
	readonly backendId: number;
	readonly original: Endpoint;
	/** Undefined where the connection was refused. Of a redirect over its limit that nobody is next to, the address itself. */
	readonly backend: Endpoint | undefined;
	/** A redirect had taken its share of the second: this says who had the address next. */
	readonly redirectHitLimit: boolean;
	/** 0 where the kernel cannot tell (before 5.10). */
	readonly pid: number;
	readonly tid: number;
	readonly uid: number;
	readonly comm: string;
	readonly cgroupId: bigint;
	readonly netnsCookie: bigint;
}

const SIZE = sizeOf("event");
const AT = {
	time: offsetOf("event", "time"),
	cgroupId: offsetOf("event", "cgroup_id"),
	netnsCookie: offsetOf("event", "netns_cookie"),
	pid: offsetOf("event", "pid"),
	tid: offsetOf("event", "tid"),
	uid: offsetOf("event", "uid"),
	frontendId: offsetOf("event", "frontend_id"),
	backendId: offsetOf("event", "backend_id"),
	frontendPort: offsetOf("event", "frontend_port"),
	backendPort: offsetOf("event", "backend_port"),
	frontendAddress: offsetOf("event", "frontend_address"),
	backendAddress: offsetOf("event", "backend_address"),
	protocol: offsetOf("event", "protocol"),
	result: offsetOf("event", "result"),
	mode: offsetOf("event", "mode"),
	redirectHitLimit: offsetOf("event", "redirect_hit_limit"),
	comm: offsetOf("event", "comm"),
} as const;
const COMM_SIZE = 16;
const IPPROTO_UDP = 17;

function endpoint(view: Buffer, address: number, port: number): Endpoint {
	return { ip: ipFromBytes(view.subarray(address, address + 16)), port: view.readUInt16BE(port) };
}

function reasonOf(result: number | undefined): ResolutionEvent["reason"] {
	if (result === ENUMS.event_result.EVENT_REFUSED) return "NoBackends";
	return result === ENUMS.event_result.EVENT_UNKNOWN_PORT ? "UnknownPort" : "";
}

/** The record is only valid during the call: all that stays is copied. Undefined if it is too short to be one. */
export function decodeEvent(record: Uint8Array): ResolutionEvent | undefined {
	if (record.byteLength < SIZE) return undefined;
	const view = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
	const reason = reasonOf(view[AT.result]);
	const refused = reason !== "";
	const comm = view.subarray(AT.comm, AT.comm + COMM_SIZE);
	const end = comm.indexOf(0);
	return {
		time: view.readBigUInt64LE(AT.time),
		result: refused ? "failure" : "success",
		reason,
		mode: modeOf(view[AT.mode] ?? 0),
		protocol: view[AT.protocol] === IPPROTO_UDP ? "UDP" : "TCP",
		frontendId: view.readUInt32LE(AT.frontendId),
		backendId: view.readUInt32LE(AT.backendId),
		original: endpoint(view, AT.frontendAddress, AT.frontendPort),
		backend: refused ? undefined : endpoint(view, AT.backendAddress, AT.backendPort),
		redirectHitLimit: view[AT.redirectHitLimit] !== 0,
		pid: view.readUInt32LE(AT.pid),
		tid: view.readUInt32LE(AT.tid),
		uid: view.readUInt32LE(AT.uid),
		comm: comm.toString("utf8", 0, end < 0 ? COMM_SIZE : end),
		cgroupId: view.readBigUInt64LE(AT.cgroupId),
		netnsCookie: view.readBigUInt64LE(AT.netnsCookie),
	};
}
