// Values in DER (ITU-T X.690), as far as certificates have them.

import { Buffer } from "node:buffer";
import { isIPv4 } from "node:net";

const TAG = {
	boolean: 0x01,
	integer: 0x02,
	bitString: 0x03,
	octetString: 0x04,
	oid: 0x06,
	utf8String: 0x0c,
	utcTime: 0x17,
	generalizedTime: 0x18,
	sequence: 0x30,
	set: 0x31,
} as const;

/** Years from this one on do not fit into UTCTime (RFC 5280 section 4.1.2.5). */
const FIRST_LONG_YEAR = 2050;

/** A value with its tag and length. */
export function tagged(tag: number, content: Uint8Array): Buffer {
	return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): readonly number[] {
	if (length < 0x80) return [length];
	const bytes: number[] = [];
	for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
	return [0x80 | bytes.length, ...bytes];
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
	return tagged(TAG.sequence, Buffer.concat(parts));
}

export function setOf(part: Uint8Array): Buffer {
	return tagged(TAG.set, part);
}

/** Of a number without a sign, most significant byte first. */
export function integer(bytes: Uint8Array): Buffer {
	const first = bytes.findIndex((byte) => byte !== 0);
	const short = first === -1 ? Buffer.alloc(1) : bytes.subarray(first);
	// A leading bit would be a sign.
	return tagged(TAG.integer, (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short);
}

export function truth(): Buffer {
	return tagged(TAG.boolean, Buffer.from([0xff]));
}

/** `1.2.840.10045.4.3.2`. */
export function oid(dotted: string): Buffer {
	const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
	return tagged(TAG.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(arc: number): readonly number[] {
	const bytes = [arc % 128];
	for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
	return bytes;
}

export function utf8String(text: string): Buffer {
	return tagged(TAG.utf8String, Buffer.from(text, "utf8"));
}

export function octetString(content: Uint8Array): Buffer {
	return tagged(TAG.octetString, content);
}

/** `unused` bits at the end do not count. */
export function bitString(content: Uint8Array, unused = 0): Buffer {
	return tagged(TAG.bitString, Buffer.concat([Buffer.from([unused]), content]));
}

/** To the second; a time of RFC 5280: UTCTime until 2049. */
export function time(date: Date): Buffer {
	const digits = date
		.toISOString()
		.replace(/\.\d+Z$/, "")
		.replace(/\D/g, "");
	if (date.getUTCFullYear() >= FIRST_LONG_YEAR) return tagged(TAG.generalizedTime, Buffer.from(`${digits}Z`));
	return tagged(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`));
}

/** `[n]` around a whole value. */
export function explicit(number: number, content: Uint8Array): Buffer {
	return tagged(0xa0 | number, content);
}

/** `[n]` in place of a primitive value's own tag. */
export function implicit(number: number, content: Uint8Array): Buffer {
	return tagged(0x80 | number, content);
}

/** An address as its 4 or 16 bytes. */
export function addressBytes(ip: string): Buffer {
	if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
	const [head = "", tail] = ip.split("::");
	const words = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
	const after = tail === undefined ? [] : words(tail);
	const before = words(head);
	const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
	const bytes = Buffer.alloc(16);
	for (const [index, word] of [...before, ...zeros, ...after].entries())
		bytes.writeUInt16BE(Number.parseInt(word, 16), index * 2);
	return bytes;
}
