// Ring buffers: nothing lost, nothing out of order, a clean end.

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { type BpfMap, type BpfObject, createMap, openObject, possibleCpus, ringBuffer, runProgram } from "./mod.ts";
import { bpfFileSystem, describeAsRoot, errorOf, objectBytes, openFds, until } from "./test/support.ts";

interface Generator extends Disposable {
	readonly map: BpfMap;
	/** Sends records with the next numbers; returns how many found no room. */
	send(count: number): number;
	/** Sends one record of so many bytes. */
	sendLong(length: number): boolean;
	/** The number of the next record. */
	readonly next: bigint;
}

function programFd(object: BpfObject, name: string): number {
	const program = object.programs.get(name);
	if (program === undefined) throw new Error(`No program ${name}`);
	return program.fd;
}

function generator(): Generator {
	const object = openObject(objectBytes("ring"), { name: "ring" });
	object.load();
	const map = object.maps.get("ring")?.open();
	if (map === undefined) throw new Error("No map ring");
	const request = new DataView(new ArrayBuffer(16));
	request.setBigUint64(0, 1n, true);
	const context = new Uint8Array(request.buffer);
	return {
		map,
		send(count) {
			request.setUint32(8, count, true);
			request.setUint32(12, 0, true);
			runProgram(programFd(object, "generate"), { context });
			return request.getUint32(12, true);
		},
		sendLong(length) {
			const long = new BigUint64Array([BigInt(length), 0n]);
			return runProgram(programFd(object, "generate_long"), { context: new Uint8Array(long.buffer) }).returned === 0;
		},
		get next() {
			return request.getBigUint64(0, true);
		},
		[Symbol.dispose]() {
			map.close();
			object.close();
		},
	};
}

/** Checks that numbers come in order, without gaps but for every seventh, which the program throws away. */
function checker() {
	let expected = 1n;
	let records = 0;
	const faults: string[] = [];
	return {
		faults,
		get records() {
			return records;
		},
		/** The number after the last one that came. */
		get next() {
			return expected % 7n === 0n ? expected + 1n : expected;
		},
		take(record: Uint8Array) {
			if (expected % 7n === 0n) expected++;
			const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
			const number = view.getBigUint64(0, true);
			if (number !== expected) faults.push(`${number} instead of ${expected}`);
			if (record.length !== 56) faults.push(`${number} has ${record.length} bytes`);
			if (view.getBigUint64(8, true) !== BigInt.asUintN(64, ~number)) faults.push(`${number} has another's body`);
			expected = number + 1n;
			records++;
		},
	};
}

/** What will be the checker's `next` once everything before `next` came. */
function after(next: bigint): bigint {
	return next % 7n === 0n ? next + 1n : next;
}

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

describeAsRoot("ringBuffer()", () => {
	test("delivers each record once and in order, over many turns of the ring", async () => {
		using source = generator();
		const found = checker();
		using ring = ringBuffer(source.map, found.take, { gatherMs: 0 });
		for (let round = 0; round < 300; round++) {
			// A ring of 1 MiB has room for 16,384 of them.
			if (source.send(1024) > 0) throw new Error("The ring was full: the reader does not keep up");
			if (round % 8 === 7) await until("all was read", () => found.next === after(source.next));
			else await turn();
		}
		await until("all was read", () => found.next === after(source.next));
		expect(found.faults).toEqual([]);
		expect(source.next).toBe(307_201n);
		expect(found.records).toBe(307_200 - Math.floor(307_200 / 7));
		ring.close();
		await ring.closed;
	});

	test("hears every single record, however they are spaced", async () => {
		using source = generator();
		const found = checker();
		using ring = ringBuffer(source.map, found.take, { gatherMs: 0 });
		for (let round = 0; round < 500; round++) {
			source.send(1 + (round % 3));
			// The reader has read everything: the next record must wake it again.
			await until("the record came", () => found.next === after(source.next));
			for (let turns = 0; turns < round % 5; turns++) await turn();
		}
		expect(found.faults).toEqual([]);
		ring.close();
	});

	test("delivers while other processes write", async () => {
		using pins = bpfFileSystem();
		using source = generator();
		source.map.pin(join(pins.path, "ring"));
		const found = checker();
		using ring = ringBuffer(source.map, found.take);
		const child = Bun.spawn(
			[process.execPath, join(import.meta.dirname, "test/generate.ts"), join(pins.path, "ring"), "200000"],
			{
				stdout: "pipe",
				stderr: "inherit",
			},
		);
		const next = BigInt((await new Response(child.stdout).text()).trim());
		expect(await child.exited).toBe(0);
		await until("all was read", () => found.next === after(next));
		expect(next).toBeGreaterThan(200_000n);
		expect(found.faults).toEqual([]);
		ring.close();
	});

	test("loses nothing but what found no room, and goes on after a full ring", async () => {
		using source = generator();
		const found = checker();
		for (let round = 0; round < 20; round++) source.send(1024);
		const lost = source.send(1024);
		expect(lost).toBe(1024);
		using ring = ringBuffer(source.map, found.take);
		await until("all was read", () => found.next === after(source.next));
		expect(source.send(100)).toBe(0);
		await until("more was read", () => found.next === after(source.next));
		expect(found.faults).toEqual([]);
		ring.close();
	});

	test("delivers records of any length", async () => {
		using source = generator();
		const lengths: number[] = [];
		using ring = ringBuffer(source.map, (record) => {
			lengths.push(record.length);
		});
		const sent = [8, 9, 15, 16, 17, 65_535, 65_536, 65_537, 200_000, 262_144, 8];
		for (const length of sent) expect(source.sendLong(length)).toBe(true);
		await until("all came", () => lengths.length === sent.length);
		expect(lengths).toEqual(sent);
		ring.close();
	});

	test("leaves what was not delivered to the next reader", async () => {
		using source = generator();
		const found = checker();
		source.send(6);
		{
			using ring = ringBuffer(source.map, () => undefined);
			ring.close();
		}
		using ring = ringBuffer(source.map, found.take);
		expect(ring.drain()).toBe(6);
		expect(ring.drain()).toBe(0);
		source.send(1);
		source.send(1);
		expect(ring.drain()).toBe(1);
		expect(found.faults).toEqual([]);
		ring.close();
		expect(ring.drain()).toBe(0);
	});

	test("goes on when the map's handle is closed", async () => {
		const object = openObject(objectBytes("ring"), { name: "ring" });
		object.load();
		const map = object.maps.get("ring")?.open();
		if (map === undefined) throw new Error("No map ring");
		let records = 0;
		using ring = ringBuffer(map, () => {
			records++;
		});
		map.close();
		const context = new Uint8Array(new BigUint64Array([1n, 3n]).buffer);
		runProgram(programFd(object, "generate"), { context });
		await until("the records came", () => records === 3);
		object.close();
		ring.close();
	});
});

describeAsRoot("the end of a ring buffer's reader", () => {
	test("close() closes what it opened, once", async () => {
		using source = generator();
		const before = openFds();
		for (let round = 0; round < 50; round++) {
			const ring = ringBuffer(source.map, () => undefined, { gatherMs: 1000 });
			source.send(1);
			if (round % 2 === 0) await turn();
			ring.close();
			ring.close();
			await ring.closed;
		}
		// The runtime closes its copy of the eventfd in a thread of its own.
		await until("the file descriptors are closed", () => openFds() === before);
	});

	test("an abort closes it", async () => {
		using source = generator();
		const stop = new AbortController();
		let records = 0;
		const ring = ringBuffer(
			source.map,
			() => {
				records++;
			},
			{ signal: stop.signal },
		);
		stop.abort();
		await ring.closed;
		source.send(5);
		expect(ring.drain()).toBe(0);
		expect(records).toBe(0);
		expect(() => ringBuffer(source.map, () => undefined, { signal: stop.signal })).toThrow("aborted");
	});

	test("a throw in onRecord closes it and rejects `closed`", async () => {
		using source = generator();
		const before = openFds();
		const ring = ringBuffer(source.map, () => {
			throw new Error("no such record");
		});
		source.send(3);
		await expect(ring.closed).rejects.toThrow("no such record");
		await until("the file descriptors are closed", () => openFds() === before);
	});

	test("onRecord may close it; then nothing more comes", async () => {
		using source = generator();
		let records = 0;
		const ring = ringBuffer(source.map, () => {
			records++;
			if (records === 2) ring.close();
		});
		source.send(6);
		await ring.closed;
		expect(records).toBe(2);
	});

	test.each([-1, Number.NaN, 10_001])("a gathering of %d ms is refused, and nothing leaks", (gatherMs) => {
		using source = generator();
		const before = openFds();
		expect(() => ringBuffer(source.map, () => undefined, { gatherMs })).toThrow(RangeError);
		expect(openFds()).toBe(before);
	});

	test("maps of other kinds are refused, and nothing leaks", () => {
		using map = createMap({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1, name: "an_array" });
		const before = openFds();
		const error = errorOf(() => ringBuffer(map, () => undefined));
		expect(error.message).toBe("Cannot read the ring buffer an_array: EINVAL (it is a map of type array)");
		expect(openFds()).toBe(before);
	});
});

describe("a process that waits for records", () => {
	test.skipIf(process.getuid?.() !== 0)("ends by itself once the reader is closed (needs root)", async () => {
		const child = Bun.spawn([process.execPath, join(import.meta.dirname, "test/wait_and_close.ts")], {
			stdout: "pipe",
		});
		expect(await new Response(child.stdout).text()).toBe("closed");
		expect(await child.exited).toBe(0);
	});
});
