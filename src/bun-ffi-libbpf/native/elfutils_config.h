/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What elfutils' configure would find on Linux with gcc or clang, as far as
 * libelf asks. Written by hand, so that cross-building runs no probes.
 */
#pragma once

#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_RAWMEMCHR 1
/* glibc has it since 2.26; compat.c brings it for older ones */
#define HAVE_DECL_REALLOCARRAY 1
#define HAVE_ERROR_H 1
#define HAVE_ERR_H 1
#define HAVE_FALLTHROUGH 1
#define HAVE_MREMAP 1
#define HAVE_VISIBILITY 1

/* as configure's own config.h ends */
#include <eu-config.h>
