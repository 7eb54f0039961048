// Iterators: a program that the kernel runs once for each object of a kind, when it is asked to.

import { own } from "./descriptor.ts";
import { errnoNumber } from "./errors.ts";
import { check, native } from "./native.ts";

export interface BpfIterator extends Disposable {
	/** Runs the program for all objects there are now, and returns what it wrote with bpf_seq_write() and the like. */
	run(): Uint8Array<ArrayBuffer>;
	/** The program stays loaded while its object, or a pin, holds it. */
	close(): void;
}

export interface IteratorOptions {
	/** The map whose elements, or sockets, it goes through: `iter/bpf_map_elem`, `iter/bpf_sk_storage_map`. */
	readonly mapFd?: number;
}

/** What one read() takes; the kernel's own buffer is 32 KiB. */
const PART = 64 * 1024;

const MISFIT = "it is no iterator, or is about a map, and none that fits is given";

function readAll(fd: number): Uint8Array<ArrayBuffer> {
	const parts: Uint8Array[] = [];
	const part = new Uint8Array(PART);
	let total = 0;
	for (;;) {
		const result = native().bffi_iterator_read(fd, part, part.length);
		const length = check(result, { action: "run an iterator", call: "read" });
		if (length === 0) break;
		parts.push(part.slice(0, length));
		total += length;
	}
	const whole = new Uint8Array(total);
	let at = 0;
	for (const each of parts) {
		whole.set(each, at);
		at += each.length;
	}
	return whole;
}

/**
 * Makes a loaded program of `SEC("iter/...")` ready to run (Linux 5.8, those about a map 5.9; needs the kernel's BTF). Throws
 * EINVAL if the program is no iterator, or if it is about a map and none, or one that does not fit, is given.
 */
export function openIterator(programFd: number, { mapFd = -1 }: IteratorOptions = {}): BpfIterator {
	const attached = native().bffi_iterator_attach(programFd, mapFd);
	const hint = attached === -errnoNumber("EINVAL") ? MISFIT : undefined;
	const fd = check(attached, { action: "attach an iterator", call: "bpf_link_create", hint });
	const link = own(fd, "the iterator");
	return {
		run() {
			const made = native().bffi_iterator_create(link.fd);
			const run = own(check(made, { action: "run an iterator", call: "bpf_iter_create" }), "the iterator's run");
			try {
				return readAll(run.fd);
			} finally {
				run.close();
			}
		},
		close: link.close,
		[Symbol.dispose]: link.close,
	};
}
