// The kernel's maps and memory maps of the same small size, held to the same rules.

import { afterEach, describe } from "bun:test";
import { createMap } from "bun-ffi-libbpf";
import { createKernelMaps } from "../../src/datapath/kernel_maps.ts";
import { sizeOf } from "../../src/datapath/layout.ts";
import type { Maps } from "../../src/datapath/maps.ts";
import { createMemoryMaps } from "../../src/datapath/memory_maps.ts";
import { ROOM, testFullMaps } from "../support/full_maps_contract.ts";

/** BPF_F_NO_PREALLOC, as bpf/maps.h has it. */
const NO_PREALLOC = 1;
let open = new DisposableStack();

afterEach(() => {
	open.dispose();
	open = new DisposableStack();
});

function kernelMaps(): Maps {
	const array = (valueSize: number, maxEntries: number) =>
		open.use(createMap({ type: "array", keySize: 4, valueSize, maxEntries }));
	const hash = (keySize: number, valueSize: number) =>
		open.use(createMap({ type: "hash", keySize, valueSize, maxEntries: ROOM, flags: NO_PREALLOC }));
	return createKernelMaps({
		backends: array(sizeOf("backend"), ROOM),
		slots: array(sizeOf("slot"), ROOM),
		names: hash(4, sizeOf("frontend_name")),
		frontends: hash(sizeOf("frontend_key"), sizeOf("frontend")),
		addresses: hash(sizeOf("address"), sizeOf("known_address")),
		affinities: hash(sizeOf("affinity_key"), sizeOf("affinity")),
		redirect_windows: hash(4, 16),
		guards: hash(sizeOf("guard_key"), sizeOf("guard")),
		backend_stats: array(sizeOf("backend_stats"), ROOM),
		frontend_stats: array(sizeOf("frontend_stats"), ROOM),
	});
}

describe("the kernel's maps", () => testFullMaps(kernelMaps));

// Ids run from 1 to the capacity there: one element less than the map has.
describe("memory maps", () => {
	testFullMaps(() => createMemoryMaps({ frontends: ROOM - 1, backends: ROOM - 1, slots: ROOM, addresses: ROOM }));
});
