// Writing a large plan to empty kernel maps, and one change to full ones.

import { mkdirSync, rmdirSync } from "node:fs";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { findCgroupRoot } from "../../src/datapath/cgroup.ts";
import { openDatapath } from "../../src/datapath/datapath.ts";
import type { Maps } from "../../src/datapath/maps.ts";
import { removePins } from "../../src/datapath/pins.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { type L4Address, l4Address, parseIp, parsePort } from "../../src/model/address.ts";
import { type Chunk, EMPTY_PLAN, type Plan } from "../../src/plan/plan_types.ts";
import type { BenchRow } from "./row.ts";

const SERVICES = 10_000;
const BACKENDS = 10;

function address(text: string, portNumber: number): L4Address {
	const [ip, port] = [parseIp(text), parsePort(portNumber)];
	if (ip === undefined || port === undefined) throw new Error(`Cannot use ${text} ${portNumber}`);
	return l4Address(ip, port, "TCP");
}

function chunk(index: number, port: number): Chunk {
	const [high, low] = [index >> 8, index & 255];
	const active = Array.from({ length: BACKENDS }, (_, n) => address(`10.${128 + n}.${high}.${low}`, port)).sort();
	const frontend = {
		address: address(`10.96.${high}.${low}`, 80),
		name: `bench/service-${index}:80`,
		mode: "ServiceClusterIP" as const,
		active,
		terminating: [],
		keepsPeer: true,
	};
	return { object: `bench/service-${index}`, frontends: [frontend] };
}

function plan(changed?: number): Plan {
	const chunks = Array.from({ length: SERVICES }, (_, index) => chunk(index, index === changed ? 9090 : 8080));
	return { ...EMPTY_PLAN, chunks: new Map(chunks.map((each) => [each.object, each])) };
}

/** The same maps; what is spent in writing is added up. */
function timed(maps: Maps): { readonly maps: Maps; spent(): number } {
	let spent = 0;
	return {
		maps: {
			...maps,
			put(map, entries) {
				const started = performance.now();
				const failures = maps.put(map, entries);
				spent += performance.now() - started;
				return failures;
			},
		},
		spent: () => spent,
	};
}

function milliseconds(run: () => void): number {
	const started = performance.now();
	run();
	return performance.now() - started;
}

export async function bench(): Promise<readonly BenchRow[]> {
	const id = `balancing-test-bench-${process.pid}`;
	const [cgroup, pinPath] = [`${findCgroupRoot()}/${id}`, `/sys/fs/bpf/${id}`];
	mkdirSync(cgroup);
	try {
		using datapath = openDatapath({ cgroup, pinPath, events: "off", eventsRate: 0 });
		const { maps, spent } = timed(datapath.maps);
		const full = plan();
		const options = { maps, capacity: CAPACITY, firstGeneration: 1 };
		const writer = createWriter(options);
		const empty = milliseconds(() => void writer.write(full, { synced: true }));
		const written = spent();
		const chunks = new Map(full.chunks);
		chunks.set("bench/service-5000", chunk(5000, 9090));
		const one = milliseconds(() => void writer.write({ ...EMPTY_PLAN, chunks }, { synced: true }));
		const restored = milliseconds(() => void createWriter(options).write({ ...EMPTY_PLAN, chunks }, { synced: true }));
		return [
			{ name: `write ${SERVICES} x ${BACKENDS} to empty kernel maps`, value: written, unit: "ms", budget: 500 },
			{
				name: "the same with assigning numbers, encoding and comparing",
				value: empty,
				unit: "ms",
				budget: 1000,
			},
			{ name: "one Service's ten endpoints changed", value: one, unit: "ms" },
			{ name: "restart: read the maps back and compare everything", value: restored, unit: "ms" },
		];
	} finally {
		removePins(pinPath);
		rmdirSync(cgroup);
	}
}
