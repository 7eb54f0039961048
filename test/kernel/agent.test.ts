// The agent as users run it: start, readiness, pages, stop, restart, several of them, detach.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { queryCgroup, udpConnect } from "bun-ffi-libbpf";
import { PROGRAMS } from "../../src/datapath/attach.ts";
import {
	type AgentPlace,
	agentPlace,
	BINARY,
	isBuilt,
	planned,
	programmed,
	SOURCES,
	serviceYaml,
} from "../support/agent_place.ts";
import { until } from "../support/wait.ts";

const ECONNREFUSED = 111;
/** Services of no host's network. */
const WEB = "10.96.200.1";
const EMPTY = "10.96.200.2";

let place: AgentPlace;
beforeEach(() => {
	place = agentPlace();
	place.write("web", serviceYaml("web", WEB, ["10.244.200.1", "10.244.200.2"]));
	place.write("empty", `${serviceYaml("empty", EMPTY, [])}---\n${udpService()}`);
});
afterEach(() => place[Symbol.dispose]());
afterAll(() => {
	for (const name of readdirSync("/sys/fs/bpf")) expect(name).not.toStartWith(`balancing-test-${process.pid}-`);
});

/** Without an endpoint: a datagram socket's connect() is refused, which sends nothing and needs no server. */
function udpService(): string {
	return `apiVersion: v1
kind: Service
metadata: { name: refused, namespace: demo }
spec: { clusterIPs: ["${EMPTY}"], ports: [{ name: dns, port: 53, protocol: UDP }] }
`;
}

/** Whether the kernel refuses what the plan says has no backend. */
function isRefused(where = place, address = EMPTY): boolean {
	const ip = Uint8Array.from(address.split("."), Number);
	return udpConnect(ip, 53, { cgroup: where.cgroup.path }) === ECONNREFUSED;
}

function attached(where = place): number {
	return queryCgroup(where.cgroup.path, "cgroup_inet4_connect").length;
}

function ids(json: string): readonly unknown[] {
	const views: readonly { address: string; id: number; backends: readonly { address: string; id: number }[] }[] =
		JSON.parse(json);
	return views.map(({ address, id, backends }) => [address, id, backends.map((one) => [one.address, one.id])]);
}

describe.each([
	["from its sources", SOURCES, false],
	[isBuilt() ? "compiled" : "compiled (skipped: dist/balancing is not built)", BINARY, !isBuilt()],
] as const)("the agent %s", (_, program, isMissing) => {
	test.skipIf(isMissing)(
		"becomes ready, shows itself, and leaves the datapath in place when it stops",
		async () => {
			const agent = place.start({ program, flags: ["--listen=127.0.0.1:0"] });
			await using _agent = agent;
			await agent.ready();
			const status = await place.run("status");
			expect(status).toMatchObject({ code: 0, err: "" });
			expect(status.out).toStartWith("Ready       yes\n");
			expect(status.out).toContain(`pid ${agent.pid} on `);
			expect(status.out).toContain(`Attached    ${place.cgroup.path}, proved by a canary connect\n`);
			expect(status.out).toContain("Programmed  3 frontends, 2 backends\n");
			expect((await agent.page("/healthz"))?.body).toBe("ok\n");
			expect((await agent.page("/metrics"))?.body).toContain("balancing_attachment_proved 1\n");
			expect(JSON.parse((await agent.page("/status"))?.body ?? "")).toMatchObject({ ready: true, pid: agent.pid });
			expect(isRefused()).toBe(true);

			expect(await agent.stop("SIGTERM")).toBe(0);
			expect(agent.err()).toBe("");
			expect(agent.log().at(-1)).toMatchObject({ level: "info", msg: "Stopped; the datapath stays in place" });
			expect(existsSync(`${place.stateDir}/agent.sock`)).toBe(false);
			expect(attached()).toBe(1);
			expect(isRefused()).toBe(true);
		},
		30_000,
	);
});

test("each resolution is a line of its log, with the time of the connect() and the Service's name", async () => {
	// Whatever the level of the agent's own words is.
	await using agent = place.start({ flags: ["--log-level=error"] });
	await agent.ready();
	const before = Date.now();
	expect(isRefused()).toBe(true);
	const after = Date.now();
	const lines = () => agent.log().filter(({ msg }) => msg === "resolution");
	await until("a resolution in the log", () => lines().length > 0);
	// The canaries' own resolutions are none of anybody's business.
	expect(lines()).toHaveLength(1);
	const [line] = lines();
	expect(line).toMatchObject({
		level: "info",
		result: "failure",
		reason: "NoBackends",
		original: { ip: EMPTY, port: 53 },
		backend: null,
		protocol: "UDP",
		object: "demo/refused",
		client: { cgroupId: Number(place.cgroup.id) },
	});
	// The kernel shows its clock to 10 ms.
	const time = Date.parse(String(line?.["time"]));
	expect(time).toBeGreaterThanOrEqual(before - 11);
	expect(time).toBeLessThanOrEqual(after + 11);
});

test("a port that a Service does not have is refused, logged with the Service's name, and counted", async () => {
	await using agent = place.start({ flags: ["--listen=127.0.0.1:0"] });
	await agent.ready();
	expect(isRefused(place, WEB)).toBe(true);
	const lines = () => agent.log().filter(({ msg }) => msg === "resolution");
	await until("a resolution in the log", () => lines().length > 0);
	expect(lines()[0]).toMatchObject({
		result: "failure",
		reason: "UnknownPort",
		original: { ip: WEB, port: 53 },
		backend: null,
		object: "demo/web",
		nat: { type: "service", mode: "ServiceClusterIP" },
	});
	expect((await agent.page("/metrics"))?.body).toMatch(/^balancing_unknown_port_refusals_total [1-9]\d*$/m);
	expect((await place.run("status")).out).toMatch(
		/^Refused +\d+ connections to ports that a cluster IP does not have$/m,
	);
	expect((await place.run("maps", "addresses")).out).toContain(`  address=${WEB} kind=clusterIp\n`);
});

test("status -o json is the status page, and says by its exit code whether the agent is ready", async () => {
	await using agent = place.start();
	await agent.ready();
	const { code, out } = await place.run("status", "-o", "json");
	expect(code).toBe(0);
	expect(JSON.parse(out)).toMatchObject({ ready: true, notReady: [], pid: agent.pid, frontends: 3, backends: 2 });
});

test("SIGINT stops it as SIGTERM does", async () => {
	await using agent = place.start();
	await agent.ready();
	expect(await agent.stop("SIGINT")).toBe(0);
	expect(attached()).toBe(1);
});

test("after kill -9 every command still shows what the kernel does, and a new agent goes on with the same ids", async () => {
	const first = place.start();
	await first.ready();
	const before = await place.run("frontends", "-o", "json");
	expect(await first.stop("SIGKILL")).toBe(137);
	expect(isRefused()).toBe(true);

	const status = await place.run("status");
	expect(status).toMatchObject({ code: 1, err: "" });
	expect(status.out).toContain(`Agent       not running (nothing answers in ${place.stateDir})\n`);
	expect(status.out).toContain(`Kernel      9 of 9 programs pinned under ${place.pins}, 3 frontends, 2 backends\n`);
	const frontends = await place.run("frontends", "-o", "json");
	expect(ids(frontends.out)).toEqual(ids(before.out));
	expect(programmed(frontends.out)).toEqual(planned((await place.run("plan", "-o", "json")).out));
	expect((await place.run("frontends")).out).toMatch(
		/^demo\/web:http +10\.96\.200\.1:80\/TCP +ClusterIP +0 +0 +10\.244\.200\.1:8080\/TCP 10\.244\.200\.2:8080\/TCP$/m,
	);
	expect((await place.run("backends")).out).toMatch(/^10\.244\.200\.1:8080\/TCP +active +0 +0 +demo\/web:http$/m);
	expect((await place.run("maps", "slots")).out).toMatch(/^slots \(2\)\n {2}index=\d+ backendId=\d+ owner=\d+\n/);
	expect(Object.keys(JSON.parse((await place.run("maps", "-o", "json")).out))).toContain("frontend_stats");

	await using second = place.start();
	await second.ready();
	expect(second.log().find(({ msg }) => msg === "Attached")).toMatchObject({ replaced: PROGRAMS.length });
	// It found all in place: nothing was written.
	expect(second.log().filter(({ msg }) => msg === "Written")).toEqual([]);
	expect(ids((await place.run("frontends", "-o", "json")).out)).toEqual(ids(before.out));
	expect(attached()).toBe(1);
}, 30_000);

test("follows the folder: what is added, changed and removed is so in the kernel", async () => {
	await using agent = place.start();
	await agent.ready();
	const kernel = async () => programmed((await place.run("frontends", "-o", "json")).out);
	place.write("more", serviceYaml("more", "10.96.200.3", ["10.244.200.3"]));
	await until("added", async () => Object.hasOwn(await kernel(), "10.96.200.3:80/TCP"));
	place.write("web", serviceYaml("web", WEB, ["10.244.200.9"]));
	await until("changed", async () => (await kernel())[`${WEB}:80/TCP`]?.join() === "10.244.200.9:8080/TCP");
	place.remove("more");
	await until("removed", async () => !Object.hasOwn(await kernel(), "10.96.200.3:80/TCP"));
	expect(await kernel()).toEqual(planned((await place.run("plan", "-o", "json")).out));
}, 30_000);

test("a second agent on the same state directory, or the same pin path, is refused and disturbs nothing", async () => {
	await using agent = place.start();
	await agent.ready();
	await using second = place.start();
	expect(await second.exited()).toBe(1);
	expect(second.err()).toBe(
		`balancing agent: Cannot start: agent ${agent.pid} uses --state-dir ${place.stateDir} (stop it, or give this one its own --state-dir, --pin-path and --listen)\n`,
	);
	await using third = place.start({ flags: [`--state-dir=${place.folder}/other`] });
	expect(await third.exited()).toBe(1);
	expect(third.err()).toBe(
		`balancing agent: Cannot start: another agent uses --pin-path ${place.pins} (stop it, or give this one its own --pin-path, --state-dir and --cgroup)\n`,
	);
	expect((await place.run("status")).code).toBe(0);
	expect(isRefused()).toBe(true);
}, 30_000);

test("two agents with paths of their own live side by side", async () => {
	using other = agentPlace();
	other.write("other", serviceYaml("other", "10.96.200.9", ["10.244.200.9"]));
	await using one = place.start();
	await using two = other.start();
	await Promise.all([one.ready(), two.ready()]);
	expect(isRefused(place)).toBe(true);
	expect(isRefused(other)).toBe(false);
	expect(Object.keys(programmed((await other.run("frontends", "-o", "json")).out))).toEqual(["10.96.200.9:80/TCP"]);
	await two.stop("SIGKILL");
	expect((await other.run("detach")).code).toBe(0);
	expect([attached(other), attached(place)]).toEqual([0, 1]);
	expect((await place.run("status")).code).toBe(0);
}, 30_000);

test("detach refuses while an agent runs, then takes everything away, and has nothing to do after that", async () => {
	const agent = place.start();
	await agent.ready();
	const refused = await place.run("detach");
	expect(refused).toMatchObject({ code: 1, out: "" });
	expect(refused.err).toContain(`agent ${agent.pid} is running with --state-dir ${place.stateDir}`);
	// Somebody who forgot the state directory meets the lock on the pins.
	const forgot = await place.run("detach", `--state-dir=${place.folder}/other`);
	expect(forgot).toMatchObject({ code: 1, out: "" });
	expect(forgot.err).toContain(`an agent uses --pin-path ${place.pins}`);
	expect(isRefused()).toBe(true);
	await agent.stop("SIGKILL");

	const done = await place.run("detach");
	expect(done).toMatchObject({ code: 0, err: "" });
	expect(done.out).toMatch(/^Detached: the \d+ pins under .* are gone, and the programs with them\n$/);
	expect([attached(), isRefused(), existsSync(place.pins)]).toEqual([0, false, false]);
	expect(existsSync(`${place.stateDir}/agent.sock`)).toBe(false);
	const again = await place.run("detach");
	expect(again).toEqual({ code: 0, out: `Nothing to detach: nothing is pinned under ${place.pins}\n`, err: "" });
	for (const name of ["frontends", "backends", "maps"]) {
		const { code, err } = await place.run(name);
		expect([code, err]).toEqual([1, expect.stringContaining("nothing is pinned there")]);
	}
}, 30_000);

test("a folder that is not there is waited for, and until then the agent is not ready and says why", async () => {
	const before = place.start();
	await before.ready();
	await before.stop("SIGTERM");
	rmSync(place.manifests, { recursive: true });
	await using agent = place.start();
	await until("a page", async () => (await agent.page("/readyz")) !== undefined);
	const { status, body = "" } = (await agent.page("/readyz")) ?? {};
	expect(status).toBe(503);
	expect(body).toContain(`manifests ${place.manifests} has not been read yet`);
	const shown = await place.run("status");
	expect(shown.code).toBe(1);
	expect(shown.out).toStartWith(`Ready       NO: manifests ${place.manifests} has not been read yet\n`);
	await until("a word about it", () =>
		agent.log().some(({ level, path }) => level === "warn" && path === place.manifests),
	);
	// Nothing is taken away on the word of a folder that is not there.
	expect(isRefused()).toBe(true);
	expect(shown.out).toContain("Programmed  3 frontends, 2 backends\n");
	mkdirSync(place.manifests);
	place.write("web", serviceYaml("web", WEB, ["10.244.200.1"]));
	await agent.ready();
	await until("the plan in the kernel", async () => {
		const { out } = await place.run("frontends", "-o", "json");
		return Object.keys(programmed(out)).length === 1;
	});
}, 30_000);

test("bad YAML is told with file and line, and its neighbours are programmed", async () => {
	place.write("bad", "apiVersion: v1\nkind: Service\nmetadata: { name: bad\n");
	place.write("worse", "apiVersion: v1\nkind: Service\nmetadata: { name: worse }\nspec: { clusterIPs: [nonsense] }\n");
	await using agent = place.start();
	await agent.ready();
	const { code, out } = await place.run("status");
	expect(code).toBe(0);
	expect(out).toContain("Programmed  3 frontends, 2 backends\n");
	expect(out).toMatch(/^ {2}.*bad\.yaml.*\(InvalidYaml, .*bad\.yaml:\d+\)$/m);
	expect(out).toMatch(/^ {2}Service default\/worse .*nonsense.*worse\.yaml:\d+\)$/m);
	expect(agent.log().filter(({ msg }) => msg === "Problem").length).toBeGreaterThan(1);
	expect((await agent.page("/metrics"))?.body).toContain('balancing_problems{reason="InvalidYaml"} 1\n');
}, 30_000);
