// What the tests share: objects compiled by clang, and a cgroup, a bpf file system and file descriptors that go away.

import { describe } from "bun:test";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BpfError, mount, umount } from "../mod.ts";

const isRoot = process.getuid?.() === 0;

/** A group that needs root and a kernel with BPF; says so where it is skipped. */
export function describeAsRoot(name: string, body: () => void): void {
	if (isRoot) describe(name, body);
	else describe.skip(`${name} (skipped: needs root)`, body);
}

function openSockets(): number {
	return readdirSync("/proc/self/fd").filter((name) => {
		try {
			return readlinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
		} catch {
			// Closed meanwhile, as the one that lists them.
			return false;
		}
	}).length;
}

const compiled = new Map<string, Uint8Array>();

/** The object of `test/NAME.bpf.c`. */
export function objectBytes(name: string): Uint8Array {
	const known = compiled.get(name);
	if (known !== undefined) return known;
	const triple = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
	const source = join(import.meta.dirname, `${name}.bpf.c`);
	const command = [
		"clang",
		"-O2",
		"-g",
		"-Wall",
		"-Werror",
		"-target",
		"bpf",
		`-I/usr/include/${triple}`,
		"-c",
		source,
	];
	const before = openSockets();
	const { stdout, stderr, exitCode } = Bun.spawnSync([...command, "-o", "-"]);
	// The runtime closes its sockets to the child in a thread of its own; that shall not look like a leak, or hide one.
	const deadline = performance.now() + 10_000;
	while (openSockets() > before && performance.now() < deadline) Bun.sleepSync(1);
	if (exitCode !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
	const bytes = new Uint8Array(stdout);
	compiled.set(name, bytes);
	return bytes;
}

let serial = 0;

/** A name that no other test has. */
export function uniqueName(): string {
	serial++;
	return `ffi-test-${process.pid}-${serial}`;
}

export interface Folder extends Disposable {
	readonly path: string;
}

export function temporaryFolder(): Folder {
	const path = mkdtempSync(join(tmpdir(), `${uniqueName()}-`));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** A bpf file system of its own: what is pinned in it is gone with it. */
export function bpfFileSystem(): Folder {
	const folder = temporaryFolder();
	mount("bpf", folder.path, "bpf");
	return {
		path: folder.path,
		[Symbol.dispose]() {
			umount(folder.path, { lazy: true });
			folder[Symbol.dispose]();
		},
	};
}

export interface Cgroup extends Folder {
	/** Removes it before its time. */
	remove(): void;
}

function cgroupRoot(): string {
	const line = readFileSync("/proc/self/mountinfo", "utf8")
		.split("\n")
		.find((each) => each.includes(" - cgroup2 "));
	const point = line?.split(" ")[4];
	if (point === undefined) throw new Error("Cannot test: cgroup v2 is not mounted (mount -t cgroup2 cgroup2 DIR)");
	return point;
}

/** A cgroup of version 2 with nobody in it. */
export function temporaryCgroup(): Cgroup {
	const path = join(cgroupRoot(), uniqueName());
	mkdirSync(path);
	let there = true;
	function remove(): void {
		if (there) rmdirSync(path);
		there = false;
	}
	return { path, remove, [Symbol.dispose]: remove };
}

/** File descriptors that are open, but for the one that lists them. */
export function openFds(): number {
	return readdirSync("/proc/self/fd").length - 1;
}

/** Waits until it is so; throws after 10 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
	const deadline = performance.now() + 10_000;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error(`Not so after 10 s: ${what}`);
		await sleep(2);
	}
}

/** The BpfError that `action` throws; fails if it throws none. */
export function errorOf(action: () => unknown): BpfError {
	try {
		action();
	} catch (error) {
		if (error instanceof BpfError) return error;
		throw error;
	}
	throw new Error("Nothing was thrown");
}

/** 32-bit numbers as bytes. */
export function u32(...values: readonly number[]): Uint8Array<ArrayBuffer> {
	return new Uint8Array(new Uint32Array(values).buffer);
}

/** 64-bit numbers as bytes. */
export function u64(...values: readonly bigint[]): Uint8Array<ArrayBuffer> {
	return new Uint8Array(new BigUint64Array(values).buffer);
}

export interface ConnectedSocket extends Disposable {
	/** Its own port. */
	readonly port: number;
	/** The code of the last error that it was told of. */
	error(): string | undefined;
}

/** A UDP socket that is connected; nobody need be there. */
export async function connectedSocket(type: "udp4" | "udp6", address: string, port: number): Promise<ConnectedSocket> {
	const socket = createSocket(type);
	let last: string | undefined;
	socket.on("error", (error) => {
		last = "code" in error ? String(error.code) : error.message;
	});
	socket.connect(port, address);
	await once(socket, "connect");
	return { port: socket.address().port, error: () => last, [Symbol.dispose]: () => void socket.close() };
}
