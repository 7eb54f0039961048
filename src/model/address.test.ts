// Addresses against node:net, the WHATWG URL parser and themselves.

import { describe, expect, test } from "bun:test";
import { isIP, isIPv6 } from "node:net";
import fc from "fast-check";
import {
	type Ip,
	ipBytes,
	ipFamily,
	ipFromBytes,
	type L4Address,
	l4Address,
	l4Parts,
	parseIp,
	parseL4Address,
	parsePort,
} from "./address.ts";

const anyBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
/** Addresses full of zeros, where RFC 5952 has its cases. */
const sparseBytes = fc
	.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
	.map((bytes) => Uint8Array.from(bytes));
const mappedBytes = fc
	.uint8Array({ minLength: 4, maxLength: 4 })
	.map((bytes) => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes]));
const bytes16 = fc.oneof(anyBytes, sparseBytes, mappedBytes);
const ips = bytes16.map(ipFromBytes);
const ports = fc.integer({ min: 1, max: 65535 });
const protocols = fc.constantFrom("TCP" as const, "UDP" as const);

describe("parseIp()", () => {
	test.each([
		["10.0.0.1", "10.0.0.1"],
		["0.0.0.0", "0.0.0.0"],
		["255.255.255.255", "255.255.255.255"],
		["FD00::1", "fd00::1"],
		["fd00:0:0:0:0:0:0:1", "fd00::1"],
		["fd00:0000::0001", "fd00::1"],
		["::", "::"],
		["::1", "::1"],
		["1::", "1::"],
		["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
		["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
		["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
		["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
		["::ffff:10.0.0.1", "10.0.0.1"],
		["::ffff:a00:1", "10.0.0.1"],
		["0:0:0:0:0:FFFF:10.0.0.1", "10.0.0.1"],
		["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
		["::10.0.0.1", "::a00:1"],
	])("reads %s as %s", (text, canonical) => {
		expect(parseIp(text)).toBe(canonical as Ip);
	});

	test.each([
		["", "empty"],
		["10.0.0.01", "leading zero"],
		["010.0.0.1", "leading zero"],
		["10.0.0", "three parts"],
		["10.0.0.1.1", "five parts"],
		["10.0.0.256", "too large"],
		["10.0.0.1 ", "space"],
		["10.0.0.1\n", "newline"],
		["0x0a.0.0.1", "hexadecimal"],
		["167772161", "one number"],
		["fe80::1%eth0", "zone"],
		["fd00::1::2", "two gaps"],
		["1:2:3:4:5:6:7:8::", "gap of nothing"],
		["::1:2:3:4:5:6:7:8", "gap of nothing"],
		["1:2:3:4:5:6:7", "seven groups"],
		["1:2:3:4:5:6:7:8:9", "nine groups"],
		[":1:2:3:4:5:6:7", "leading colon"],
		["1:2:3:4:5:6:7:", "trailing colon"],
		["fd00::12345", "five digits"],
		["fd00::g", "no digit"],
		["::ffff:10.0.0.01", "leading zero inside"],
		["10.0.0.1::", "dotted in front"],
		["1:2:3:4:5:6:7:1.2.3.4", "nine groups with dots"],
		["[::1]", "brackets"],
		["::1/128", "prefix"],
		["1".repeat(50), "long"],
		[":".repeat(45), "colons"],
	])("rejects %p: %s", (text) => {
		expect(parseIp(text)).toBeUndefined();
	});

	test("agrees with node:net on any text of address characters", () => {
		const texts = fc.oneof(
			fc.string({ unit: fc.constantFrom(..."0123456789abcF.:"), maxLength: 46 }),
			fc
				.array(fc.constantFrom("0", "1", "ff", ":", "::", ".", "10.0.0.1", "fd00"), { maxLength: 14 })
				.map((p) => p.join("")),
		);
		fc.assert(
			fc.property(texts, (text) => expect(parseIp(text) !== undefined).toBe(isIP(text) !== 0)),
			{ numRuns: 20_000 },
		);
	});

	test("gives the text that the WHATWG URL parser gives (RFC 5952)", () => {
		fc.assert(
			fc.property(bytes16, (bytes) => {
				const ip = ipFromBytes(bytes);
				if (isIPv6(ip)) expect(new URL(`http://[${spelledOut(bytes)}]/`).hostname).toBe(`[${ip}]`);
			}),
			{ numRuns: 5000 },
		);
	});

	test("gives one text for every way to write an address", () => {
		const ways = fc.tuple(bytes16, fc.boolean(), fc.boolean());
		fc.assert(
			fc.property(ways, ([bytes, upper, dotted]) => {
				const plain = dotted ? spelledOutDotted(bytes) : spelledOut(bytes);
				expect(parseIp(upper ? plain.toUpperCase() : plain)).toBe(ipFromBytes(bytes));
			}),
			{ numRuns: 5000 },
		);
	});
});

describe("ipBytes() and ipFromBytes()", () => {
	test("are each other's inverse", () => {
		fc.assert(
			fc.property(bytes16, (bytes) => expect(ipBytes(ipFromBytes(bytes))).toEqual(bytes)),
			{ numRuns: 5000 },
		);
		fc.assert(
			fc.property(ips, (ip) => expect(parseIp(ip)).toBe(ip)),
			{ numRuns: 5000 },
		);
	});

	test("map IPv4 into ::ffff:0:0/96", () => {
		expect([...ipBytes("10.1.2.255" as Ip)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 255]);
		expect(ipFamily("10.1.2.255" as Ip)).toBe("IPv4");
		expect(ipFamily("fd00::1" as Ip)).toBe("IPv6");
	});

	test("refuse another length", () => {
		expect(() => ipFromBytes(new Uint8Array(4))).toThrow("Cannot read an IP address: 4 bytes instead of 16");
	});
});

describe("parsePort()", () => {
	test.each([
		[1, 1],
		[65535, 65535],
		["80", 80],
		["65535", 65535],
	])("reads %p", (value, port) => {
		expect<number | undefined>(parsePort(value)).toBe(port);
	});

	test.each([
		0,
		-1,
		65536,
		1.5,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		"0",
		"080",
		"65536",
		"",
		"+80",
		" 80",
		"8e1",
		null,
		true,
		{},
	])("rejects %p", (value) => {
		expect(parsePort(value)).toBeUndefined();
	});
});

describe("L4Address", () => {
	test("l4Parts() undoes l4Address(), and users may type it back", () => {
		fc.assert(
			fc.property(ips, ports, protocols, (ip, number, protocol) => {
				const port = parsePort(number);
				if (port === undefined) throw new Error("no port");
				const address = l4Address(ip, port, protocol);
				expect(l4Parts(address)).toEqual({ ip, port, protocol });
				expect(parseL4Address(address)).toBe(address);
			}),
			{ numRuns: 5000 },
		);
	});

	test.each([
		["10.96.0.1:80", "10.96.0.1:80/TCP"],
		["10.96.0.1:80/udp", "10.96.0.1:80/UDP"],
		["[fd00::1]:53/UDP", "[fd00::1]:53/UDP"],
		["[FD00:0::1]:53/Tcp", "[fd00::1]:53/TCP"],
		["[::ffff:10.0.0.1]:80", "10.0.0.1:80/TCP"],
	])("parseL4Address() reads %s as %s", (text, address) => {
		expect(parseL4Address(text)).toBe(address as L4Address);
	});

	test.each([
		"",
		"10.96.0.1",
		"10.96.0.1:0",
		"10.96.0.1:080",
		"10.96.0.1:65536",
		"10.96.0.1:80/sctp",
		"10.96.0.1:80/",
		"fd00::1:53",
		"[10.0.0.1]:80",
		"[fd00::1]",
		"[fd00::1%lo]:53",
		" 10.96.0.1:80",
		"10.96.0.1:8000000000000000000000000000000000000000000000000000000080",
	])("parseL4Address() rejects %p", (text) => {
		expect(parseL4Address(text)).toBeUndefined();
	});
});

function spelledOut(bytes: Uint8Array): string {
	return Array.from({ length: 8 }, (_, index) =>
		(((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16).padStart(4, "0"),
	).join(":");
}

function spelledOutDotted(bytes: Uint8Array): string {
	return `${spelledOut(bytes).split(":").slice(0, 6).join(":")}:${bytes.slice(12).join(".")}`;
}
