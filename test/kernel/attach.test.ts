// Links of programs: made, replaced in place, moved, made anew, and none of it while two agents would.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, unlinkSync } from "node:fs";
import { createMap, openPinnedLink, queryCgroup, udpConnect } from "bun-ffi-libbpf";
import { type Attached, cgroupId, PROGRAMS, type ProgramName } from "../../src/datapath/attach.ts";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { type Datapath, openDatapath } from "../../src/datapath/datapath.ts";
import { linkPin, preparePins, removePins } from "../../src/datapath/pins.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { type Cgroup, cgroup } from "../support/cgroup.ts";
import { planOf } from "../support/datapath.ts";
import { lines } from "../support/lines.ts";
import { type PinPath, pinPath } from "../support/pin_path.ts";

const ECONNREFUSED = 111;
let place: Cgroup;
let pins: PinPath;

beforeEach(() => {
	place = cgroup();
	pins = pinPath();
});
afterEach(() => {
	pins[Symbol.dispose]();
	place[Symbol.dispose]();
});

function open(group = place.path): Datapath {
	return openDatapath({ cgroup: group, pinPath: pins.path, events: "off", eventsRate: 0 });
}

function all(how: Attached): Map<ProgramName, Attached> {
	return new Map(PROGRAMS.map((name) => [name, how]));
}

/** Ids of the link and its program, and the cgroup, for each program. */
function links(): readonly (readonly [link: number, program: number, cgroup: bigint])[] {
	return PROGRAMS.map((name) => {
		using link = openPinnedLink(linkPin(pins.path, name));
		const { id, programId, cgroupId } = link.info;
		return [id, programId, cgroupId];
	});
}

function count(group = place.path): number {
	return queryCgroup(group, "cgroup_inet4_connect").length;
}

/** What a connect() to a frontend without a backend gives. */
function refuses(group = place.path): boolean {
	return udpConnect(Uint8Array.of(10, 96, 202, 1), 53, { cgroup: group }) === ECONNREFUSED;
}

function program({ maps }: Datapath): void {
	const writer = createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 });
	expect(writer.write(planOf([{ at: "10.96.202.1:53/UDP", to: [] }]), { synced: true }).pending).toBe(0);
}

describe("openDatapath()", () => {
	test("makes a link for each program, which outlives it", () => {
		const first = open();
		expect(first.attached).toEqual(all("created"));
		program(first);
		first[Symbol.dispose]();
		expect(count()).toBe(1);
		expect(refuses()).toBe(true);
		expect(links().map(([, , id]) => id)).toEqual(PROGRAMS.map(() => cgroupId(place.path)));
	});

	test("puts its programs into the place of those that are there: the same links, other programs", () => {
		open()[Symbol.dispose]();
		const before = links();
		using second = open();
		expect(second.attached).toEqual(all("replaced"));
		const after = links();
		expect(after.map(([link]) => link)).toEqual(before.map(([link]) => link));
		for (const [index, [, id]] of after.entries()) expect(id).not.toBe(before[index]?.[1] ?? 0);
		expect(count()).toBe(1);
	});

	test("never leaves a moment without programs while it replaces them", async () => {
		const first = open();
		program(first);
		first[Symbol.dispose]();
		// Another process connects all the time.
		const code = `import { udpConnect } from "bun-ffi-libbpf";
			const [to, cgroup] = [Uint8Array.of(10, 96, 202, 1), ${JSON.stringify(place.path)}];
			let [tried, missed, stopped] = [0, 0, false];
			process.stdin.once("data", () => { stopped = true; });
			while (!stopped) {
				for (let n = 0; n < 20; n++, tried++) if (udpConnect(to, 53, { cgroup }) !== ${ECONNREFUSED}) missed++;
				if (tried === 20) console.log("at work");
				await new Promise((done) => setImmediate(done));
			}
			console.log(tried > 20, missed);
			process.exit();`;
		using child = lines([process.execPath, "-e", code]);
		expect(await child.read()).toBe("at work");
		for (let n = 0; n < 10; n++) open()[Symbol.dispose]();
		child.write("stop");
		expect(await child.read()).toBe("true 0");
	}, 30_000);

	test("moves to another cgroup, and leaves nothing in the first one", () => {
		open()[Symbol.dispose]();
		using other = cgroup();
		using second = open(other.path);
		expect(second.attached).toEqual(all("moved"));
		program(second);
		expect([count(), count(other.path)]).toEqual([0, 1]);
		expect([refuses(), refuses(other.path)]).toEqual([false, true]);
		expect(links().map(([, , id]) => id)).toEqual(PROGRAMS.map(() => cgroupId(other.path)));
	});

	test("does not mind what an agent left that was killed while it moved", () => {
		open()[Symbol.dispose]();
		{
			// A second attachment, pinned beside the first one.
			using link = openPinnedLink(linkPin(pins.path, "sock4_connect"));
			link.pin(`${linkPin(pins.path, "sock4_connect")}_new`);
		}
		using second = open();
		expect(second.attached).toEqual(all("replaced"));
		expect(existsSync(`${linkPin(pins.path, "sock4_connect")}_new`)).toBe(false);
		expect(count()).toBe(1);
	});

	test("refuses a second one on the same pins at the same time", () => {
		using _ = open();
		expect(() => open()).toThrow(`Cannot start: another agent uses --pin-path ${pins.path} (`);
		expect(count()).toBe(1);
	});

	test("says what it found where a link should be", () => {
		preparePins(pins.path);
		using map = createMap({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
		map.pin(linkPin(pins.path, "sock4_connect"));
		expect(() => open()).toThrow(/^Cannot open the pinned link .*sock4_connect: EINVAL \(it is .*map\)$/);
		unlinkSync(linkPin(pins.path, "sock4_connect"));
	});
});

describe("reattach()", () => {
	test("makes anew what was detached, removed, or lost its cgroup", () => {
		using ours = open();
		program(ours);
		{
			using link = openPinnedLink(linkPin(pins.path, "sock4_connect"));
			link.detach();
		}
		expect([count(), refuses()]).toEqual([0, false]);
		expect(ours.reattach()).toEqual(all("replaced").set("sock4_connect", "moved"));
		expect([count(), refuses()]).toEqual([1, true]);

		unlinkSync(linkPin(pins.path, "sock6_connect"));
		expect(ours.reattach().get("sock6_connect")).toBe("created");

		rmdirSync(place.path);
		expect(() => ours.reattach()).toThrow("ENOENT");
		mkdirSync(place.path);
		expect(ours.reattach()).toEqual(all("moved"));
		expect([count(), refuses()]).toEqual([1, true]);
	});
});

test("removePins() detaches at once and says what it took away", () => {
	open()[Symbol.dispose]();
	const removed = removePins(pins.path);
	expect(removed.filter((path) => path.includes("/links/"))).toHaveLength(PROGRAMS.length);
	expect([count(), existsSync(pins.path)]).toEqual([0, false]);
	expect(removePins(pins.path)).toEqual([]);
});
