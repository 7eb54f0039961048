// The hub against real files and real inotify: what people and kubelets do to folders of manifests.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import { DOUBT } from "./file_store.ts";
import { readManifests, watchManifests } from "./manifests.ts";

setDefaultTimeout(60_000);

const DEADLINE = 15_000;
const NOBODY: Log = { debug() {}, info() {}, warn() {}, error() {} };

const service = (name: string, ip = "10.0.0.1") =>
	`apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {clusterIP: ${ip}, ports: [{port: 80}]}\n`;
const names = ({ services }: Cluster) =>
	[...services.keys()]
		.map((key) => key.replace("default/", ""))
		.sort()
		.join(" ");

interface Followed extends AsyncDisposable {
	readonly snapshots: readonly Cluster[];
	readonly lines: readonly string[];
	/** Waits for a snapshot that is so, from the newest on. */
	until(what: string, isSo: (cluster: Cluster) => boolean): Promise<Cluster>;
	/** Waits for a log line. */
	untilLog(text: string): Promise<void>;
}

function follow(path: string, clock?: Clock): Followed {
	const stop = new AbortController();
	const snapshots: Cluster[] = [];
	const lines: string[] = [];
	let wake: () => void = () => {};
	const line = (_: object, message: string): void => {
		lines.push(message);
		wake();
	};
	const log: Log = { debug: line, info: line, warn: line, error: line };

	async function loop(): Promise<void> {
		for await (const cluster of watchManifests({ path, log, signal: stop.signal, ...(clock && { clock }) })) {
			snapshots.push(cluster);
			wake();
		}
	}
	const running = loop();

	async function wait(what: string, isDone: () => boolean): Promise<void> {
		const late = AbortSignal.timeout(DEADLINE);
		while (!isDone()) {
			const last = snapshots.at(-1);
			if (late.aborted)
				throw new Error(
					`Not seen: ${what}; last: ${last && names(last)} ${JSON.stringify(last?.problems)}; log: ${lines}`,
				);
			await new Promise<void>((resolve) => {
				wake = resolve;
				late.addEventListener("abort", () => resolve());
			});
		}
	}

	return {
		snapshots,
		lines,
		async until(what, isSo) {
			let found: Cluster | undefined;
			await wait(what, () => {
				const last = snapshots.at(-1);
				found = last !== undefined && isSo(last) ? last : undefined;
				return found !== undefined;
			});
			if (found === undefined) throw new Error("unreachable");
			return found;
		},
		untilLog: (text) => wait(text, () => lines.includes(text)),
		async [Symbol.asyncDispose]() {
			stop.abort();
			await running;
		},
	};
}

function temporary(): Disposable & { readonly path: string } {
	const path = mkdtempSync(join(tmpdir(), "manifests-"));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe("readManifests()", () => {
	test("reads a folder in the order of names", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "b.yaml"), service("web", "10.0.0.2"));
		writeFileSync(
			join(folder.path, "a.json"),
			'{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"clusterIP":"10.0.0.1","ports":[{"port":80}]}}',
		);
		writeFileSync(join(folder.path, "c.yaml"), "kind: [\n");
		writeFileSync(join(folder.path, "d.yaml"), service("good"));
		const cluster = await readManifests(folder.path);
		expect(names(cluster)).toBe("good web");
		expect<unknown>(cluster.services.get("default/web")?.clusterIps).toEqual(["10.0.0.1"]);
		expect(cluster.problems.map(({ source, reason }) => [source?.replace(`${folder.path}/`, ""), reason])).toEqual([
			["c.yaml:1", "InvalidYaml"],
			["b.yaml:1", "Duplicate"],
		]);
	});

	test("reads one file, and an empty folder", async () => {
		using folder = temporary();
		expect((await readManifests(folder.path)).services.size).toBe(0);
		writeFileSync(join(folder.path, "one"), service("web"));
		expect(names(await readManifests(join(folder.path, "one")))).toBe("web");
	});

	test("fails if there is nothing at the path", async () => {
		const path = join(tmpdir(), "no-such-manifests");
		expect(readManifests(path)).rejects.toThrow(`Cannot read manifests ${path}: ENOENT (is the path right?)`);
	});
});

describe("watchManifests() with a folder", () => {
	test("follows files that are added, changed, replaced and removed, and keeps what did not change", async () => {
		using folder = temporary();
		const path = (name: string) => join(folder.path, name);
		writeFileSync(path("a.yaml"), service("a"));
		await using followed = follow(folder.path);
		const first = await followed.until("a", (cluster) => names(cluster) === "a");
		writeFileSync(path("b.yaml"), service("b"));
		const second = await followed.until("b", (cluster) => names(cluster) === "a b");
		expect(second.services.get("default/a")).toBe(first.services.get("default/a"));
		writeFileSync(path("b.yaml"), service("b", "10.0.0.7"));
		await followed.until(
			"b changed",
			({ services }) => services.get("default/b")?.clusterIps[0] === ("10.0.0.7" as never),
		);
		// As most editors save.
		writeFileSync(path(".b.yaml.tmp"), service("c"));
		renameSync(path(".b.yaml.tmp"), path("b.yaml"));
		await followed.until("c for b", (cluster) => names(cluster) === "a c");
		unlinkSync(path("b.yaml"));
		const last = await followed.until("b gone", (cluster) => names(cluster) === "a");
		expect(last.services.get("default/a")).toBe(first.services.get("default/a"));
	});

	test("follows policies, and the Pods that they select", async () => {
		using folder = temporary();
		const path = (name: string) => join(folder.path, name);
		const policy = (app: string) => `apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: {name: p}
spec:
  frontend: {addressMatcher: {ip: 192.0.2.1, toPorts: [{port: "80", protocol: TCP}]}}
  backend: {serviceEndpoint: {endpointSelector: {matchLabels: {app: ${app}}}, toPorts: [{port: "80", protocol: TCP}]}}
`;
		const pod = (app: string) =>
			`apiVersion: v1\nkind: Pod\nmetadata: {name: ${app}, labels: {app: ${app}}}\nstatus: {podIP: 10.1.0.1}\n`;
		const shown = ({ policies, pods }: Cluster) => [...policies.keys(), ...pods.keys()].join(" ");
		writeFileSync(path("pods.yaml"), [pod("a"), pod("b")].join("---\n"));
		await using followed = follow(folder.path);
		await followed.until("nothing", (cluster) => shown(cluster) === "");
		writeFileSync(path("policy.yaml"), policy("a"));
		const first = await followed.until("p and a", (cluster) => shown(cluster) === "BalancingPolicy p default/a");
		writeFileSync(path("policy.yaml"), policy("b"));
		await followed.until("p and b", (cluster) => shown(cluster) === "BalancingPolicy p default/b");
		writeFileSync(path("policy.yaml"), policy("a"));
		const again = await followed.until("a again", (cluster) => shown(cluster) === "BalancingPolicy p default/a");
		expect(again.pods.get("default/a")).toBe(first.pods.get("default/a") as never);
		expect(again.policies).toEqual(first.policies);
		unlinkSync(path("policy.yaml"));
		await followed.until("nothing again", (cluster) => shown(cluster) === "");
	});

	test("never shows a deletion for a file that is written in two parts, emptied for a moment or created anew", async () => {
		using folder = temporary();
		const path = join(folder.path, "a.yaml");
		const whole = `${service("a")}---\n${service("b")}`;
		writeFileSync(path, whole);
		await using followed = follow(folder.path);
		await followed.until("both", (cluster) => names(cluster) === "a b");
		for (const part of ["", whole.slice(0, whole.indexOf("---")), whole.slice(0, -20)]) {
			writeFileSync(path, part);
			writeFileSync(join(folder.path, "mark.yaml"), service("mark"));
			await followed.until("the mark", ({ services }) => services.has("default/mark"));
			writeFileSync(path, whole);
			rmSync(join(folder.path, "mark.yaml"));
			await followed.until(
				"no mark",
				({ services, problems }) => !services.has("default/mark") && problems.length === 0,
			);
		}
		unlinkSync(path);
		writeFileSync(path, whole);
		writeFileSync(join(folder.path, "end.yaml"), service("end"));
		await followed.until("the end", ({ services }) => services.has("default/end"));
		expect(
			followed.snapshots.filter(({ services }) => !services.has("default/a") || !services.has("default/b")),
		).toEqual([]);
	});

	test("believes after a while that a file is empty, and that a folder is", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "a.yaml"), service("a"));
		writeFileSync(join(folder.path, "b.yaml"), service("b"));
		await using followed = follow(folder.path);
		await followed.until("both", (cluster) => names(cluster) === "a b");
		writeFileSync(join(folder.path, "a.yaml"), "");
		await followed.until("a gone", (cluster) => names(cluster) === "b");
		for (const name of readdirSync(folder.path)) unlinkSync(join(folder.path, name));
		await followed.until("nothing", (cluster) => names(cluster) === "");
	});

	test("keeps everything while the folder is gone, and follows the one that comes in its place", async () => {
		using root = temporary();
		const path = join(root.path, "x/manifests");
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "a.yaml"), service("a"));
		await using followed = follow(path);
		await followed.until("a", (cluster) => names(cluster) === "a");
		rmSync(dirname(path), { recursive: true });
		const gone = await followed.until("a problem", ({ problems }) => problems.length === 1);
		expect(names(gone)).toBe("a");
		expect(gone.problems[0]).toMatchObject({
			reason: "Unreadable",
			message: "Cannot read the path: ENOENT (is the path right?); what was read before stays in force",
		});
		expect(followed.lines).toContain("The manifests are gone, what was read before stays in force");
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "b.yaml"), service("b"));
		await followed.until("b", (cluster) => names(cluster) === "b" && cluster.problems.length === 0);
		writeFileSync(join(path, "c.yaml"), service("c"));
		await followed.until("c", (cluster) => names(cluster) === "b c");
	});

	test("waits for a path that does not exist yet, and says so", async () => {
		using root = temporary();
		const path = join(root.path, "later/manifests");
		await using followed = follow(path);
		await followed.untilLog("Waiting for the manifests: the path cannot be read");
		expect(followed.snapshots).toEqual([]);
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "a.yaml"), service("a"));
		await followed.until("a", (cluster) => names(cluster) === "a");
	});

	test("gives a first snapshot of an empty folder", async () => {
		using folder = temporary();
		await using followed = follow(folder.path);
		await followed.until("nothing", (cluster) => names(cluster) === "");
	});

	test("follows the swap of a Kubernetes volume", async () => {
		using folder = temporary();
		const path = (name: string) => join(folder.path, name);
		const publish = (version: string, text: string): void => {
			mkdirSync(path(`..${version}`));
			writeFileSync(path(`..${version}/a.yaml`), text);
			symlinkSync(`..${version}`, path("..data_tmp"));
			renameSync(path("..data_tmp"), path("..data"));
		};
		publish("1", service("a"));
		symlinkSync("..data/a.yaml", path("a.yaml"));
		await using followed = follow(folder.path);
		await using alone = follow(path("a.yaml"));
		for (const each of [followed, alone]) await each.until("a", (cluster) => names(cluster) === "a");
		for (const version of ["2", "3"]) {
			const old = readlinkSync(path("..data"));
			publish(version, service(`a${version}`));
			rmSync(path(old), { recursive: true });
			for (const each of [followed, alone])
				await each.until(`version ${version}`, (cluster) => names(cluster).includes(`a${version}`));
		}
		for (const each of [followed, alone]) await each.until("only the last", (cluster) => names(cluster) === "a3");
	});

	test("follows a link to a folder that is pointed elsewhere", async () => {
		using root = temporary();
		for (const version of ["1", "2"]) {
			mkdirSync(join(root.path, version));
			writeFileSync(join(root.path, version, "a.yaml"), service(`a${version}`));
		}
		symlinkSync("1", join(root.path, "current"));
		await using followed = follow(join(root.path, "current"));
		await followed.until("a1", (cluster) => names(cluster) === "a1");
		symlinkSync("2", join(root.path, "new"));
		renameSync(join(root.path, "new"), join(root.path, "current"));
		await followed.until("a2", (cluster) => names(cluster) === "a2");
		writeFileSync(join(root.path, "2/b.yaml"), service("b"));
		await followed.until("b", (cluster) => names(cluster) === "a2 b");
	});

	test("follows a file that a link in the folder leads to", async () => {
		using root = temporary();
		mkdirSync(join(root.path, "in"));
		mkdirSync(join(root.path, "out"));
		writeFileSync(join(root.path, "out/target"), service("a"));
		symlinkSync("../out/target", join(root.path, "in/a.yaml"));
		await using followed = follow(join(root.path, "in"));
		await followed.until("a", (cluster) => names(cluster) === "a");
		writeFileSync(join(root.path, "out/target"), `${service("a")}---\n${service("b")}`);
		await followed.until("b", (cluster) => names(cluster) === "a b");
	});
});

describe("watchManifests() with one file", () => {
	test("follows writes and replacements, and not its neighbours", async () => {
		using folder = temporary();
		const path = join(folder.path, "web.yaml");
		writeFileSync(path, service("a"));
		writeFileSync(join(folder.path, "other.yaml"), service("other"));
		await using followed = follow(path);
		await followed.until("a", (cluster) => names(cluster) === "a");
		writeFileSync(path, `${service("a")}---\n${service("b")}`);
		await followed.until("b", (cluster) => names(cluster) === "a b");
		for (const name of ["c", "d"]) {
			writeFileSync(join(folder.path, "tmp"), `${service("a")}---\n${service("b")}---\n${service(name)}`);
			renameSync(join(folder.path, "tmp"), path);
			await followed.until(name, ({ services }) => services.has(`default/${name}`));
		}
		expect(followed.snapshots.some(({ services }) => services.has("default/other"))).toBe(false);
	});

	test("keeps everything while the file is gone", async () => {
		using folder = temporary();
		const path = join(folder.path, "web.yaml");
		writeFileSync(path, service("a"));
		await using followed = follow(path);
		await followed.until("a", (cluster) => names(cluster) === "a");
		unlinkSync(path);
		expect(names(await followed.until("a problem", ({ problems }) => problems.length === 1))).toBe("a");
		writeFileSync(path, service("a"));
		await followed.until("no problem", ({ problems }) => problems.length === 0);
	});
});

describe("watchManifests()", () => {
	test("waits a moment for a half-written file before the first snapshot", async () => {
		using folder = temporary();
		const path = join(folder.path, "a.yaml");
		const whole = service("a");
		writeFileSync(path, whole.slice(0, -10));
		await using followed = follow(folder.path);
		await followed.untilLog("Some file seems half-written, looking again soon");
		expect(followed.snapshots).toEqual([]);
		writeFileSync(path, whole);
		const first = await followed.until("anything", () => true);
		expect(names(first)).toBe("a");
		expect(followed.snapshots).toHaveLength(1);
	});

	test("does not wait for a file that stays broken", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "a.yaml"), "kind: [\n");
		writeFileSync(join(folder.path, "b.yaml"), service("b"));
		let time = 0;
		const clock: Clock = {
			now: () => time,
			async sleep(milliseconds) {
				time += milliseconds;
			},
		};
		for await (const cluster of watchManifests({
			path: folder.path,
			log: NOBODY,
			signal: new AbortController().signal,
			clock,
		})) {
			expect(names(cluster)).toBe("b");
			expect(cluster.problems).toHaveLength(1);
			break;
		}
		expect(time).toBe(DOUBT);
	});

	test("waits for silence before it looks: a file that is removed and written again was never gone", async () => {
		using folder = temporary();
		const path = (name: string) => join(folder.path, name);
		writeFileSync(path("a.yaml"), service("a"));
		writeFileSync(path("b.yaml"), service("b"));
		const { clock, pass, untilSleeping } = createManualClock();
		await using followed = follow(folder.path, clock);
		await followed.until("both", (cluster) => names(cluster) === "a b");
		await untilSleeping((milliseconds) => milliseconds > 1000);
		unlinkSync(path("a.yaml"));
		await untilSleeping((milliseconds) => milliseconds === 100);
		writeFileSync(path("a.yaml"), service("a"));
		writeFileSync(path("c.yaml"), service("c"));
		pass();
		await followed.until("the end", ({ services }) => services.has("default/c"));
		expect(followed.snapshots.map(names)).toEqual(["a b", "a b c"]);
	});

	test("ends when its signal is aborted, and leaves no watch behind", async () => {
		using folder = temporary();
		const before = inotifyWatches();
		{
			await using followed = follow(folder.path);
			await followed.until("nothing", () => true);
			expect(inotifyWatches()).toBeGreaterThan(before);
		}
		expect(inotifyWatches()).toBe(before);
	});

	test("ends at once when its signal was aborted before", async () => {
		const seen: Cluster[] = [];
		for await (const cluster of watchManifests({ path: "/", log: NOBODY, signal: AbortSignal.abort() }))
			seen.push(cluster);
		expect(seen).toEqual([]);
	});
});

/** Time stands still: sleeps last until their signal, or until time passes for all of them, and from then on for none. */
function createManualClock() {
	const sleeping = new Map<() => void, number>();
	let passed = false;
	let told: () => void = () => {};
	const clock: Clock = {
		now: () => (passed ? performance.now() : 0),
		sleep: (milliseconds, signal) =>
			new Promise((resolve) => {
				const end = (): void => {
					sleeping.delete(end);
					resolve();
				};
				sleeping.set(end, milliseconds);
				signal.addEventListener("abort", end);
				if (passed) setTimeout(end, Math.min(milliseconds, 100));
				told();
			}),
	};
	return {
		clock,
		pass() {
			passed = true;
			for (const end of [...sleeping.keys()]) end();
		},
		async untilSleeping(isSo: (milliseconds: number) => boolean): Promise<void> {
			const late = AbortSignal.timeout(DEADLINE);
			while (![...sleeping.values()].some(isSo)) {
				if (late.aborted) throw new Error(`Not asleep as expected: ${[...sleeping.values()]}`);
				await new Promise<void>((resolve) => {
					told = resolve;
					late.addEventListener("abort", () => resolve());
				});
			}
		},
	};
}

/** Watches that this process has (proc(5), fdinfo). */
function inotifyWatches(): number {
	let count = 0;
	for (const fd of readdirSync("/proc/self/fdinfo")) {
		try {
			count += (readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").match(/^inotify /gm) ?? []).length;
		} catch {
			// Closed meanwhile.
		}
	}
	return count;
}
