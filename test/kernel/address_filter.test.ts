// The filter in front of the look-ups: it lets nothing of ours by, and what it lets through in error is none of ours.

import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { type BpfMap, openPinnedMap } from "bun-ffi-libbpf";
import { addressHash } from "../../src/datapath/address_filter.ts";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { encodeFrontendKey, encodeId } from "../../src/datapath/codec.ts";
import { type Datapath, openDatapath } from "../../src/datapath/datapath.ts";
import { mapPin } from "../../src/datapath/pins.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { l4, planOf } from "../support/datapath.ts";
import { FAMILIES } from "../support/family.ts";
import { pinPath } from "../support/pin_path.ts";
import { programLab } from "../support/program_lab.ts";

const { place, bpf } = await programLab();

const hashOf = (at: string): number => addressHash(encodeFrontendKey(l4(at)));

const wordKey = (hash: number): Buffer => Buffer.from(encodeId(hash >> 6), "latin1");
const byNumber = (a: number, b: number): number => a - b;

/** The hashes whose bits are set, in order. */
function setBits(filter: BpfMap): readonly number[] {
	const found: number[] = [];
	for (const [key, value] of filter.entries())
		for (let bit = 0; bit < 64; bit++)
			if (((value[bit >> 3] ?? 0) >> (bit & 7)) & 1) found.push(Buffer.from(key).readUInt32LE() * 64 + bit);
	return found.sort(byNumber);
}

/** Another address of IPv4 with the same bit. */
function twinOf(at: string): string {
	const hash = hashOf(at);
	for (let index = 0; index < 1 << 22; index++) {
		const twin = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
		if (!at.startsWith(`${twin}:`) && hashOf(`${twin}:80/TCP`) === hash) return twin;
	}
	throw new Error(`Cannot find an address with the hash of ${at}`);
}

test.each(FAMILIES)("a frontend and a cluster IP of $name have their bits", async (family) => {
	const [vip, other] = [family.vip(1), family.vip(2)];
	const at = family.l4(vip, 80, "TCP");
	bpf.program({ at, to: [] });
	bpf.know({ [other]: "cluster-ip" });
	expect(setBits(bpf.map("address_filter"))).toContain(hashOf(at));
	expect(setBits(bpf.map("address_filter"))).toContain(hashOf(family.l4(other, 80, "TCP")));
	await using client = place.client();
	await client.each(`socket a ${family.domain} udp`, `socket b ${family.domain} tcp`);
	expect(await client.run(`connect b ${family.dial(vip)} 80`)).toBe("ECONNREFUSED");
	expect(await client.run(`connect a ${family.dial(other)} 80`)).toBe("ECONNREFUSED");
});

test("an address that has a frontend's bit by chance goes where it went", async () => {
	const at = "10.96.0.1:80/UDP";
	bpf.program({ at, to: [] });
	const twin = twinOf(at);
	await using client = place.client();
	await client.each("socket a inet udp", "socket b inet udp");
	expect(await client.run("connect a 10.96.0.1 80")).toBe("ECONNREFUSED");
	expect(await client.run(`connect b ${twin} 80`)).not.toBe("ECONNREFUSED");
	expect(await client.ask("peer b")).toBe(`${twin} 80`);
});

test("a next agent clears what is left over, and fills a filter that lost its bits before its programs run", async () => {
	using pins = pinPath();
	const open = () => openDatapath({ cgroup: place.cgroup.path, pinPath: pins.path, events: "off", eventsRate: 0 });
	const write = ({ maps }: Datapath, at: string) =>
		createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 }).write(planOf([{ at, to: [] }]), { synced: true });
	using first = open();
	write(first, "10.96.0.7:80/UDP");
	write(first, "10.96.0.8:80/UDP");
	using filter = openPinnedMap(mapPin(pins.path, "address_filter"));
	expect(setBits(filter)).toEqual(["10.96.0.7:80/UDP", "10.96.0.8:80/UDP"].map(hashOf).sort(byNumber));
	first[Symbol.dispose]();
	for (const hash of setBits(filter)) filter.update(wordKey(hash), Buffer.alloc(8));
	filter.update(wordKey(hashOf("10.96.0.9:80/UDP")), Buffer.alloc(8, 0xff));
	using _second = open();
	expect(setBits(filter)).toEqual([hashOf("10.96.0.8:80/UDP")]);
	await using client = place.client();
	await client.ask("socket a inet udp");
	expect(await client.run("connect a 10.96.0.8 80")).toBe("ECONNREFUSED");
});
