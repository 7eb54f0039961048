// What is believed of files that come, change, break, shrink and go, on a clock of our own.

import { describe, expect, test } from "bun:test";
import { createFileStore, DOUBT, type Look, RETRIES } from "./file_store.ts";
import type { FileText } from "./folder.ts";

const pod = (name: string, ip = "10.0.0.1") =>
	`apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nstatus: {podIP: ${ip}}\n`;
const docs = (...documents: readonly string[]) => documents.join("---\n");
const BROKEN = "apiVersion: [\n";
/** A Service without ports: readable, but not acceptable. */
const REJECTED = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.9.9.9}\n";
const SERVICE = `${REJECTED.replace("{clusterIP", "{ports: [{port: 80}], clusterIP")}`;

/** A store over files that are texts, stamped by how often they were written. */
function createWorld() {
	const files = new Map<string, { text: string | FileText; version: number }>();
	let time = 0;
	let version = 0;
	let beforeRead: (path: string) => void = () => {};
	const store = createFileStore({
		now: () => time,
		breathe: async () => {},
		async readText(path): Promise<FileText> {
			const text = files.get(path)?.text;
			beforeRead(path);
			if (text === undefined)
				return { kind: "failure", gone: true, problem: { object: path, reason: "Unreadable", message: "Gone" } };
			return typeof text === "string" ? { kind: "text", text, stamp: String(files.get(path)?.version) } : text;
		},
	});
	return {
		write: (path: string, text: string | FileText) => files.set(path, { text, version: ++version }),
		remove: (path: string) => files.delete(path),
		wait: (milliseconds: number) => {
			time += milliseconds;
		},
		onRead: (call: (path: string) => void) => {
			beforeRead = call;
		},
		reads: store.reads,
		look: () =>
			store.look([...files].map(([path, file]) => ({ path, stamp: String(file.version), size: 0, isLink: false }))),
	};
}

const ids = ({ manifests }: Look) =>
	manifests.flatMap(({ entries }) => entries.map(({ id }) => id.replace("default/", ""))).sort();
const reasons = ({ manifests }: Look) => manifests.flatMap(({ problems }) => problems.map(({ message }) => message));
const KEPT = (what: string) => `${what} of the file's last good version stay in force: correct the file`;

describe("a file store", () => {
	test("reads only files that changed", async () => {
		const world = createWorld();
		world.write("a", pod("a"));
		world.write("b", pod("b"));
		const first = await world.look();
		expect(ids(first)).toEqual(["Pod a", "Pod b"]);
		const second = await world.look();
		expect(world.reads()).toBe(2);
		expect(second.manifests[0]).toBe(first.manifests[0] as never);
		world.write("b", docs(pod("b"), pod("c")));
		expect(ids(await world.look())).toEqual(["Pod a", "Pod b", "Pod c"]);
		expect(world.reads()).toBe(3);
		expect(second).toMatchObject({ again: undefined, unsettled: false });
	});

	test("drops a file's objects with the file, and only those", async () => {
		const world = createWorld();
		world.write("a", pod("a"));
		world.write("b", pod("b"));
		await world.look();
		world.remove("a");
		expect(ids(await world.look())).toEqual(["Pod b"]);
	});

	test("drops a file that goes away between the listing and the read", async () => {
		const world = createWorld();
		world.write("a", { kind: "failure", gone: true, problem: { object: "a", reason: "Unreadable", message: "Gone" } });
		world.write("b", pod("b"));
		const look = await world.look();
		expect(ids(look)).toEqual(["Pod b"]);
		expect(reasons(look)).toEqual([]);
	});

	test("keeps the last good objects of a file that is no YAML any more, and takes its good ones", async () => {
		const world = createWorld();
		world.write("a", docs(pod("a"), pod("b"), pod("c")));
		world.write("z", pod("z"));
		await world.look();
		world.write("a", docs(pod("a", "10.0.0.9"), BROKEN, pod("new")));
		const look = await world.look();
		expect(ids(look)).toEqual(["Pod a", "Pod b", "Pod c", "Pod new", "Pod z"]);
		const [a] = look.manifests[0]?.entries ?? [];
		expect<unknown>(a?.declared).toMatchObject({ pod: { ips: ["10.0.0.9"] } });
		expect(reasons(look)).toHaveLength(2);
		expect(reasons(look)[1]).toBe(KEPT("Pod default/b and 1 more objects"));
		world.write("a", docs(pod("a"), pod("b"), pod("c")));
		expect(reasons(await world.look())).toEqual([]);
	});

	test("keeps the objects of a file that cannot be read any more", async () => {
		const world = createWorld();
		world.write("a", pod("a"));
		await world.look();
		world.write("a", {
			kind: "failure",
			gone: false,
			problem: { object: "a", reason: "Unreadable", message: "EACCES" },
		});
		const look = await world.look();
		expect(ids(look)).toEqual(["Pod a"]);
		expect(reasons(look)).toEqual(["EACCES", KEPT("Pod default/a")]);
		expect(look.manifests[0]?.problems.map(({ reason }) => reason)).toEqual(["Unreadable", "Unreadable"]);
	});

	test("retries a broken file on a schedule that ends", async () => {
		const world = createWorld();
		world.write("a", BROKEN);
		const times: number[] = [];
		let time = 0;
		for (let look = await world.look(); look.again !== undefined; look = await world.look()) {
			expect(look.unsettled).toBe(true);
			times.push(look.again);
			world.wait(look.again - time - 1);
			await world.look();
			expect(world.reads()).toBe(times.length);
			world.wait(1);
			time = look.again;
		}
		expect(times).toEqual([...RETRIES]);
		expect(world.reads()).toBe(1 + RETRIES.length);
		world.write("a", pod("a"));
		expect(ids(await world.look())).toEqual(["Pod a"]);
	});

	test("sees that a broken file was completed though its stamp is the same", async () => {
		const world = createWorld();
		world.write("a", BROKEN);
		const { again } = await world.look();
		// Written again within one tick of the file system's clock.
		const file = world.write("a", BROKEN).get("a");
		await world.look();
		if (file !== undefined) file.text = pod("a");
		world.wait((again ?? 0) + 1);
		expect(ids(await world.look())).toEqual(["Pod a"]);
	});

	test("keeps the last good version of an object that is there but wrong", async () => {
		const world = createWorld();
		world.write("a", docs(SERVICE, pod("a")));
		await world.look();
		world.write("a", docs(REJECTED, pod("a")));
		for (const waited of [0, DOUBT, 10 * DOUBT]) {
			world.wait(waited);
			const look = await world.look();
			expect(ids(look)).toEqual(["Pod a", "Service web"]);
			expect(reasons(look).at(-1)).toBe(KEPT("Service default/web"));
			expect(look.again).toBeUndefined();
		}
		world.write("a", pod("a"));
		await world.look();
		world.wait(DOUBT);
		expect(ids(await world.look())).toEqual(["Pod a"]);
	});

	test("keeps an object that is there but wrong when it believes that another is gone", async () => {
		const world = createWorld();
		world.write("a", docs(SERVICE, pod("a")));
		await world.look();
		world.write("a", REJECTED);
		expect(ids(await world.look())).toEqual(["Pod a", "Service web"]);
		world.wait(DOUBT);
		expect(ids(await world.look())).toEqual(["Service web"]);
	});

	test.each([
		["an empty file", ""],
		["a file cut off between two documents", pod("a")],
	])("doubts %s for a while, then believes it", async (_, text) => {
		const world = createWorld();
		world.write("a", docs(pod("a"), pod("b")));
		await world.look();
		world.write("a", text);
		const look = await world.look();
		expect(ids(look)).toEqual(["Pod a", "Pod b"]);
		expect(look).toMatchObject({ again: DOUBT, unsettled: true });
		world.wait(DOUBT - 1);
		expect(ids(await world.look())).toEqual(["Pod a", "Pod b"]);
		world.wait(1);
		const believed = await world.look();
		expect(ids(believed)).toEqual(text === "" ? [] : ["Pod a"]);
		expect(believed).toMatchObject({ again: undefined, unsettled: false });
		expect(world.reads()).toBe(2);
	});

	test("doubts anew when the file changes meanwhile, and forgets the doubt when the objects are back", async () => {
		const world = createWorld();
		world.write("a", docs(pod("a"), pod("b")));
		await world.look();
		world.write("a", "");
		await world.look();
		world.wait(DOUBT - 1);
		world.write("a", pod("a"));
		expect((await world.look()).again).toBe(DOUBT - 1 + DOUBT);
		world.wait(DOUBT - 1);
		expect(ids(await world.look())).toEqual(["Pod a", "Pod b"]);
		world.write("a", docs(pod("a"), pod("b")));
		expect(await world.look()).toMatchObject({ again: undefined });
	});

	test("takes changed and new objects at once while it doubts that others are gone", async () => {
		const world = createWorld();
		world.write("a", docs(pod("a"), pod("b")));
		await world.look();
		world.write("a", docs(pod("a", "10.0.0.9"), pod("new")));
		const look = await world.look();
		expect(ids(look)).toEqual(["Pod a", "Pod b", "Pod new"]);
		expect<unknown>(look.manifests[0]?.entries[0]?.declared).toMatchObject({ pod: { ips: ["10.0.0.9"] } });
		expect(reasons(look)).toEqual([]);
	});

	test("believes nothing of a file that is written while it is read", async () => {
		const world = createWorld();
		world.write("a", docs(pod("a"), pod("b")));
		await world.look();
		world.write("a", docs(pod("a", "10.0.0.9"), pod("b")));
		world.onRead((path) => world.write(path, docs(pod("a", "10.0.0.10"), pod("b"))));
		const torn = await world.look();
		expect<unknown>(torn.manifests[0]?.entries[0]?.declared).toMatchObject({ pod: { ips: ["10.0.0.1"] } });
		expect(torn.unsettled).toBe(true);
		world.onRead(() => {});
		world.wait((torn.again ?? 0) + 1);
		const look = await world.look();
		expect<unknown>(look.manifests[0]?.entries[0]?.declared).toMatchObject({ pod: { ips: ["10.0.0.10"] } });
		expect(look.unsettled).toBe(false);
	});
});
