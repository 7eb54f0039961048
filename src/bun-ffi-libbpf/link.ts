// Links: a program at its place in the kernel, for as long as the link is held.

import { openPinned, own, pinDescriptor, readInfo } from "./descriptor.ts";
import { check, cString, native } from "./native.ts";
import { ATTACH_TYPES, type AttachType, typeName, typeNumber, type Unknown } from "./uapi.ts";

export interface LinkInfo {
	readonly id: number;
	readonly programId: number;
	/** The cgroup's inode number; 0 once the cgroup is removed, or if the link is none of a cgroup. */
	readonly cgroupId: bigint;
	readonly attachType: AttachType | Unknown;
}

export interface Link extends Disposable {
	/** Asked of the kernel each time. */
	readonly info: LinkInfo;
	readonly fd: number;
	/**
	 * Another program takes the place at once: no moment with both or none. Throws ENOLINK if the cgroup was removed,
	 * EINVAL if the program is of another type; but the kernel does not mind one that was loaded for another attach type.
	 */
	update(programFd: number): void;
	/** Keeps the program attached under a path on a bpf file system. */
	pin(path: string): void;
	/** Takes the program away, though the link may be pinned or held elsewhere (Linux 5.9). */
	detach(): void;
	/** Closes this handle; the program stays attached while a pin or another handle holds the link. */
	close(): void;
}

/** enum bpf_link_type */
const BPF_LINK_TYPE_CGROUP = 3;
/** struct bpf_link_info up to and with the fields of a cgroup's link. */
const INFO_SIZE = 32;

function readLinkInfo(fd: number): LinkInfo {
	const view = readInfo(fd, INFO_SIZE, "a link");
	const isCgroup = view.getUint32(0, true) === BPF_LINK_TYPE_CGROUP;
	return {
		id: view.getUint32(4, true),
		programId: view.getUint32(8, true),
		cgroupId: isCgroup ? view.getBigUint64(16, true) : 0n,
		attachType: isCgroup ? typeName(ATTACH_TYPES, view.getUint32(24, true)) : "type 0",
	};
}

/** A link behind an open file descriptor, which it owns from now on. */
function linkFromFd(fd: number, name: string): Link {
	const descriptor = own(fd, name);
	return {
		get info() {
			return readLinkInfo(descriptor.fd);
		},
		get fd() {
			return descriptor.fd;
		},
		update(programFd) {
			check(native().bffi_link_update(descriptor.fd, programFd), {
				action: `replace the program of ${name}`,
				call: "bpf_link_update",
			});
		},
		pin(path) {
			pinDescriptor(descriptor.fd, path, name);
		},
		detach() {
			check(native().bffi_link_detach(descriptor.fd), { action: `detach ${name}`, call: "bpf_link_detach" });
		},
		close: descriptor.close,
		[Symbol.dispose]: descriptor.close,
	};
}

/** Runs `use` with the file descriptor of a cgroup's folder. */
export function withCgroup<T>(cgroup: string | number, action: string, use: (fd: number) => T): T {
	if (typeof cgroup === "number") return use(cgroup);
	const fd = check(native().bffi_open_directory(cString(cgroup)), { action, call: "open" });
	try {
		return use(fd);
	} finally {
		native().bffi_close(fd);
	}
}

/**
 * Attaches to a cgroup of version 2 by a link (Linux 5.7). Programs of others at the same place stay and run as well
 * (BPF_F_ALLOW_MULTI). Throws EPERM without CAP_BPF and CAP_NET_ADMIN, EINVAL if the program was loaded for another type.
 */
export function attachCgroup(programFd: number, cgroup: string | number, attachType: AttachType | Unknown): Link {
	const action = `attach ${attachType} to ${typeof cgroup === "number" ? "a cgroup" : cgroup}`;
	const type = typeNumber(ATTACH_TYPES, attachType);
	return withCgroup(cgroup, action, (target) => {
		const fd = check(native().bffi_link_create(programFd, target, type), { action, call: "bpf_link_create" });
		return linkFromFd(fd, `the link of ${attachType}`);
	});
}

/** Opens a pinned link. Throws a BpfError: ENOENT if nothing is there, EINVAL if it is no link. */
export function openPinnedLink(path: string): Link {
	return linkFromFd(openPinned(path, "link"), `the link ${path}`);
}
