// One element's bytes from and to what they mean. The u32 fields are little-endian, as every machine we build for.

import { Buffer } from "node:buffer";
import type { L4Address, Protocol } from "../model/address.ts";
import { ipBytes, ipFromBytes, l4Address, l4Parts, parsePort } from "../model/address.ts";
import { offsetOf, RULE_NUMBERS, sizeOf } from "./layout.ts";

/** The value of one element of `frontends`, without the key that stands first in it. */
export interface FrontendValue {
	readonly id: number;
	readonly slotBase: number;
	readonly active: number;
	readonly members: number;
	readonly generation: number;
	/** FRONTEND_* of bpf/types.h; traits.ts reads them. */
	readonly flags: number;
	/** The group whose clients keep their backend, as 16 hexadecimal digits; "" for none. */
	readonly affinity: string;
	/** Since the client's last connection; 0 without affinity. */
	readonly affinitySeconds: number;
	/** Of a redirect: the group whose members go past it, as 16 hexadecimal digits; "" for none, which is no redirect. */
	readonly guard: string;
	/** Of a redirect: connections in a second; 0 for any number. */
	readonly limit: number;
}

/** 0: who has an address. 1: who has it where a redirect is gone past. */
export type Rule = (typeof RULE_NUMBERS)[keyof typeof RULE_NUMBERS];

/** The value of one element of `slots`. */
export interface SlotValue {
	readonly backendId: number;
	/** The frontend's id. */
	readonly owner: number;
}

const IPPROTO: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17 };

// struct backend begins as struct frontend_key does; layout.test.ts holds them to it.
const KEY_SIZE = sizeOf("frontend_key");
const PORT = offsetOf("frontend_key", "port");
const PROTOCOL = offsetOf("frontend_key", "protocol");
const RULE = offsetOf("frontend_key", "rule");
const BACKEND_SIZE = sizeOf("backend");

const FRONTEND_SIZE = sizeOf("frontend");
const ID = offsetOf("frontend", "id");
const SLOT_BASE = offsetOf("frontend", "slot_base");
const ACTIVE = offsetOf("frontend", "active");
const MEMBERS = offsetOf("frontend", "members");
const GENERATION = offsetOf("frontend", "generation");
const FLAGS = offsetOf("frontend", "flags");
const AFFINITY = offsetOf("frontend", "affinity");
const AFFINITY_SECONDS = offsetOf("frontend", "affinity_seconds");
const GUARD = offsetOf("frontend", "guard");
const LIMIT = offsetOf("frontend", "limit");
/** Bytes of a group of clients. */
export const GROUP_SIZE = 8;
/** A frontend without affinity, or without a guard. */
export const NO_GROUP = "\0".repeat(GROUP_SIZE);

const SLOT_SIZE = sizeOf("slot");
const BACKEND_ID = offsetOf("slot", "backend_id");
const OWNER = offsetOf("slot", "owner");

const NAME_SIZE = sizeOf("frontend_name");

// Encoders fill these and copy them out: an allocation for each of 100,000 elements would double their price.
const addressScratch = Buffer.alloc(BACKEND_SIZE);
const frontendScratch = Buffer.alloc(FRONTEND_SIZE);
const slotScratch = Buffer.alloc(SLOT_SIZE);

/** The key of an array map, and of `names`. */
export function encodeId(id: number): string {
	return String.fromCharCode(id & 0xff, (id >>> 8) & 0xff, (id >>> 16) & 0xff, id >>> 24);
}

export function decodeId(bytes: string): number {
	return u32(bytes, 0);
}

/** Of who has the address, whatever rule is gone by. */
export function encodeFrontendKey(address: L4Address): string {
	return encodeAddress(address, KEY_SIZE);
}

/** Undefined if the bytes are no address of TCP or UDP. */
export function decodeFrontendKey(bytes: string): L4Address | undefined {
	return bytes.charCodeAt(RULE) > RULE_NUMBERS.NEXT ? undefined : decodeAddress(bytes, KEY_SIZE);
}

/** Of a frontend's key that can be decoded. */
export function ruleOf(key: string): Rule {
	return key.charCodeAt(RULE) === RULE_NUMBERS.FIRST ? RULE_NUMBERS.FIRST : RULE_NUMBERS.NEXT;
}

/** The key of another rule for the same address. */
export function withRule(key: string, rule: Rule): string {
	return key.slice(0, RULE) + String.fromCharCode(rule) + key.slice(RULE + 1);
}

export function encodeBackend(address: L4Address): string {
	return encodeAddress(address, BACKEND_SIZE);
}

/** Undefined if the bytes are no address of TCP or UDP. */
export function decodeBackend(bytes: string): L4Address | undefined {
	return decodeAddress(bytes, BACKEND_SIZE);
}

/** `key` is the element's own key: it stands first in the value, too. */
export function encodeFrontend(key: string, value: FrontendValue): string {
	frontendScratch.write(key, 0, "latin1");
	frontendScratch.writeUInt32LE(value.id, ID);
	frontendScratch.writeUInt32LE(value.slotBase, SLOT_BASE);
	frontendScratch.writeUInt32LE(value.active, ACTIVE);
	frontendScratch.writeUInt32LE(value.members, MEMBERS);
	frontendScratch.writeUInt32LE(value.generation, GENERATION);
	frontendScratch.writeUInt32LE(value.flags, FLAGS);
	writeGroup(value.affinity, AFFINITY);
	frontendScratch.writeUInt32LE(value.affinitySeconds, AFFINITY_SECONDS);
	writeGroup(value.guard, GUARD);
	frontendScratch.writeUInt32LE(value.limit, LIMIT);
	return frontendScratch.toString("latin1");
}

export function decodeFrontend(bytes: string): FrontendValue {
	return {
		id: u32(bytes, ID),
		slotBase: u32(bytes, SLOT_BASE),
		active: u32(bytes, ACTIVE),
		members: u32(bytes, MEMBERS),
		generation: u32(bytes, GENERATION),
		flags: u32(bytes, FLAGS),
		affinity: groupText(groupBytesOf(bytes)),
		affinitySeconds: u32(bytes, AFFINITY_SECONDS),
		guard: groupText(guardBytesOf(bytes)),
		limit: limitOf(bytes),
	};
}

/** Of a frontend's value: its group, as affinities have it. */
export function groupBytesOf(bytes: string): string {
	return bytes.slice(AFFINITY, AFFINITY + GROUP_SIZE);
}

/** Of a frontend's value: the group of its guard, as guards have it; zeros if it is no redirect. */
export function guardBytesOf(bytes: string): string {
	return bytes.slice(GUARD, GUARD + GROUP_SIZE);
}

/** Of a frontend's value. */
export function limitOf(bytes: string): number {
	return u32(bytes, LIMIT);
}

/** Of a frontend's value. */
export function idOf(bytes: string): number {
	return u32(bytes, ID);
}

function writeGroup(group: string, at: number): void {
	if (group === "") frontendScratch.fill(0, at, at + GROUP_SIZE);
	else frontendScratch.write(group, at, GROUP_SIZE, "hex");
}

function groupText(group: string): string {
	return group === NO_GROUP ? "" : Buffer.from(group, "latin1").toString("hex");
}

export function encodeSlot(backendId: number, owner: number): string {
	slotScratch.writeUInt32LE(backendId, BACKEND_ID);
	slotScratch.writeUInt32LE(owner, OWNER);
	return slotScratch.toString("latin1");
}

export function decodeSlot(bytes: string): SlotValue {
	return { backendId: u32(bytes, BACKEND_ID), owner: u32(bytes, OWNER) };
}

/** Ends in a zero byte as C wants it; what is longer than the field is cut. */
export function encodeName(name: string): string {
	const buffer = Buffer.alloc(NAME_SIZE);
	buffer.write(name, 0, NAME_SIZE - 1, "utf8");
	return buffer.toString("latin1");
}

export function decodeName(bytes: string): string {
	const end = bytes.indexOf("\0");
	return Buffer.from(end < 0 ? bytes : bytes.slice(0, end), "latin1").toString("utf8");
}

function encodeAddress(address: L4Address, size: number): string {
	const { ip, port, protocol } = l4Parts(address);
	addressScratch.set(ipBytes(ip), 0);
	addressScratch.writeUInt16BE(port, PORT);
	addressScratch.writeUInt8(IPPROTO[protocol], PROTOCOL);
	return addressScratch.toString("latin1", 0, size);
}

function decodeAddress(bytes: string, size: number): L4Address | undefined {
	const port = parsePort((bytes.charCodeAt(PORT) << 8) | bytes.charCodeAt(PORT + 1));
	const protocol = protocolOf(bytes.charCodeAt(PROTOCOL));
	if (bytes.length !== size || port === undefined || protocol === undefined) return undefined;
	return l4Address(ipFromBytes(Buffer.from(bytes.slice(0, PORT), "latin1")), port, protocol);
}

function protocolOf(number: number): Protocol | undefined {
	if (number === IPPROTO.TCP) return "TCP";
	return number === IPPROTO.UDP ? "UDP" : undefined;
}

function u32(bytes: string, offset: number): number {
	const low = bytes.charCodeAt(offset) | (bytes.charCodeAt(offset + 1) << 8);
	const high = bytes.charCodeAt(offset + 2) | (bytes.charCodeAt(offset + 3) << 8);
	return low + high * 0x1_0000;
}
