// By what the kernel's programs know a pod: the cgroup that its uid names, and the network namespace that has its address.

import { statSync } from "node:fs";
import { BpfError, netnsCookie } from "bun-ffi-libbpf";
import type { GuardedPod } from "../plan/plan_types.ts";
import { cgroupLevel, cgroupV1Roots } from "./cgroup.ts";
import type { Identity } from "./guards.ts";
import { findPodCgroups, isPopulated, processesIn } from "./pod_cgroups.ts";
import { addressesOf, allProcesses, hostNamespaces, namespacesOf, type ProcessNetns } from "./pod_netns.ts";

export interface FoundPod {
	readonly identities: readonly Identity[];
	/** Why they do not tell all its connections; undefined if they do. */
	readonly missing?: string;
}

export interface PodFinder {
	/** In the order of the pods. Never throws for one that comes or goes meanwhile. */
	find(pods: readonly GuardedPod[]): readonly FoundPod[];
}

export interface PodFinderOptions {
	/** The folder of cgroup v2 below which clients are seen. */
	readonly cgroup: string;
	/** Where proc(5) is mounted. */
	readonly proc?: string;
	/** Hierarchies of cgroup v1, where processes may be found; those that are mounted if left out. */
	readonly v1Roots?: readonly string[];
	/** As bun-ffi-libbpf's: undefined where the kernel knows no cookies. */
	readonly cookieOf?: (path: string) => bigint | undefined;
}

/** What one search goes by. */
interface Search {
	readonly proc: string;
	readonly root: string;
	/** Of the root; undefined where it cannot be told. */
	readonly level: number | undefined;
	/** Folders by uid: of v2, and of v1. */
	readonly cgroups: ReadonlyMap<string, readonly string[]>;
	readonly v1Cgroups: ReadonlyMap<string, readonly string[]>;
	readonly host: ReadonlySet<string>;
	/** Of all processes, but for the host's; listed for the first pod that needs it. */
	readonly everywhere: () => readonly ProcessNetns[];
	readonly cookieOf: (path: string) => bigint | undefined;
}

function ownCookieOf(path: string): bigint | undefined {
	try {
		return netnsCookie({ netns: path });
	} catch (error) {
		// Gone, or not for us to enter.
		if (error instanceof BpfError) return undefined;
		throw error;
	}
}

/** Undefined if it is gone. */
function inodeOf(path: string): bigint | undefined {
	return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function depth(path: string): number {
	return path.split("/").length;
}

/** A cgroup's id is the inode of its folder. */
function cgroupIdentities(folders: readonly string[], { root, level }: Search): readonly Identity[] {
	if (level === undefined) return [];
	return folders.flatMap((folder) => {
		const id = inodeOf(folder);
		return id === undefined ? [] : [{ kind: "cgroup", id, level: level + depth(folder) - depth(root) }];
	});
}

/**
 * Those in which its own processes are. Of several the one that has its address, since a process may visit others: names of
 * namespaces say nothing, and an address may be somebody else's as well.
 */
function netnsOf({ uid, ips, hostNetwork }: GuardedPod, search: Search): readonly ProcessNetns[] {
	if (hostNetwork) return [];
	const { proc, host, cgroups, v1Cgroups, everywhere } = search;
	const hasAddress = (netns: ProcessNetns) => {
		const addresses = addressesOf(netns, proc);
		return ips.some((ip) => addresses.has(ip));
	};
	for (const folders of [cgroups.get(uid), v1Cgroups.get(uid)]) {
		const seen = namespacesOf((folders ?? []).flatMap(processesIn), proc);
		if (seen.length === 0) continue;
		const own = seen.filter(({ inode }) => !host.has(inode));
		const withAddress = own.filter(hasAddress);
		return withAddress.length > 0 ? withAddress : own;
	}
	return everywhere().filter(hasAddress);
}

function whatIsMissing(pod: GuardedPod, search: Search, netnsFound: boolean): string {
	const { uid, hostNetwork } = pod;
	if (search.level === undefined) return `the root of cgroup v2 is not to be seen from ${search.root}`;
	const cgroup = uid === "" ? "it has no uid to find its cgroup by" : `no process is in a cgroup v2 of pod ${uid}`;
	if (hostNetwork) return `${cgroup}, and its network namespace is the host's`;
	const netns = netnsFound
		? "the kernel has no cookie of its network namespace"
		: "no network namespace has its address";
	return `${cgroup}, and ${netns}`;
}

function findOne(pod: GuardedPod, search: Search): FoundPod {
	const folders = search.cgroups.get(pod.uid) ?? [];
	const cgroups = cgroupIdentities(folders, search);
	const namespaces = netnsOf(pod, search);
	const cookies = namespaces.flatMap(({ path }): readonly Identity[] => {
		const cookie = search.cookieOf(path);
		return cookie === undefined ? [] : [{ kind: "netns", cookie }];
	});
	const identities = [...cgroups, ...cookies];
	if (cookies.length > 0 || (cgroups.length > 0 && folders.some(isPopulated))) return { identities };
	return { identities, missing: whatIsMissing(pod, search, namespaces.length > 0) };
}

/** Nothing is read before a pod is looked for. */
export function createPodFinder(options: PodFinderOptions): PodFinder {
	const { cgroup: root, proc = "/proc", v1Roots, cookieOf = ownCookieOf } = options;

	function findV1(uids: readonly string[]): ReadonlyMap<string, readonly string[]> {
		const found = new Map<string, readonly string[]>();
		for (const place of v1Roots ?? cgroupV1Roots()) {
			const left = uids.filter((uid) => !found.has(uid));
			if (left.length === 0) break;
			for (const [uid, folders] of findPodCgroups(place, left)) found.set(uid, folders);
		}
		return found;
	}

	return {
		find(pods) {
			const uids = pods.map(({ uid }) => uid).filter((uid) => uid !== "");
			const cgroups = findPodCgroups(root, uids);
			// On hybrid hosts a pod may have a folder in v2 without a process in it.
			const elsewhere = uids.filter((uid) => !(cgroups.get(uid) ?? []).some(isPopulated));
			const host = hostNamespaces(proc);
			let all: readonly ProcessNetns[] | undefined;
			const search: Search = {
				proc,
				root,
				level: cgroupLevel(root),
				cgroups,
				v1Cgroups: findV1(elsewhere),
				host,
				everywhere() {
					all ??= namespacesOf(allProcesses(proc), proc).filter(({ inode }) => !host.has(inode));
					return all;
				},
				cookieOf,
			};
			return pods.map((pod) => findOne(pod, search));
		},
	};
}
