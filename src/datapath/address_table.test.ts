// Known addresses in the maps: after the frontends that they stand behind, and not where one of these is missing.

import { describe, expect, test } from "bun:test";
import { demandExactly } from "../../test/support/history.ts";
import { planOf, withAddresses } from "../../test/support/plans.ts";
import { readMemory } from "../../test/support/program_view.ts";
import { createRecordingMaps, type RecordingMaps } from "../../test/support/recording_maps.ts";
import type { Ip } from "../model/address.ts";
import { parseIp } from "../model/address.ts";
import type { KnownAddress, Plan } from "../plan/plan_types.ts";
import { decodeAddressKey, decodeKnownAddress, encodeAddressKey, encodeKnownAddress } from "./address_codec.ts";
import { CAPACITY } from "./capacity.ts";
import { describeMap } from "./describe.ts";
import { createMemoryMaps } from "./memory_maps.ts";
import { createWriter } from "./writer.ts";

const VIP = "10.96.0.1";
const WEB = planOf({ "demo/web": { [`${VIP}:80/TCP`]: "10.244.0.1:8080/TCP |" } });
const KNOWN = withAddresses(WEB, { [VIP]: "cluster-ip" });
const NONE = planOf({});

function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

function start(maps: RecordingMaps = createRecordingMaps(), capacity = CAPACITY) {
	const writer = createWriter({ maps, capacity, firstGeneration: 1 });
	const write = (plan: Plan, synced = true) => {
		maps.taken();
		const written = writer.write(plan, { synced });
		return { ...written, lines: maps.taken() };
	};
	return { maps, write };
}

function addresses(maps: RecordingMaps): Readonly<Record<string, string>> {
	return Object.fromEntries(readMemory(maps).addresses);
}

describe("encodeKnownAddress()", () => {
	test.each([
		["a cluster IP", "10.96.0.1", { kind: "clusterIp" }, `${"00".repeat(16)}01000000`],
		[
			"this node",
			"192.0.2.1",
			{ kind: "node", nodePorts: ip("0.0.0.1"), scope: "own" },
			"00000000000000000000ffff0000000102000000",
		],
		[
			"another node",
			"2001:db8::1",
			{ kind: "node", nodePorts: ip("100::2"), scope: "remote" },
			"0100000000000000000000000000000204000000",
		],
		[
			"loopback",
			"127.0.0.1",
			{ kind: "node", nodePorts: ip("0.0.0.1"), scope: "host" },
			"00000000000000000000ffff000000010a000000",
		],
	] as const satisfies readonly (readonly [string, string, KnownAddress, string])[])(
		"%s: the key, the node ports, the flags",
		(_, text, known, bytes) => {
			const key = encodeAddressKey(ip(text));
			const value = encodeKnownAddress(key, known);
			expect(value.slice(0, 16)).toBe(key);
			expect(Buffer.from(value.slice(16), "latin1").toString("hex")).toBe(bytes);
			expect(decodeKnownAddress(value)).toEqual(known);
			expect(decodeAddressKey(key)).toBe(ip(text));
		},
	);
});

describe("write()", () => {
	test("puts an address after its frontends, and takes it away before them", () => {
		const { maps, write } = start();
		expect(write(KNOWN).lines.slice(-2)).toEqual([`put frontends ${VIP}:80/TCP`, `put addresses ${VIP}`]);
		demandExactly(maps, KNOWN);
		expect(write(NONE).lines.slice(0, 2)).toEqual([`delete addresses ${VIP}`, `delete frontends ${VIP}:80/TCP`]);
		demandExactly(maps, NONE);
	});

	test("writes an address alone where only that changed, and nothing where nothing did", () => {
		const { maps, write } = start();
		write(KNOWN);
		const node = withAddresses(WEB, { [VIP]: "own 0.0.0.1" });
		expect(write(node).lines).toEqual([`put addresses ${VIP}`]);
		expect(write(withAddresses(WEB, { [VIP]: "own 0.0.0.1" })).lines).toEqual([]);
		demandExactly(maps, node);
	});

	test("holds an address back until its frontends are written: their ports would be refused", () => {
		const { maps, write } = start();
		maps.fail("put frontends");
		const more = withAddresses(KNOWN, { "10.96.0.2": "cluster-ip" });
		expect(write(more)).toMatchObject({ pending: 2, again: true });
		expect(addresses(maps)).toEqual({ "10.96.0.2": "cluster-ip" });
		maps.fail();
		expect(write(more).pending).toBe(0);
		demandExactly(maps, more);
	});

	test("leaves an address alone as long as there is no room for one of its frontends", () => {
		const capacity = { ...CAPACITY, frontends: 1 };
		const { maps, write } = start(createRecordingMaps(createMemoryMaps(capacity)), capacity);
		const two = planOf({
			"demo/api": { "10.96.0.2:80/TCP": "10.244.0.2:8080/TCP |" },
			"demo/web": { [`${VIP}:80/TCP`]: "10.244.0.1:8080/TCP |" },
		});
		const both = { [VIP]: "cluster-ip", "10.96.0.2": "cluster-ip" };
		const node = { "192.0.2.1": "own 0.0.0.1" };
		expect(write(withAddresses(two, { ...both, ...node })).problems).toHaveLength(1);
		expect(addresses(maps)).toEqual({ "10.96.0.2": "cluster-ip", "192.0.2.1": "own node at 0.0.0.1" });
		// When there is room, it is as it should be.
		const one = withAddresses(WEB, both);
		for (let round = 0; round < 4; round++) write(one);
		demandExactly(maps, one);
	});

	test("says how many there is no room for, and uses room as soon as there is some", () => {
		const capacity = { ...CAPACITY, addresses: 2 };
		const { maps, write } = start(createRecordingMaps(createMemoryMaps(capacity)), capacity);
		const nodes = (...last: readonly number[]) =>
			withAddresses(NONE, Object.fromEntries(last.map((n) => [`192.0.2.${n}`, "remote 0.0.0.1"])));
		expect(write(nodes(1, 2, 3, 4))).toMatchObject({
			failures: [],
			pending: 0,
			problems: [
				{ object: "Addresses", reason: "TooLarge", message: expect.stringContaining("no room for 2 addresses") },
			],
		});
		expect(Object.keys(addresses(maps))).toHaveLength(2);
		// One goes, one comes in its place, but not before: what is new is written first.
		const [gone = ""] = Object.keys(addresses(maps));
		const rest = [1, 2, 3, 4].filter((n) => gone !== `192.0.2.${n}`);
		expect(write(nodes(...rest))).toMatchObject({ problems: [{ reason: "TooLarge" }], pending: 1, again: true });
		expect(write(nodes(...rest))).toMatchObject({ failures: [], pending: 0 });
		expect(Object.keys(addresses(maps))).toHaveLength(2);
		write(nodes(3, 4));
		expect(write(nodes(3, 4)).problems).toEqual([]);
		demandExactly(maps, nodes(3, 4));
	});

	test("keeps what it found as long as not all hubs are synced", () => {
		const { maps, write } = start();
		write(withAddresses(NONE, { [VIP]: "cluster-ip", "192.0.2.1": "remote 0.0.0.1" }));
		const after = start(maps);
		expect(after.write(NONE, false).lines).toEqual([]);
		const changed = withAddresses(NONE, { "192.0.2.1": "own 0.0.0.1" });
		expect(after.write(changed, false).lines).toEqual(["put addresses 192.0.2.1"]);
		// It has been in a plan: it goes at once.
		expect(after.write(NONE, false).lines).toEqual(["delete addresses 192.0.2.1"]);
		expect(after.write(NONE).lines).toEqual([`delete addresses ${VIP}`]);
	});
});

test("describeMap() shows addresses in order", () => {
	const { maps, write } = start();
	write(withAddresses(NONE, { "fd00::1": "host 100::1", "10.96.0.2": "cluster-ip", [VIP]: "cluster-ip" }));
	expect(describeMap(maps, "addresses")).toEqual([
		{ address: VIP, kind: "clusterIp" },
		{ address: "10.96.0.2", kind: "clusterIp" },
		{ address: "fd00::1", kind: "node", nodePorts: "100::1", scope: "host" },
	]);
});
