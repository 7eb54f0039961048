// One process goes past frontends as long as it wants to, and nobody else: sockets say so.

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { udpConnect } from "bun-ffi-libbpf";
import { type Bypass, createBypass } from "../../src/agent/bypass.ts";
import { createProof, ownCanary } from "../../src/agent/proof.ts";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { type Datapath, openDatapath } from "../../src/datapath/datapath.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { CANARY_IPV4, CANARY_IPV6 } from "../../src/plan/canary.ts";
import { type Cgroup, cgroup, cgroupMount } from "../support/cgroup.ts";
import { client, outcomes } from "../support/client.ts";
import { datapath, planOf, type Spec, type TestDatapath } from "../support/datapath.ts";
import { recordingLog } from "../support/log.ts";
import { type Netns, netns } from "../support/netns.ts";
import { pinPath } from "../support/pin_path.ts";
import { until } from "../support/wait.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

const ECONNREFUSED = 111;
/** Milliseconds that no test takes. */
const LONG = 600_000;
const CANARIES: readonly Spec[] = [
	{ at: CANARY_IPV4, to: [] },
	{ at: CANARY_IPV6, to: [] },
];

/** This process's own cgroup, where it goes back to. */
const home = readFileSync("/proc/self/cgroup", "utf8")
	.split("\n")
	.find((line) => line.startsWith("0::"))
	?.slice("0::".length);

function move(path: string): void {
	writeFileSync(`${path}/cgroup.procs`, String(process.pid));
}

let place: Cgroup;
let net: Netns;

beforeAll(() => {
	place = cgroup();
	net = netns();
	move(place.path);
});
afterAll(() => {
	move(`${cgroupMount()}${home}`);
	net[Symbol.dispose]();
	place[Symbol.dispose]();
});

function bypassOf({ passage }: Datapath, log = recordingLog()): Bypass {
	return createBypass({ passage, canary: ownCanary(), log });
}

const IPV6 = new Uint8Array([0xfd, 0, 0, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/** The errno of a connect of this process to 10.96.0.1:80/UDP. */
function connect(): number {
	return udpConnect(new Uint8Array([10, 96, 0, 1]), 80);
}

describe("begin()", () => {
	let bpf: TestDatapath;
	let bypass: Bypass;

	beforeAll(() => {
		bpf = datapath(place.path);
	});
	beforeEach(() => {
		bpf.program(...CANARIES, { at: "10.96.0.1:80/UDP", to: [] }, { at: "[fd00:96::1]:80/UDP", to: [] });
		bypass = bypassOf(bpf);
	});
	afterAll(() => bpf[Symbol.dispose]());

	test("lets this process pass until the end, and is not counted as a resolution", () => {
		const before = bpf.frontend("10.96.0.1:80/UDP");
		{
			using _ = bypass.begin(LONG);
			expect(connect()).not.toBe(ECONNREFUSED);
			expect(bpf.frontend("10.96.0.1:80/UDP")).toEqual(before);
		}
		expect(connect()).toBe(ECONNREFUSED);
		expect(bpf.frontend("10.96.0.1:80/UDP").refused).toBe(before.refused + 1);
	});

	test("lets this process pass by IPv6 sockets, too", () => {
		expect(udpConnect(IPV6, 80)).toBe(ECONNREFUSED);
		using _ = bypass.begin(LONG);
		expect(udpConnect(IPV6, 80)).not.toBe(ECONNREFUSED);
	});

	test("lets nobody else pass, be it another process or a child", async () => {
		await using other = client({ netns: net.name, cgroup: place.path });
		using _ = bypass.begin(LONG);
		await other.ask("socket a inet udp");
		expect(await other.run("connect a 10.96.0.1 80")).toBe("ECONNREFUSED");
		expect(udpConnect(new Uint8Array([10, 96, 0, 1]), 80, { cgroup: place.path })).toBe(ECONNREFUSED);
		expect(connect()).not.toBe(ECONNREFUSED);
	});

	test("ends by itself", async () => {
		using _ = bypass.begin(1);
		await until("over", () => connect() === ECONNREFUSED);
	});

	test("tells whether a frontend was met, translated or not, and which", () => {
		for (const time of [0, LONG]) {
			using stretch = bypass.begin(time);
			udpConnect(new Uint8Array([127, 0, 0, 1]), 9);
			expect(stretch?.met()).toBe(false);
			connect();
			expect(stretch?.met()).toBe(true);
			expect(bypass.last()).toBe("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x60\x00\x01\x00\x50\x11\x00");
		}
	});

	test("has the way of who began last, and passes no longer than anybody passes", () => {
		const first = bypass.begin(LONG);
		const second = bypass.begin(LONG);
		const third = bypass.begin(0);
		expect(connect()).toBe(ECONNREFUSED);
		const fourth = bypass.begin(LONG);
		expect(connect()).not.toBe(ECONNREFUSED);
		for (const stretch of [first, second]) stretch?.[Symbol.dispose]();
		expect(connect()).not.toBe(ECONNREFUSED);
		fourth?.[Symbol.dispose]();
		expect(connect()).toBe(ECONNREFUSED);
		expect(third?.met()).toBe(true);
		third?.[Symbol.dispose]();
	});

	test("leaves the proof of the attachment as it is", () => {
		using _ = bypass.begin(LONG);
		const log = recordingLog();
		const fooled = createProof({ cgroup: undefined, log });
		expect(fooled.prove()).toBe(false);
		const proof = createProof({ cgroup: undefined, log, connect: bypass.connect });
		expect(proof.prove()).toBe(true);
		expect(connect()).not.toBe(ECONNREFUSED);
	});

	test("is undefined for a process that the programs do not see, and later not, if they do", () => {
		move(`${cgroupMount()}${home}`);
		expect(bypass.begin(LONG)).toBeUndefined();
		move(place.path);
		using stretch = bypass.begin(LONG);
		expect(stretch).toBeDefined();
		expect(connect()).not.toBe(ECONNREFUSED);
	});

	test("knows this process from another that is refused all the time, and never takes one for the other", async () => {
		await using other = client({ netns: net.name, cgroup: place.path });
		const refused = () => bpf.frontend("10.96.0.1:80/UDP").refused;
		const before = refused();
		const storm = other.run("storm quiet 100000000 10.96.0.1 80");
		await until("a storm", () => refused() > before);
		for (let n = 0; n < 2000; n++) {
			using stretch = bypassOf(bpf).begin(LONG);
			expect(stretch).toBeDefined();
			expect(connect()).not.toBe(ECONNREFUSED);
		}
		// Any line ends it.
		const end = other.run("socket a inet udp");
		expect([...outcomes((await storm).slice("ok ".length)).keys()]).toEqual(["0!ECONNREFUSED"]);
		expect(await end).toBe("ok");
	});

	test("takes nobody for this process who connects to the canary all the time", async () => {
		await using other = client({ netns: net.name, cgroup: place.path });
		const refused = () => bpf.frontend(CANARY_IPV4).refused;
		const before = refused();
		const storm = other.run("storm quiet 100000000 192.0.0.8 5810");
		await until("a storm", () => refused() > before);
		let known = 0;
		for (let n = 0; n < 200; n++) {
			using stretch = bypassOf(bpf).begin(LONG);
			if (stretch === undefined) continue;
			known += 1;
			expect(connect()).not.toBe(ECONNREFUSED);
		}
		const end = other.run("socket a inet udp");
		await storm;
		await end;
		expect(known).toBeGreaterThan(0);
	});
});

describe("a bypass that was left open by an agent that is gone", () => {
	test("ends with the next agent's programs", () => {
		using pins = pinPath();
		const open = () => openDatapath({ cgroup: place.path, pinPath: pins.path, events: "off", eventsRate: 0 });
		{
			using first = open();
			const writer = createWriter({ maps: first.maps, capacity: CAPACITY, firstGeneration: 1 });
			writer.write(planOf([...CANARIES, { at: "10.96.0.1:80/UDP", to: [] }]), { synced: true });
			bypassOf(first).begin(LONG);
		}
		// As after SIGKILL: whatever was set is still there.
		expect(connect()).not.toBe(ECONNREFUSED);
		using _ = open();
		expect(connect()).toBe(ECONNREFUSED);
	});
});

describe("on a kernel that refuses without bpf_set_retval, where connect() says nothing of it", () => {
	let bpf: TestDatapath;

	beforeAll(() => {
		bpf = datapath(place.path, { withoutSetRetval: true });
		bpf.program(...CANARIES, { at: "10.96.0.1:80/UDP", to: [] });
	});
	afterAll(() => bpf[Symbol.dispose]());

	/** Connections to 10.96.0.1 that were refused. */
	const refused = () => bpf.frontend("10.96.0.1:80/UDP").refused;

	test("begin() lets this process pass", () => {
		const bypass = bypassOf(bpf);
		connect();
		const before = refused();
		{
			using stretch = bypass.begin(LONG);
			expect(stretch).toBeDefined();
			connect();
			expect(refused()).toBe(before);
		}
		connect();
		expect(refused()).toBe(before + 1);
	});

	test.each([
		["this process", () => undefined],
		["its cgroup", () => place.path],
	])("the attachment is proved from %s, and not where the canary is missing", (_, cgroup) => {
		const { connect } = bypassOf(bpf);
		const log = recordingLog();
		const proof = createProof({ cgroup: cgroup(), log, connect });
		expect(proof.prove()).toBe(true);
		bpf.program({ at: "10.96.0.1:80/UDP", to: [] });
		expect(proof.prove()).toBe(false);
		expect(proof.reason).toContain("succeeded instead of ECONNREFUSED");
		bpf.program(...CANARIES, { at: "10.96.0.1:80/UDP", to: [] });
		expect(proof.prove()).toBe(true);
	});
});

describe("on a kernel whose programs cannot tell who connects", () => {
	test("begin() is undefined, says so once, and everybody is translated", () => {
		using bpf = datapath(place.path, { withoutPid: true });
		bpf.program(...CANARIES, { at: "10.96.0.1:80/UDP", to: [] });
		const log = recordingLog();
		const bypass = bypassOf(bpf, log);
		expect([bypass.begin(LONG), bypass.begin(0)]).toEqual([undefined, undefined]);
		expect(log.messages()).toEqual([
			"info The agent's own connections are always translated: needs Linux 5.7 to be otherwise",
		]);
		expect(connect()).toBe(ECONNREFUSED);
	});
});

test.each(["TCP", "UDP"] as const)(
	"%s goes where it was sent while this process passes, and to the backend after",
	async (protocol) => {
		using bpf = datapath(place.path);
		using there = await echo(protocol, "127.0.88.1", 0);
		using backend = await echo(protocol, "127.0.88.2", 0);
		const at = `127.0.88.1:${there.port}/${protocol}`;
		const to = `127.0.88.2:${backend.port}/${protocol}`;
		bpf.program(...CANARIES, { at, to: [to] });
		const bypass = bypassOf(bpf);
		expect(await ask(protocol, there.port)).toBe("127.0.88.2");
		{
			using _ = bypass.begin(LONG);
			expect(await ask(protocol, there.port)).toBe("127.0.88.1");
		}
		expect(await ask(protocol, there.port)).toBe("127.0.88.2");
		expect(bpf.frontend(at)).toMatchObject({ resolved: 2, refused: 0 });
		expect(bpf.backend(to).connections).toBe(2);
	},
);

/** Answers with its own address whatever it is told. */
async function echo(
	protocol: "TCP" | "UDP",
	hostname: string,
	port: number,
): Promise<Disposable & { readonly port: number }> {
	if (protocol === "UDP") {
		const socket = await Bun.udpSocket({
			hostname,
			port,
			socket: { data: (from, _, senderPort, sender) => void from.send(hostname, senderPort, sender) },
		});
		return { port: socket.port, [Symbol.dispose]: () => socket.close() };
	}
	const listener = Bun.listen({ hostname, port, socket: { data: (socket) => void socket.end(hostname) } });
	return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

/** Who answers at 127.0.88.1; by UDP through an unconnected socket. */
async function ask(protocol: "TCP" | "UDP", port: number): Promise<string> {
	const { promise, resolve, reject } = Promise.withResolvers<string>();
	if (protocol === "UDP") {
		const socket = await Bun.udpSocket({
			socket: { data: (_, answer) => resolve(answer.toString()), error: reject },
		});
		socket.send("who?", port, "127.0.88.1");
		return await promise.finally(() => socket.close());
	}
	await Bun.connect({
		hostname: "127.0.88.1",
		port,
		socket: {
			open: (socket) => void socket.write("who?"),
			data: (_, answer) => resolve(answer.toString()),
			connectError: (_, error) => reject(error),
		},
	});
	return await promise;
}
