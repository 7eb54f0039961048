// What can go wrong around an agent, and what it says of it: taken ports, missing rights, closed pipes, wrong paths.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMap, queryCgroup } from "bun-ffi-libbpf";
import { mapPin } from "../../src/datapath/pins.ts";
import {
	type AgentPlace,
	agentPlace,
	BINARY,
	execute,
	isBuilt,
	programmed,
	SOURCES,
	serviceYaml,
} from "../support/agent_place.ts";
import { testName } from "../support/names.ts";
import { until } from "../support/wait.ts";

let place: AgentPlace;
beforeEach(() => {
	place = agentPlace();
	place.write("web", serviceYaml("web", "10.96.200.1", ["10.244.200.1"]));
});
afterEach(() => place[Symbol.dispose]());

function attached(): number {
	return queryCgroup(place.cgroup.path, "cgroup_inet4_connect").length;
}

/** Starts an agent that cannot run; what it said. */
async function refusal(...flags: readonly string[]): Promise<string> {
	await using agent = place.start({ flags });
	expect(await agent.exited()).toBe(1);
	expect(agent.err().split("\n")).toHaveLength(2);
	return agent.err().trimEnd();
}

describe("an agent that cannot start ends with 1, one line, and nothing left in the kernel:", () => {
	afterEach(() => expect(attached()).toBe(0));

	test("its port is taken", async () => {
		const server = createServer().listen(0, "127.0.0.1");
		await new Promise((resolve) => server.once("listening", resolve));
		const address = server.address();
		const port = typeof address === "object" && address !== null ? address.port : 0;
		expect(await refusal(`--listen=127.0.0.1:${port}`)).toBe(
			`balancing agent: Cannot listen on 127.0.0.1:${port}: EADDRINUSE (something else listens there: give another address, or off)`,
		);
		server.close();
	});

	test("its cgroup is not there", async () => {
		expect(await refusal(`--cgroup=${place.cgroup.path}/none`)).toBe(
			`balancing agent: Cannot attach to --cgroup ${place.cgroup.path}/none: ENOENT (make it with mkdir, below the mount of cgroup v2)`,
		);
	});

	test("its cgroup is none", async () => {
		expect(await refusal(`--cgroup=${place.folder}`)).toContain(": not a folder of cgroup v2 (");
	});

	test("its pin path is a folder with something in it, outside of bpffs", async () => {
		expect(await refusal(`--pin-path=${place.manifests}`)).toContain("would hide what is in that folder");
	});

	test("its pin path has a dot", async () => {
		expect(await refusal("--pin-path=/sys/fs/bpf/balancing.d")).toContain("a name on a bpf file system has no dot");
	});

	test("its state directory is a file", async () => {
		writeFileSync(`${place.folder}/file`, "");
		expect(await refusal(`--state-dir=${place.folder}/file`)).toContain(
			`Cannot use --state-dir ${place.folder}/file: `,
		);
	});

	test("maps of another layout are pinned there", async () => {
		mkdirSync(`${place.pins}/maps`, { recursive: true });
		using map = createMap({ type: "hash", keySize: 4, valueSize: 4, maxEntries: 1 });
		map.pin(mapPin(place.pins, "frontends"));
		const said = await refusal();
		expect(said).toContain(
			`another version has pinned under ${place.pins} (stop its agent and take it away: balancing detach`,
		);
		expect(said).toContain("map frontends is pinned at");
	});
});

const nobodyTitle = isBuilt() ? "as nobody" : "as nobody (skipped: no dist/balancing; bun run build makes it)";

describe.skipIf(!isBuilt())(nobodyTitle, () => {
	/** A user without any right. */
	const NOBODY = [
		"setpriv",
		"--reuid=65534",
		"--regid=65534",
		"--clear-groups",
		"--inh-caps=-all",
		"--bounding-set=-all",
	];

	/** Has a copy of the binary: nobody may not look into a checkout below /root. */
	let folder: string;
	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), `${testName()}-nobody-`));
		copyFileSync(BINARY[0] ?? "", join(folder, "balancing"));
		chmodSync(folder, 0o755);
	});
	afterAll(() => rmSync(folder, { recursive: true }));

	function asNobody(...args: readonly string[]) {
		return execute([...NOBODY, join(folder, "balancing"), ...args], {}, folder);
	}

	test.each([
		[
			"agent",
			["--manifests=/tmp", "--listen=off"],
			/: Cannot use --state-dir .*: EACCES \(needs root, or a folder that/,
		],
		["status", [], /: Cannot ask the agent at .*: EACCES \(needs root\)/],
		["frontends", [], /: Cannot read the maps under .*: EACCES \(needs root\)/],
		["backends", [], /: Cannot read the maps under .*: EACCES \(needs root\)/],
		["maps", [], /: Cannot read the maps under .*: EACCES \(needs root\)/],
		["detach", [], /: Cannot take away what is pinned under .*: EACCES \(needs root\)/],
	])("%s says what is missing", async (command, flags, message) => {
		const agent = place.start();
		await using _ = agent;
		await agent.ready();
		const paths = [`--pin-path=${place.pins}`, `--state-dir=${place.stateDir}`].slice(
			0,
			["frontends", "backends", "maps"].includes(command) ? 1 : 2,
		);
		const { code, out, err } = await asNobody(command, ...paths, ...flags);
		expect([code, out]).toEqual([1, ""]);
		expect(err).toMatch(message);
		expect(err.split("\n")).toHaveLength(2);
		expect(attached()).toBe(1);
	});

	test("an agent with a state directory of its own lacks the right to load programs", async () => {
		chmodSync(place.folder, 0o777);
		const flags = [`--manifests=${place.manifests}`, `--state-dir=${place.folder}/own`, "--listen=off"];
		const own = [`--cgroup=${place.cgroup.path}`, `--pin-path=${place.pins}`];
		const { code, err } = await asNobody("agent", ...flags, ...own);
		expect(code).toBe(1);
		expect(err).toMatch(/^balancing agent: Cannot .*(EPERM|EACCES).*\n$/);
		expect(attached()).toBe(0);
	});

	test("plan and version work", async () => {
		chmodSync(place.folder, 0o755);
		const plan = await asNobody("plan", `--manifests=${place.manifests}`);
		expect(plan).toEqual({
			code: 0,
			out: "FRONTEND 10.96.200.1:80/TCP demo/web:http ServiceClusterIP -> 10.244.200.1:8080\nADDRESS 10.96.200.1 cluster IP: other ports are refused\n",
			err: "",
		});
		expect(await asNobody("version")).toMatchObject({ code: 0, err: "" });
	});
});

test("an agent whose log has no reader any more goes on", async () => {
	const flags = [`--manifests=${place.manifests}`, `--pin-path=${place.pins}`, `--state-dir=${place.stateDir}`];
	const command = [...SOURCES, "agent", ...flags, `--cgroup=${place.cgroup.path}`, "--listen=off"];
	// Both ends with the reader of the first line, as with `| head -1`.
	const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
	try {
		for (const stream of [child.stdout, child.stderr]) {
			const reader = stream.getReader();
			if (stream === child.stdout) await reader.read();
			await reader.cancel();
		}
		const kernel = async () => {
			const { code, out } = await place.run("frontends", "-o", "json");
			return code === 0 ? programmed(out) : {};
		};
		await until("programmed", async () => Object.keys(await kernel()).length === 1);
		for (const n of [2, 3, 4]) {
			place.write(`web-${n}`, serviceYaml(`web-${n}`, `10.96.200.${n}`, ["10.244.200.1"]));
			await until("the change in the kernel", async () => Object.keys(await kernel()).length === n);
		}
		expect(child.exitCode).toBeNull();
		child.kill("SIGTERM");
		expect(await child.exited).toBe(0);
	} finally {
		child.kill("SIGKILL");
		await child.exited;
	}
}, 30_000);

test("an agent that is stuck is told from one that does not run", async () => {
	await using agent = place.start();
	await agent.ready();
	process.kill(agent.pid, "SIGSTOP");
	const { code, out, err } = await place.run("status");
	process.kill(agent.pid, "SIGCONT");
	expect([code, out]).toEqual([1, ""]);
	expect(err).toBe(`balancing status: Cannot ask the agent at ${place.stateDir}/agent.sock: no answer within 5 s\n`);
}, 30_000);

test("whoever asks twice to stop does not wait", async () => {
	await using agent = place.start();
	await agent.ready();
	// Both arrive while it is stopped, so that it sees the second before it can end by the first.
	process.kill(agent.pid, "SIGSTOP");
	process.kill(agent.pid, "SIGTERM");
	process.kill(agent.pid, "SIGINT");
	process.kill(agent.pid, "SIGCONT");
	expect([0, 130, 143]).toContain(await agent.exited());
	expect(attached()).toBe(1);
});

test("help, plans and maps end quietly when their reader goes", async () => {
	const main = join(import.meta.dir, "../../src/main.ts");
	const { code, out, err } = await execute(["sh", "-c", `"${process.execPath}" run "${main}" agent --help | head -1`]);
	expect({ code, out, err }).toEqual({ code: 0, out: "Run the node agent in the foreground.\n", err: "" });
});
