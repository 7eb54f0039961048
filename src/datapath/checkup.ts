// What this kernel and this process can do for the programs, fact by fact; changes nothing.

import { kernelVersion, probeHelper, probeProgramType } from "bun-ffi-libbpf";
import { assertCgroup, cgroupLevel, cgroupV1Roots, seeCgroupRoot } from "./cgroup.ts";
import { HELPERS } from "./datapath.ts";
import { createNamespaces } from "./namespaces.ts";
import { whyNotClosing } from "./sockets.ts";

/** `limited`: all that matters works, and something that is told does not. */
export interface Finding {
	readonly what: string;
	readonly state: "ok" | "limited" | "problem";
	/** With what to do if it is not ok. */
	readonly fact: string;
}

type Verdict = Omit<Finding, "what">;

const ok = (fact: string): Verdict => ({ state: "ok", fact });
const limited = (fact: string): Verdict => ({ state: "limited", fact });
const problem = (fact: string): Verdict => ({ state: "problem", fact });

/** Of Linux: [major, minor]. */
type Release = readonly [number, number];

function isAtLeast([major, minor]: Release): boolean {
	const kernel = kernelVersion();
	return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function checkKernel(): Verdict {
	const { major, minor } = kernelVersion();
	return isAtLeast([5, 10])
		? ok(`Linux ${major}.${minor}`)
		: problem(`Linux ${major}.${minor} is too old: install 5.10 or newer`);
}

function checkPrograms(): Verdict {
	return probeProgramType("cgroup_sock_addr")
		? ok("programs for connect() and sendmsg() can be loaded")
		: problem("this kernel takes no programs for connect(): it needs CONFIG_CGROUP_BPF");
}

function checkCgroup(path: string | undefined): Verdict {
	if (path !== undefined) {
		assertCgroup(path);
		return ok(path);
	}
	const root = seeCgroupRoot();
	return ok(root ?? "mounted by nobody: the agent does it, under /run/balancing");
}

function checkErrno(): Verdict {
	return probeHelper("cgroup_sock_addr", HELPERS.can_set_retval)
		? ok("what is refused fails with ECONNREFUSED")
		: limited("a datagram that is refused fails with EPERM instead of ECONNREFUSED: Linux 5.18 or newer has the means");
}

function checkNames(): Verdict {
	return probeHelper("cgroup_sock_addr", HELPERS.can_get_pid)
		? ok("events say which process has connected")
		: limited("events do not say which process has connected: a newer kernel lets programs ask");
}

function checkClosing(): Verdict {
	const reason = whyNotClosing();
	return reason === undefined
		? ok("connected sockets of backends that are gone are closed")
		: limited(`connected UDP sockets stay with backends that are gone, unconnected ones go on: ${reason}`);
}

/** By what a redirect's own backend is told from its clients, as pod_identity.ts finds it. */
function checkRedirects(path: string | undefined): Verdict {
	const unseen = createNamespaces().limit();
	if (unseen !== undefined) return limited(`a redirect may catch its own backend: ${unseen}`);
	const root = path ?? seeCgroupRoot();
	if (root !== undefined && cgroupLevel(root) === undefined)
		return limited(
			`a redirect may catch its own backend on the host's network: ${root} does not lead to cgroup v2's root`,
		);
	if (cgroupV1Roots().length > 0)
		return limited(
			"a redirect may catch its own backend on the host's network, if that is in cgroup v1 alone: boot with systemd.unified_cgroup_hierarchy=1",
		);
	return ok("redirects know their own backends by cgroup and network namespace");
}

/** Before, the kernel wrote the translated address into what NFS and SMB keep for their next connect ("net: Avoid address overwrite in kernel_connect"). */
function checkKernelClients(): Verdict {
	return isAtLeast([6, 7])
		? ok("NFS and SMB mounts come back through a Service")
		: limited(
				"NFS and SMB mounts may stick to the backend that they had, if this kernel lacks a fix of 6.7: mount by an address of no Service, or update",
			);
}

const CHECKS: readonly (readonly [what: string, check: (cgroup: string | undefined) => Verdict])[] = [
	["kernel", checkKernel],
	["programs", checkPrograms],
	["cgroup", checkCgroup],
	["refusals", checkErrno],
	["events", checkNames],
	["closing sockets", checkClosing],
	["redirects", checkRedirects],
	["kernel clients", checkKernelClients],
];

/** `cgroup`: where programs are to be attached, if not to the root. Never throws: what cannot be found out is a problem. */
export function checkup(cgroup: string | undefined): readonly Finding[] {
	return CHECKS.map(([what, check]) => {
		try {
			return { what, ...check(cgroup) };
		} catch (error) {
			return { what, ...problem(error instanceof Error ? error.message : String(error)) };
		}
	});
}
