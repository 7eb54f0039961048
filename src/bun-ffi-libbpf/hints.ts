// What usually helps against an errno of a call: the part of a message in brackets.

import { errnoName } from "./errors.ts";

const PROGRAM = "needs CAP_BPF and CAP_NET_ADMIN; kernels before 5.8: CAP_SYS_ADMIN";
const MAP = "needs CAP_BPF; kernels before 5.8: CAP_SYS_ADMIN";
const MAP_KIND = "this kernel or this kind of map cannot do it";

const HINTS: ReadonlyMap<string, string> = new Map([
	["bpf_object__load EPERM", PROGRAM],
	["bpf_prog_load EPERM", PROGRAM],
	["bpf_object__load EACCES", "rejected by the verifier"],
	["bpf_object__open_mem EINVAL", "not a BPF object"],
	["bpf_object__open_mem LIBBPF_ERRNO__FORMAT", "not a BPF object"],
	["bpf_object__open_mem LIBBPF_ERRNO__LIBELF", "not a whole ELF file"],
	["bpf_object__open_mem EOPNOTSUPP", "the object wants what this libbpf does not know"],
	["bpf_link_create EPERM", `${PROGRAM}; or a program that does not allow more is attached above`],
	["bpf_link_create EINVAL", "the program was not loaded for this attach type"],
	["bpf_link_create EBADF", "a file descriptor is closed, or is no cgroup v2"],
	["bpf_link_update EPERM", PROGRAM],
	["bpf_link_update ENOLINK", "its cgroup was removed"],
	["bpf_link_update EINVAL", "the program is of another type"],
	["bpf_link_detach EPERM", PROGRAM],
	["bpf_link_detach ENOLINK", "its cgroup was removed"],
	["bpf_prog_query EPERM", "needs CAP_NET_ADMIN"],
	["bpf_prog_query EBADF", "not a directory of cgroup v2"],
	["bpf_map_create EPERM", MAP],
	["bpf_map_create EINVAL", "this kernel does not allow this type, these sizes or these flags"],
	["bpf_map_update_elem EPERM", "the map is frozen or read-only"],
	["bpf_map_update_elem E2BIG", "the map is full, or the index is past its end"],
	["bpf_map_update_elem ENOTSUPP", MAP_KIND],
	["bpf_map_lookup_elem ENOTSUPP", MAP_KIND],
	["bpf_map_delete_elem EINVAL", "elements of an array cannot be deleted"],
	["bpf_map_get_next_key ENOTSUPP", MAP_KIND],
	["bpf_obj_pin EPERM", "the path must be on a bpf file system; needs CAP_BPF"],
	["bpf_obj_pin ENOENT", "the folder does not exist"],
	["bpf_obj_pin EEXIST", "something is pinned there already"],
	["bpf_obj_get ENOENT", "nothing is pinned there"],
	["bpf_obj_get EPERM", MAP],
	["bpf_obj_get EACCES", "not a path on a bpf file system, or no right to it"],
	["setns EPERM", "needs CAP_SYS_ADMIN"],
	["setns EINVAL", "not a network namespace"],
	["SOCK_DESTROY EPERM", "needs CAP_NET_ADMIN"],
	["SOCK_DESTROY EOPNOTSUPP", "needs CONFIG_INET_DIAG_DESTROY"],
	["SOCK_DIAG_BY_FAMILY ENOENT", "needs CONFIG_INET_DIAG, for udp CONFIG_INET_UDP_DIAG"],
	["mount EPERM", "needs CAP_SYS_ADMIN"],
	["umount2 EPERM", "needs CAP_SYS_ADMIN"],
	["umount2 EINVAL", "not a mount point"],
	["flock EAGAIN", "another process holds it"],
]);

/** Undefined if the errno says it all. */
export function hintFor(call: string, errno: number): string | undefined {
	return HINTS.get(`${call} ${errnoName(errno)}`);
}
