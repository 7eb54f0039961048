// One agent per state directory: two would undo each other's work.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { tryLock } from "bun-ffi-libbpf";

const LOCK = "agent.lock";

/** The pid of the agent that holds the state directory, or undefined if none does. */
export function lockHolder(stateDir: string): number | undefined {
	let fd: number;
	try {
		fd = openSync(`${stateDir}/${LOCK}`, "r");
	} catch {
		return undefined;
	}
	try {
		if (tryLock(fd)) return undefined;
		return Number(readFileSync(`${stateDir}/${LOCK}`, "utf8")) || 0;
	} finally {
		closeSync(fd);
	}
}

/** Held until disposed, or until the process ends in whatever way. Throws if another agent holds it. */
export function lockStateDir(stateDir: string): Disposable {
	mkdirSync(stateDir, { recursive: true, mode: 0o700 });
	const fd = openSync(`${stateDir}/${LOCK}`, "a+", 0o600);
	if (!tryLock(fd)) {
		const holder = readFileSync(`${stateDir}/${LOCK}`, "utf8").trim();
		closeSync(fd);
		throw new Error(
			`Cannot start: agent ${holder || "(unknown pid)"} uses ${stateDir} (stop it, or give this one its own --state-dir and --pin-path)`,
		);
	}
	ftruncateSync(fd);
	writeSync(fd, String(process.pid));
	return { [Symbol.dispose]: () => closeSync(fd) };
}
