// What a program finds when the maps change under it, or are wrong: never another frontend's backend.

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Buffer } from "node:buffer";
import { decodeFrontend, encodeFrontend, encodeFrontendKey, encodeId, encodeSlot } from "../../src/datapath/codec.ts";
import { outcomes } from "../support/client.ts";
import { datapath, l4, type TestDatapath } from "../support/datapath.ts";
import { V4 } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

let place: Lab;
let bpf: TestDatapath;

beforeAll(async () => {
	place = await lab();
});

beforeEach(() => {
	bpf = datapath(place.cgroup.path);
});

afterAll(() => place[Symbol.dispose]());

const at = V4.l4(V4.vip(1), 80, "TCP");
const other = V4.l4(V4.vip(2), 80, "TCP");
const [mine, theirs] = [1, 2].map((n) => V4.l4(V4.backend(n), 8080, "TCP")) as [string, string];
const specs = [
	{ at, to: [mine] },
	{ at: other, to: [theirs] },
];

function frontendOf(address: string) {
	const key = encodeFrontendKey(l4(address));
	return { key, value: decodeFrontend(bpf.maps.dump("frontends").get(key) ?? "") };
}

describe("maps that disagree", () => {
	test.each([
		{
			name: "slots of another frontend",
			break() {
				const { key, value } = frontendOf(at);
				const stolen = { ...value, slotBase: frontendOf(other).value.slotBase };
				bpf.maps.put("frontends", new Map([[key, encodeFrontend(key, stolen)]]));
			},
		},
		{
			name: "slots that are gone",
			break: () => void bpf.maps.delete("slots", [encodeId(frontendOf(at).value.slotBase)]),
		},
		{
			name: "slots beyond the map's end",
			break() {
				const { key, value } = frontendOf(at);
				bpf.maps.put("frontends", new Map([[key, encodeFrontend(key, { ...value, slotBase: 0xffff_fff0 })]]));
			},
		},
		{
			name: "a backend that is gone",
			break: () => void bpf.maps.delete("backends", [encodeId(bpf.backend(mine).id)]),
		},
		{
			name: "a frontend whose element is another one's by now",
			break() {
				const { key, value } = frontendOf(at);
				const reused = encodeFrontend(encodeFrontendKey(l4(other)), { ...value, ...frontendOf(other).value });
				bpf.maps.put("frontends", new Map([[key, reused]]));
			},
		},
	])("let a connection pass untranslated: $name", async (fault) => {
		using _bpf = bpf;
		bpf.program(...specs);
		fault.break();
		await using client = place.client();
		await client.ask("socket a inet tcp");
		for (let n = 0; n < 3; n++) expect(await client.run(`connect a ${V4.vip(1)} 80`)).toBe("EHOSTUNREACH");
		expect(bpf.faults()).toEqual({ slot: 3, storage: 0, eventFull: 0, eventRate: 0 });
		expect(bpf.frontend(other).resolved).toBe(0);
		await client.ask(`connect a ${V4.vip(2)} 80`);
	});
});

test("a set that goes while a program looks at it is looked for again", async () => {
	using _bpf = bpf;
	const udp = V4.l4(V4.vip(1), 80, "UDP");
	const backend = V4.l4(V4.backend(1), 8080, "UDP");
	bpf.program({ at: udp, to: [backend] });
	const key = encodeFrontendKey(l4(udp));
	const value = decodeFrontend(bpf.maps.dump("frontends").get(key) ?? "");
	const slot = Buffer.from(encodeSlot(bpf.backend(backend).id, value.id), "latin1");
	const zero = Buffer.alloc(slot.length);
	const bytes = (text: string) => Buffer.from(text, "latin1");
	const places = [1000, 2000].map((slotBase) => ({
		index: bytes(encodeId(slotBase)),
		frontend: bytes(encodeFrontend(key, { ...value, slotBase })),
	}));
	const [slots, frontends, keyBytes] = [bpf.map("slots"), bpf.map("frontends"), bytes(key)];

	/** Much faster than any agent, and what was left is gone at once. */
	function move(): void {
		for (const [to, from] of [places, [...places].reverse()]) {
			if (to === undefined || from === undefined) return;
			slots.update(to.index, slot);
			frontends.update(keyBytes, to.frontend);
			slots.update(from.index, zero);
		}
	}

	move();
	await using client = place.client();
	const storm = client.ask(`storm quiet 100000 ${V4.vip(1)} 80`);
	let done = false;
	const finished = storm.finally(() => {
		done = true;
	});
	while (!done) {
		for (let n = 0; n < 1000; n++) move();
		await Bun.sleep(0);
	}
	expect(outcomes(await storm)).toEqual(new Map([[`0>${V4.vip(1)}|80`, 100_000]]));
	await finished;
	expect(bpf.faults().slot).toBe(0);
});
