// The wall to the runtime's FFI: the only file that imports bun:ffi. A twin for another runtime exports the same four names.

import { dlopen, FFIType } from "bun:ffi";
import { closeSync, readFileSync, writeSync } from "node:fs";

/** `bytes` is a pointer to the first byte of a view, or NULL; `handle` is an address that only the library reads. */
export type Kind = "i32" | "u32" | "handle" | "bytes";
export type Bytes = Uint8Array | Int32Array | Uint32Array | BigUint64Array | null;

interface Values {
	readonly i32: number;
	readonly u32: number;
	readonly handle: bigint;
	readonly bytes: Bytes;
}

/** The arguments of each function; all return a 32-bit integer. */
export type Signatures = Readonly<Record<string, readonly Kind[]>>;
type Arguments<K extends readonly Kind[]> = { -readonly [I in keyof K]: Values[K[I]] };
export type Calls<S extends Signatures> = { readonly [N in keyof S]: (...args: Arguments<S[N]>) => number };

const TYPES = { i32: FFIType.i32, u32: FFIType.u32, handle: FFIType.u64, bytes: FFIType.ptr } as const;

/** By processor, since the number is not in libc before 2.27. */
const MEMFD_CREATE = process.arch === "arm64" ? 279 : 319;
const MFD_CLOEXEC = 1;
/** Since 6.3; without it such a kernel warns, or refuses (vm.memfd_noexec). Mapping as code is allowed all the same. */
const MFD_NOEXEC_SEAL = 8;

/** A file in memory, so that nothing is written below /tmp and a read-only root will do. */
function memoryFile(): number {
	const libc = dlopen("libc.so.6", {
		syscall: { args: [FFIType.i64, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
	});
	try {
		const name = new TextEncoder().encode("libbpf\0");
		const sealed = libc.symbols.syscall(MEMFD_CREATE, name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
		return sealed >= 0 ? sealed : libc.symbols.syscall(MEMFD_CREATE, name, MFD_CLOEXEC);
	} finally {
		libc.close();
	}
}

/**
 * Bundlers know process.arch when they compile for a target: only that processor's library is needed and embedded. Not
 * within try, or they would let a missing library pass.
 */
function libraryPath(): string {
	const chosen: { readonly library: string } =
		process.arch === "arm64" ? require("./native/library_arm64.ts") : require("./native/library_x64.ts");
	return chosen.library;
}

function readLibrary(): Uint8Array {
	try {
		return readFileSync(libraryPath());
	} catch (cause) {
		throw new Error("Cannot open libbpf: its shared object is not there (build it: bun native/build.ts)", { cause });
	}
}

/** Opens the embedded shared object. Throws an Error if it is not built, or if /proc or FFI are not there. */
export function openLibrary<const S extends Signatures>(signatures: S): Calls<S> {
	const library = readLibrary();
	const fd = memoryFile();
	if (fd < 0) throw new Error("Cannot open libbpf: memfd_create failed (needs Linux 3.17 or later)");
	try {
		for (let at = 0; at < library.length; ) at += writeSync(fd, library, at);
		const symbols = Object.fromEntries(
			Object.entries(signatures).map(([name, kinds]) => [
				name,
				{ args: kinds.map((kind) => TYPES[kind]), returns: FFIType.i32 },
			]),
		);
		// dlopen() has resolved every name, or thrown.
		return dlopen(`/proc/self/fd/${fd}`, symbols).symbols as unknown as Calls<S>;
	} finally {
		closeSync(fd);
	}
}

export interface Watch {
	/** Ends the watch. */
	close(): void;
}

/**
 * Calls `onSignal` on each signal of an eventfd; waiting costs nothing, and keeps the process running. The runtime works
 * on a copy of the file descriptor. `onSignal` must not throw.
 */
export function watchEventFd(fd: number, onSignal: () => void): Watch {
	const reader = Bun.file(fd).stream().getReader();
	let open = true;
	async function read(): Promise<void> {
		while (open) {
			const { done } = await reader.read();
			if (done) return;
			if (open) onSignal();
		}
	}
	void read();
	return {
		close() {
			open = false;
			void reader.cancel();
		},
	};
}
