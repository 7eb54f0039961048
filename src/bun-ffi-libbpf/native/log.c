/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf's own lines, kept for the error of the call that caused them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libbpf.h"
#include "shim.h"

/* The end of a verifier log names the fault: what is too long loses its beginning. */
#define LOG_MAX (32 * 1024)

static __thread char *log_text;
static __thread size_t log_size;

static void append(char *line, size_t length)
{
	size_t keep;
	char *grown;

	if (length > LOG_MAX) {
		line += length - LOG_MAX;
		length = LOG_MAX;
	}
	keep = log_size + length > LOG_MAX ? LOG_MAX - length : log_size;
	if (keep < log_size)
		memmove(log_text, log_text + log_size - keep, keep);
	grown = realloc(log_text, keep + length);
	if (!grown)
		return;
	memcpy(grown + keep, line, length);
	log_text = grown;
	log_size = keep + length;
}

static int print(enum libbpf_print_level level, const char *format,
		 va_list args)
{
	char *line;
	int length;

	if (level == LIBBPF_DEBUG)
		return 0;
	length = vasprintf(&line, format, args);
	if (length < 0)
		return 0;
	append(line, length);
	free(line);
	return length;
}

/* Called once, before anything else. */
EXPORT int bffi_init(void)
{
	libbpf_set_print(print);
	return 0;
}

/* The length of what was logged on this thread; copies and forgets it if it fits. */
EXPORT int bffi_log_take(char *out, __u32 capacity)
{
	int length = log_size;

	if (log_size > capacity)
		return length;
	if (log_size)
		memcpy(out, log_text, log_size);
	free(log_text);
	log_text = NULL;
	log_size = 0;
	return length;
}
