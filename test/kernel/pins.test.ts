// The pin path and cgroup v2's root on machines that are set up differently: each in namespaces of its own.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMap, statfsType, umount } from "bun-ffi-libbpf";
import { linkPin, mapPin, preparePins, removePins, tryLockPins } from "../../src/datapath/pins.ts";
import { execute } from "../support/agent_place.ts";
import { cgroup } from "../support/cgroup.ts";
import { testName } from "../support/names.ts";
import { pinPath } from "../support/pin_path.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
let folder: string;
beforeEach(() => {
	folder = mkdtempSync(`${tmpdir()}/${testName()}-`);
});
afterEach(() => {
	for (const name of readdirSync(folder)) if (isMounted(`${folder}/${name}`)) umount(`${folder}/${name}`);
	rmSync(folder, { recursive: true });
});

function isMounted(path: string): boolean {
	return readFileSync("/proc/self/mounts", "utf8").includes(` ${path} `);
}

function pin(path: string): void {
	using map = createMap({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
	map.pin(path);
}

describe("preparePins()", () => {
	test("makes folders for nobody else on a bpffs that is there", () => {
		using pins = pinPath();
		preparePins(pins.path);
		preparePins(pins.path);
		expect(readdirSync(pins.path).sort()).toEqual(["links", "maps"]);
		expect(statSync(`${pins.path}/maps`).mode & 0o777).toBe(0o700);
		expect(isMounted(pins.path)).toBe(false);
	});

	test.each(["a folder that is not there", "an empty folder"])("mounts a bpffs of its own on %s elsewhere", (kind) => {
		const path = `${folder}/pins`;
		if (kind === "an empty folder") mkdirSync(path);
		preparePins(path);
		expect([isMounted(path), statfsType(path)]).toEqual([true, BPF_FS_MAGIC]);
		expect(statSync(path).mode & 0o777).toBe(0o700);
		preparePins(path);
		expect(readFileSync("/proc/self/mounts", "utf8").split(` ${path} `)).toHaveLength(2);
		pin(mapPin(path, "a"));
		expect(removePins(path)).toEqual([`${path}/maps/a`]);
		expect([isMounted(path), existsSync(path)]).toEqual([false, false]);
	});

	test("mounts over nothing that anybody has", () => {
		writeFileSync(`${folder}/precious`, "");
		expect(() => preparePins(folder)).toThrow("would hide what is in that folder (give a path below /sys/fs/bpf");
		expect(existsSync(`${folder}/precious`)).toBe(true);
	});
});

describe("removePins()", () => {
	test("of nothing takes nothing away", () => {
		expect(removePins(`${folder}/none`)).toEqual([]);
	});

	test("leaves what others pinned beside, and the mount under it", () => {
		const path = `${folder}/pins`;
		preparePins(path);
		pin(`${path}/theirs`);
		pin(mapPin(path, "ours"));
		expect(removePins(path)).toEqual([`${path}/maps/ours`]);
		expect(isMounted(path)).toBe(true);
		expect(readdirSync(path)).toContain("theirs");
		expect(readdirSync(path)).not.toContain("maps");
	});

	test("takes links before maps", () => {
		using pins = pinPath();
		preparePins(pins.path);
		pin(mapPin(pins.path, "a"));
		pin(linkPin(pins.path, "z"));
		expect(removePins(pins.path)).toEqual([linkPin(pins.path, "z"), mapPin(pins.path, "a")]);
	});

	test("goes on where it was interrupted", () => {
		using pins = pinPath();
		mkdirSync(`${pins.path}/links`, { recursive: true });
		expect(removePins(pins.path)).toEqual([]);
		expect(existsSync(pins.path)).toBe(false);
	});

	test("refuses while someone holds the pins", () => {
		using pins = pinPath();
		preparePins(pins.path);
		pin(mapPin(pins.path, "a"));
		{
			using _ = tryLockPins(pins.path);
			expect(tryLockPins(pins.path)).toBeUndefined();
			expect(() => removePins(pins.path)).toThrow(
				`Cannot detach: an agent uses --pin-path ${pins.path} (stop it first)`,
			);
		}
		expect(removePins(pins.path)).toHaveLength(1);
	});
});

/** Runs code in a shell's surroundings; what it prints as JSON. */
async function inNamespaces(unshare: readonly string[], setUp: string, code: string): Promise<unknown> {
	const source = join(import.meta.dir, "../../src/datapath");
	const script = `import * as cgroup from ${JSON.stringify(`${source}/cgroup.ts`)};
		import * as pins from ${JSON.stringify(`${source}/pins.ts`)};
		import { readFileSync, existsSync } from "node:fs";
		const mounts = (type) => readFileSync("/proc/self/mounts", "utf8").split("\\n").map((line) => line.split(" "))
			.filter((words) => words[2] === type).map((words) => words[1]);
		const attempt = (what) => { try { return what(); } catch (error) { return error.message; } };
		console.log(JSON.stringify((() => { ${code} })()));`;
	const shell = `set -e; mount --make-rprivate /; ${setUp}\nexec "$0" -e "$1"`;
	const { code: exit, out, err } = await execute(["unshare", ...unshare, "sh", "-c", shell, process.execPath, script]);
	expect([exit, err]).toEqual([0, ""]);
	return JSON.parse(out);
}

const MOUNTS = ["--mount"];
/** With processes of its own, so that /proc/1 is its own, too. */
const PROCESSES = ["--mount", "--pid", "--fork", "--mount-proc"];
const NO_CGROUP = "for at in $(findmnt -rno TARGET -t cgroup2); do umount $at; done;";

describe("on a machine where no bpffs is mounted", () => {
	test("one is mounted at its usual place, and stays there", async () => {
		const found = await inNamespaces(
			MOUNTS,
			"for at in $(findmnt -rno TARGET -t bpf); do umount $at; done; ",
			`const path = "/sys/fs/bpf/${testName()}";
			const before = mounts("bpf");
			pins.preparePins(path);
			const between = mounts("bpf");
			pins.removePins(path);
			return { before, between, after: mounts("bpf"), exists: existsSync(path) };`,
		);
		expect(found).toEqual({ before: [], between: ["/sys/fs/bpf"], after: ["/sys/fs/bpf"], exists: false });
	});

	test("the mount point itself as a pin path leaves the mount in place", async () => {
		const found = await inNamespaces(
			MOUNTS,
			"mount -t bpf none /sys/fs/bpf;",
			`pins.preparePins("/sys/fs/bpf");
			pins.removePins("/sys/fs/bpf");
			return { mounted: mounts("bpf").includes("/sys/fs/bpf"), maps: existsSync("/sys/fs/bpf/maps") };`,
		);
		expect(found).toEqual({ mounted: true, maps: false });
	});
});

describe("findCgroupRoot()", () => {
	test("is the mount's folder on this machine", async () => {
		expect(statfsType((await import("../../src/datapath/cgroup.ts")).findCgroupRoot())).toBe(0x63677270);
	});

	const isBarred = !existsSync("/proc/1/root/proc");
	const reason = isBarred ? " (skipped: /proc/1/root may not be read here)" : "";
	test.skipIf(isBarred)(`goes by PID 1 where our own mount namespace has none${reason}`, async () => {
		const found = await inNamespaces(MOUNTS, NO_CGROUP, "return cgroup.findCgroupRoot();");
		expect(found).toStartWith("/proc/1/root/");
	});

	test("finds the unified layout", async () => {
		const setUp = `${NO_CGROUP} umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup;`;
		expect(await inNamespaces(PROCESSES, setUp, "return cgroup.findCgroupRoot();")).toBe("/sys/fs/cgroup");
	});

	test("finds the hybrid layout", async () => {
		const setUp = `${NO_CGROUP} umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t tmpfs none /sys/fs/cgroup;
			mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/memory; mount -t cgroup2 none /sys/fs/cgroup/unified;`;
		expect(await inNamespaces(PROCESSES, setUp, "return cgroup.findCgroupRoot();")).toBe("/sys/fs/cgroup/unified");
	});

	test("mounts cgroup v2 where nobody has, and takes that away again", async () => {
		const setUp = `${NO_CGROUP} mount -t tmpfs none /run;`;
		const code = `const root = cgroup.findCgroupRoot();
			const again = cgroup.findCgroupRoot();
			const between = mounts("cgroup2");
			cgroup.unmountOwnCgroup();
			cgroup.unmountOwnCgroup();
			return { root, again, between, after: mounts("cgroup2"), exists: existsSync("/run/balancing") };`;
		expect(await inNamespaces(PROCESSES, setUp, code)).toEqual({
			root: "/run/balancing/cgroup2",
			again: "/run/balancing/cgroup2",
			between: ["/run/balancing/cgroup2"],
			after: [],
			exists: false,
		});
	});

	test("does not take a container's part for the root", async () => {
		using part = cgroup();
		const setUp = `${NO_CGROUP} umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup;`;
		const inner = `unshare --cgroup sh -c '${setUp} exec "$0" -e "$1"' "$0" "$1"`;
		const outer = `echo $$ > ${part.path}/cgroup.procs; ${inner}; exit 0;`;
		const message = await inNamespaces(PROCESSES, outer, "return attempt(cgroup.findCgroupRoot);");
		expect(message).toBe(
			"Cannot find the root of cgroup v2; what is mounted at /sys/fs/cgroup is not it, or cannot be read (run as root with the host's PID and cgroup namespaces, or give --cgroup)",
		);
	});
});
