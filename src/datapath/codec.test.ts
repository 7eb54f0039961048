// Bytes against hand-written ones, and there and back again.

import { describe, expect, test } from "bun:test";
import type { L4Address } from "../model/address.ts";
import { parseL4Address } from "../model/address.ts";
import {
	decodeBackend,
	decodeFrontend,
	decodeFrontendKey,
	decodeId,
	decodeName,
	decodeSlot,
	encodeBackend,
	encodeFrontend,
	encodeFrontendKey,
	encodeId,
	encodeName,
	encodeSlot,
	groupBytesOf,
	ruleOf,
	withRule,
} from "./codec.ts";

function hex(bytes: string): string {
	return Buffer.from(bytes, "latin1").toString("hex");
}

function l4(text: string): L4Address {
	const parsed = parseL4Address(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

const ADDRESSES = [
	["10.96.0.1:80/TCP", "00000000000000000000ffff0a60000100500600"],
	["255.255.255.255:65535/UDP", "00000000000000000000ffffffffffffffff1100"],
	["[fd00::1]:53/UDP", "fd00000000000000000000000000000100351100"],
	["[100::ba1a]:5810/UDP", "0100000000000000000000000000ba1a16b21100"],
] as const;

describe("addresses", () => {
	test.each(ADDRESSES)("encodeFrontendKey(%s) is %s", (text, bytes) => {
		expect(hex(encodeFrontendKey(l4(text)))).toBe(bytes);
		expect(decodeFrontendKey(encodeFrontendKey(l4(text)))).toBe(l4(text));
	});

	test.each(ADDRESSES)("encodeBackend(%s) is the same and four zero bytes", (text, bytes) => {
		expect(hex(encodeBackend(l4(text)))).toBe(`${bytes}00000000`);
		expect(decodeBackend(encodeBackend(l4(text)))).toBe(l4(text));
	});

	test.each([
		["port 0", `${"00".repeat(16)}00000600`],
		["protocol 0", `${"00".repeat(16)}00500000`],
		["protocol 132", `${"00".repeat(16)}00508400`],
		["too short", "00".repeat(19)],
		["too long", `${"00".repeat(16)}0050060000`],
	])("decodeFrontendKey() gives nothing for %s", (_, bytes) => {
		expect(decodeFrontendKey(Buffer.from(bytes, "hex").toString("latin1"))).toBeUndefined();
	});
});

test("withRule() changes the rule of a key alone, and ruleOf() tells it", () => {
	const first = encodeFrontendKey(l4("10.96.0.1:80/TCP"));
	const next = withRule(first, 1);
	expect(hex(next)).toBe("00000000000000000000ffff0a60000100500601");
	expect([ruleOf(first), ruleOf(next), decodeFrontendKey(next)]).toEqual([0, 1, l4("10.96.0.1:80/TCP")]);
	expect(withRule(next, 0)).toBe(first);
	expect(decodeFrontendKey(`${first.slice(0, -1)}\x02`)).toBeUndefined();
});

test.each([0, 1, 255, 256, 65_535, 131_071, 0xffff_ffff])("decodeId() gives back %d", (id) => {
	expect(decodeId(encodeId(id))).toBe(id);
	expect(Buffer.from(encodeId(id), "latin1").readUInt32LE()).toBe(id);
});

test("encodeSlot() is backend id and owner", () => {
	expect(hex(encodeSlot(0x01020304, 0xfffefdfc))).toBe("04030201fcfdfeff");
	expect(decodeSlot(encodeSlot(0x01020304, 0xfffefdfc))).toEqual({ backendId: 0x01020304, owner: 0xfffefdfc });
});

test.each([
	["", 0, "0000000000000000", "00000000"],
	["0123456789abcdef", 86_400, "0123456789abcdef", "80510100"],
])(
	"encodeFrontend() is the key, then the numbers; affinity and guard %p",
	(affinity, affinitySeconds, group, seconds) => {
		const key = encodeFrontendKey(l4("10.96.0.1:80/TCP"));
		const numbers = { id: 1, slotBase: 0x80000, active: 3, members: 4, generation: 0xffff_ffff };
		const value = { ...numbers, flags: 0x0102, affinity, affinitySeconds, guard: affinity, limit: affinitySeconds };
		const bytes = `01000000${group}000008000300000004000000ffffffff02010000${seconds}${group}${seconds}00000000`;
		expect(hex(encodeFrontend(key, value))).toBe(hex(key) + bytes);
		expect(hex(groupBytesOf(encodeFrontend(key, value)))).toBe(group);
		expect(decodeFrontend(encodeFrontend(key, value))).toEqual(value);
	},
);

describe("names", () => {
	test.each(["", "demo/web:http", "x".repeat(159)])("decodeName() gives back %p", (name) => {
		expect(encodeName(name)).toHaveLength(160);
		expect(decodeName(encodeName(name))).toBe(name);
	});

	test("encodeName() cuts what is too long and keeps the zero byte at the end", () => {
		expect(decodeName(encodeName("x".repeat(300)))).toBe("x".repeat(159));
	});
});
