/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2) on file descriptors: maps, pins, links, queries, probes. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bpf.h"
#include "libbpf.h"
#include "shim.h"

EXPORT int bffi_version(__u32 *out)
{
	out[0] = libbpf_major_version();
	out[1] = libbpf_minor_version();
	return 0;
}

EXPORT int bffi_possible_cpus(void)
{
	return libbpf_num_possible_cpus();
}

EXPORT int bffi_close(int fd)
{
	return close(fd) ? -errno : 0;
}

EXPORT int bffi_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

struct map_spec {
	__u32 type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 flags;
};

EXPORT int bffi_map_create(const struct map_spec *spec, const char *name)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = spec->flags);

	return bpf_map_create(spec->type, name, spec->key_size,
			      spec->value_size, spec->max_entries, &opts);
}

EXPORT int bffi_map_lookup(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value);
}

EXPORT int bffi_map_update(int fd, const void *key, const void *value,
			   __u32 flags)
{
	return bpf_map_update_elem(fd, key, value, flags);
}

EXPORT int bffi_map_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key);
}

EXPORT int bffi_map_next_key(int fd, const void *key, void *next)
{
	return bpf_map_get_next_key(fd, key, next);
}

/* In all three, count goes in as what there is (room for) and comes out as what was done. */
EXPORT int bffi_map_update_batch(int fd, const void *keys, const void *values,
				 __u32 *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	return bpf_map_update_batch(fd, keys, values, count, &opts);
}

EXPORT int bffi_map_delete_batch(int fd, const void *keys, __u32 *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	return bpf_map_delete_batch(fd, keys, count, &opts);
}

EXPORT int bffi_map_lookup_batch(int fd, void *from, void *next, void *keys,
				 void *values, __u32 *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	return bpf_map_lookup_batch(fd, from, next, keys, values, count, &opts);
}

/* bpf_map_info, bpf_prog_info or bpf_link_info as the kernel lays them out. */
EXPORT int bffi_info(int fd, void *out, __u32 size)
{
	return bpf_obj_get_info_by_fd(fd, out, &size);
}

EXPORT int bffi_pin(int fd, const char *path)
{
	return bpf_obj_pin(fd, path);
}

EXPORT int bffi_open_pinned(const char *path)
{
	return bpf_obj_get(path);
}

EXPORT int bffi_unlink(const char *path)
{
	return unlink(path) ? -errno : 0;
}

EXPORT int bffi_link_create(int program, int target, __u32 attach_type)
{
	return bpf_link_create(program, target, attach_type, NULL);
}

EXPORT int bffi_link_update(int link, int program)
{
	return bpf_link_update(link, program, NULL);
}

EXPORT int bffi_link_detach(int link)
{
	return bpf_link_detach(link);
}

EXPORT int bffi_open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

EXPORT int bffi_program_query(int target, __u32 attach_type, __u32 flags,
			      __u32 *ids, __u32 *count)
{
	__u32 attach_flags;

	return bpf_prog_query(target, attach_type, flags, &attach_flags, ids,
			      count);
}

EXPORT int bffi_program_by_id(__u32 id)
{
	return bpf_prog_get_fd_by_id(id);
}

EXPORT int bffi_probe_program_type(__u32 type)
{
	return libbpf_probe_bpf_prog_type(type, NULL);
}

EXPORT int bffi_probe_map_type(__u32 type)
{
	return libbpf_probe_bpf_map_type(type, NULL);
}

/* Loads a program that does nothing but call it; the verifier's words tell why that fails. */
EXPORT int bffi_probe_helper(__u32 program_type, __u32 attach_type,
			     __u32 helper, char *log, __u32 log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = attach_type, .log_buf = log,
		    .log_size = log_size, .log_level = 1);
	struct bpf_insn program[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(program_type, NULL, "GPL", program, 2, &opts);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

struct run_result {
	__u32 returned;
	__u32 data_size;
	__u32 nanoseconds;
};

/* The program changes data and context in place; data_size says how much of data it left. */
EXPORT int bffi_program_run(int program, void *data, __u32 data_size,
			    void *context, __u32 context_size, __u32 repeat,
			    struct run_result *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data_size ? data : NULL,
		    .data_out = data_size ? data : NULL,
		    .data_size_in = data_size, .data_size_out = data_size,
		    .ctx_in = context_size ? context : NULL,
		    .ctx_size_in = context_size, .repeat = repeat, );
	int error = bpf_prog_test_run_opts(program, &opts);

	*out = (struct run_result){ opts.retval, opts.data_size_out,
				    opts.duration };
	return error;
}
