// The network namespaces of processes, and the addresses in them, as proc(5) shows them.

import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Ip, ipFromBytes, parseIp } from "../model/address.ts";

/** A network namespace that some process is in. */
export interface ProcessNetns {
	/** The process that it was found by. */
	readonly pid: string;
	/** A file that leads to it, as long as the process is there. */
	readonly path: string;
	readonly inode: string;
}

/** Undefined if the process is gone, or not for us to see. */
function attempt<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch {
		return undefined;
	}
}

function inodeOf(path: string): string | undefined {
	return /^net:\[(\d+)\]$/.exec(attempt(() => readlinkSync(path)) ?? "")?.[1];
}

/** Inodes of those that are the host's, and our own. */
export function hostNamespaces(proc: string): ReadonlySet<string> {
	return new Set(["1", "self"].flatMap((pid) => inodeOf(`${proc}/${pid}/ns/net`) ?? []));
}

/** Each once. */
export function namespacesOf(pids: Iterable<string>, proc: string): readonly ProcessNetns[] {
	const found = new Map<string, ProcessNetns>();
	for (const pid of pids) {
		const path = `${proc}/${pid}/ns/net`;
		const inode = inodeOf(path);
		if (inode !== undefined && !found.has(inode)) found.set(inode, { pid, path, inode });
	}
	return [...found.values()];
}

/** Ids of all processes that we see. */
export function allProcesses(proc: string): readonly string[] {
	return readdirSync(proc).filter((name) => /^\d+$/.test(name));
}

/** The address of each line `|-- 10.0.0.1` that `/32 host LOCAL` stands under. */
function ipv4AddressesIn(fibTrie: string): readonly Ip[] {
	const ips: Ip[] = [];
	let last = "";
	for (const line of fibTrie.split("\n")) {
		const text = line.trim();
		if (text.startsWith("|-- ")) last = text.slice(4);
		const ip = text === "/32 host LOCAL" ? parseIp(last) : undefined;
		if (ip !== undefined) ips.push(ip);
	}
	return ips;
}

/** `fd000244000000000000000000000001 02 40 00 80 eth0`. */
function ipv6AddressesIn(ifInet6: string): readonly Ip[] {
	return ifInet6.split("\n").flatMap((line) => {
		const [digits = ""] = line.split(" ");
		return /^[0-9a-f]{32}$/.test(digits) ? [ipFromBytes(Buffer.from(digits, "hex"))] : [];
	});
}

/** The addresses of a namespace's own interfaces; none if its process is gone, or the kernel is without a family. */
export function addressesOf({ pid }: ProcessNetns, proc: string): ReadonlySet<Ip> {
	const read = (name: string) => attempt(() => readFileSync(`${proc}/${pid}/net/${name}`, "utf8")) ?? "";
	return new Set([...ipv4AddressesIn(read("fib_trie")), ...ipv6AddressesIn(read("if_inet6"))]);
}
