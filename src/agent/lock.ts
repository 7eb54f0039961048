// One agent per state directory, told by its pid; datapath/pins.ts keeps two agents from one pin path.

import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { tryLock } from "bun-ffi-libbpf";
import { errorCode } from "../lib/error_code.ts";

const LOCK = "agent.lock";

function open(stateDir: string): number {
	try {
		mkdirSync(stateDir, { recursive: true, mode: 0o700 });
		return openSync(`${stateDir}/${LOCK}`, "a+", 0o600);
	} catch (cause) {
		throw new Error(
			`Cannot use --state-dir ${stateDir}: ${errorCode(cause)} (needs root, or a folder that this user may write to)`,
			{
				cause,
			},
		);
	}
}

/** Held until disposed, or until the process ends in whatever way; or the pid of who holds it, 0 if that is unknown. */
function tryLockStateDir(stateDir: string): Disposable | number {
	const fd = open(stateDir);
	if (!tryLock(fd)) {
		closeSync(fd);
		return Number(readFileSync(`${stateDir}/${LOCK}`, "utf8")) || 0;
	}
	ftruncateSync(fd);
	writeSync(fd, String(process.pid));
	return { [Symbol.dispose]: () => closeSync(fd) };
}

/** For an agent. Throws if another one holds it. */
export function lockStateDir(stateDir: string): Disposable {
	const lock = tryLockStateDir(stateDir);
	if (typeof lock !== "number") return lock;
	throw new Error(
		`Cannot start: agent ${lock || "(unknown pid)"} uses --state-dir ${stateDir} (stop it, or give this one its own --state-dir, --pin-path and --listen)`,
	);
}

/** For what must not meet an agent. Throws if one runs; a state directory that is not there is not made. */
export function lockOutAgent(stateDir: string): Disposable {
	if (!existsSync(`${stateDir}/${LOCK}`)) return { [Symbol.dispose]: () => {} };
	const lock = tryLockStateDir(stateDir);
	if (typeof lock !== "number") return lock;
	throw new Error(
		`Cannot detach: agent ${lock || "(unknown pid)"} is running with --state-dir ${stateDir} and would attach again (stop it first)`,
	);
}
