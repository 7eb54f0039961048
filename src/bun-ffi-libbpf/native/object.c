/* SPDX-License-Identifier: Apache-2.0 */
/* ELF objects: their maps and programs, before and after the load. */
#include <errno.h>
#include <string.h>

#include "btf.h"
#include "libbpf.h"
#include "shim.h"

EXPORT int bffi_object_open(const void *bytes, __u32 size, const char *name,
			    __u64 *out)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &opts);

	if (!object)
		return -errno;
	*out = to_handle(object);
	return 0;
}

EXPORT int bffi_object_load(__u64 object)
{
	return bpf_object__load(from_handle(object));
}

EXPORT int bffi_object_close(__u64 object)
{
	bpf_object__close(from_handle(object));
	return 0;
}

/* Returns how many there are, and the handles of the first `capacity`. */
EXPORT int bffi_object_maps(__u64 object, __u64 *out, __u32 capacity)
{
	struct bpf_map *map;
	__u32 count = 0;

	bpf_object__for_each_map(map, (struct bpf_object *)from_handle(object))
	{
		if (count < capacity)
			out[count] = to_handle(map);
		count++;
	}
	return count;
}

EXPORT int bffi_object_programs(__u64 object, __u64 *out, __u32 capacity)
{
	struct bpf_program *program;
	__u32 count = 0;

	bpf_object__for_each_program(program,
				     (struct bpf_object *)from_handle(object))
	{
		if (count < capacity)
			out[count] = to_handle(program);
		count++;
	}
	return count;
}

static int copy_text(const char *text, char *out, __u32 capacity)
{
	__u32 length = text ? strlen(text) : 0;

	if (length && length <= capacity)
		memcpy(out, text, length);
	return length;
}

struct map_facts {
	__u32 type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 flags;
	__u32 internal;
	__s32 fd;
};

EXPORT int bffi_map_facts(__u64 handle, struct map_facts *out)
{
	const struct bpf_map *map = from_handle(handle);

	*out = (struct map_facts){
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.max_entries = bpf_map__max_entries(map),
		.flags = bpf_map__map_flags(map),
		.internal = bpf_map__is_internal(map),
		.fd = bpf_map__fd(map),
	};
	return 0;
}

EXPORT int bffi_map_name(__u64 map, char *out, __u32 capacity)
{
	return copy_text(bpf_map__name(from_handle(map)), out, capacity);
}

EXPORT int bffi_map_pin_path(__u64 map, char *out, __u32 capacity)
{
	return copy_text(bpf_map__pin_path(from_handle(map)), out, capacity);
}

EXPORT int bffi_map_set_max_entries(__u64 map, __u32 max_entries)
{
	return bpf_map__set_max_entries(from_handle(map), max_entries);
}

EXPORT int bffi_map_set_pin_path(__u64 map, const char *path)
{
	return bpf_map__set_pin_path(from_handle(map), path);
}

/* The initial contents of a data section (.rodata, .data, .bss); 0 if it has none. */
EXPORT int bffi_map_initial(__u64 map, void *out, __u32 capacity)
{
	size_t size = 0;
	const void *value = bpf_map__initial_value(from_handle(map), &size);

	if (!value)
		return 0;
	if (size <= capacity)
		memcpy(out, value, size);
	return size;
}

EXPORT int bffi_map_set_initial(__u64 map, const void *value, __u32 size)
{
	return bpf_map__set_initial_value(from_handle(map), value, size);
}

struct program_facts {
	__u32 type;
	__u32 attach_type;
	__u32 autoload;
	__s32 fd;
};

EXPORT int bffi_program_facts(__u64 handle, struct program_facts *out)
{
	const struct bpf_program *program = from_handle(handle);

	*out = (struct program_facts){
		.type = bpf_program__type(program),
		.attach_type = bpf_program__expected_attach_type(program),
		.autoload = bpf_program__autoload(program),
		.fd = bpf_program__fd(program),
	};
	return 0;
}

EXPORT int bffi_program_name(__u64 program, char *out, __u32 capacity)
{
	return copy_text(bpf_program__name(from_handle(program)), out,
			 capacity);
}

EXPORT int bffi_program_section(__u64 program, char *out, __u32 capacity)
{
	return copy_text(bpf_program__section_name(from_handle(program)), out,
			 capacity);
}

EXPORT int bffi_program_set_autoload(__u64 program, __u32 autoload)
{
	return bpf_program__set_autoload(from_handle(program), autoload);
}

/* Where one variable of a data section lies. */
struct variable {
	__u32 offset;
	__u32 size;
	char name[120];
};

/* Returns how many variables BTF knows in that section; 0 without BTF. */
EXPORT int bffi_object_variables(__u64 object, const char *section,
				 struct variable *out, __u32 capacity)
{
	const struct btf *btf = bpf_object__btf(from_handle(object));
	const struct btf_var_secinfo *info;
	const struct btf_type *type;
	__s32 id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC)
		       : -ENOENT;
	__u32 count, index;

	if (id < 0)
		return 0;
	type = btf__type_by_id(btf, id);
	info = btf_var_secinfos(type);
	count = btf_vlen(type);
	for (index = 0; index < count && index < capacity; index++) {
		const struct btf_type *var =
			btf__type_by_id(btf, info[index].type);
		const char *name =
			var ? btf__name_by_offset(btf, var->name_off) : NULL;

		out[index].offset = info[index].offset;
		out[index].size = info[index].size;
		memset(out[index].name, 0, sizeof(out[index].name));
		strncpy(out[index].name, name ? name : "",
			sizeof(out[index].name) - 1);
	}
	return count;
}
