// Records of the ring buffer, built by the layout and decoded.

import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { type Ip, ipBytes, parseIp } from "../model/address.ts";
import { decodeEvent } from "./events.ts";
import { ENUMS, type FieldName, offsetOf, sizeOf } from "./layout.ts";

function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`No address: ${text}`);
	return parsed;
}

interface Fields {
	readonly result?: number;
	readonly protocol?: number;
	readonly frontend?: string;
	readonly backend?: string;
	readonly comm?: Uint8Array;
}

function record({ result = 1, protocol = 6, frontend = "10.96.0.10", backend = "10.244.1.11", comm }: Fields = {}) {
	const bytes = Buffer.alloc(sizeOf("event"));
	const at = (field: FieldName<"event">) => offsetOf("event", field);
	bytes.writeBigUInt64LE(123_456_789_012n, at("time"));
	bytes.writeBigUInt64LE(4242n, at("cgroup_id"));
	bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, at("netns_cookie"));
	bytes.writeUInt32LE(100, at("pid"));
	bytes.writeUInt32LE(101, at("tid"));
	bytes.writeUInt32LE(0xffff_ffff, at("uid"));
	bytes.writeUInt32LE(7, at("frontend_id"));
	bytes.writeUInt32LE(9, at("backend_id"));
	bytes.writeUInt16BE(80, at("frontend_port"));
	bytes.writeUInt16BE(65535, at("backend_port"));
	bytes.set(ipBytes(ip(frontend)), at("frontend_address"));
	bytes.set(ipBytes(ip(backend)), at("backend_address"));
	bytes[at("protocol")] = protocol;
	bytes[at("result")] = result;
	bytes[at("mode")] = ENUMS.frontend_mode.MODE_NODE_PORT;
	bytes.set(comm ?? Buffer.from("curl"), at("comm"));
	return bytes;
}

describe("decodeEvent()", () => {
	test("reads every field", () => {
		expect(decodeEvent(record())).toEqual({
			time: 123_456_789_012n,
			result: "success",
			reason: "",
			mode: "ServiceNodeport",
			protocol: "TCP",
			frontendId: 7,
			backendId: 9,
			original: { ip: ip("10.96.0.10"), port: 80 },
			backend: { ip: ip("10.244.1.11"), port: 65535 },
			redirectHitLimit: false,
			pid: 100,
			tid: 101,
			uid: 0xffff_ffff,
			comm: "curl",
			cgroupId: 4242n,
			netnsCookie: 0xffff_ffff_ffff_ffffn,
		});
	});

	test("reads IPv6 and UDP", () => {
		const event = decodeEvent(record({ protocol: 17, frontend: "fd00:96::1", backend: "fd00::2" }));
		expect(event?.protocol).toBe("UDP");
		expect(event?.original.ip).toBe(ip("fd00:96::1"));
		expect(event?.backend?.ip).toBe(ip("fd00::2"));
	});

	test("shows no backend where the connection was refused, whatever stands there", () => {
		const event = decodeEvent(record({ result: ENUMS.event_result.EVENT_REFUSED }));
		expect(event).toMatchObject({ result: "failure", reason: "NoBackends", backend: undefined });
	});

	test("tells a port that a cluster IP does not have from a frontend without backends", () => {
		const event = decodeEvent(record({ result: ENUMS.event_result.EVENT_UNKNOWN_PORT }));
		expect(event).toMatchObject({ result: "failure", reason: "UnknownPort", backend: undefined });
	});

	test.each([
		[Buffer.from("a\0rubbish"), "a"],
		[Buffer.from("sixteen-letters!"), "sixteen-letters!"],
		[Buffer.from("\0"), ""],
		[Buffer.from([0x61, 0xff, 0x62]), "a\ufffdb"],
	])("reads the command name %p", (comm, expected) => {
		expect(decodeEvent(record({ comm }))?.comm).toBe(expected);
	});

	test("reads a record in the middle of a buffer, and a longer one", () => {
		const around = Buffer.concat([Buffer.alloc(5, 0xee), record(), Buffer.alloc(16, 0xee)]);
		expect(decodeEvent(around.subarray(5))).toEqual(decodeEvent(record()));
	});

	test("gives what outlives the record", () => {
		const bytes = record();
		const event = decodeEvent(bytes);
		bytes.fill(0xee);
		expect(event).toEqual(decodeEvent(record()));
	});

	test.each([0, 1, sizeOf("event") - 1])("gives nothing for %d bytes", (length) => {
		expect(decodeEvent(record().subarray(0, length))).toBeUndefined();
	});
});
