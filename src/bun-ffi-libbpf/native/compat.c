/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few libc functions whose newest version would raise the glibc that the
 * library needs above 2.17, as hidden functions of our own. No libc header is
 * included: newer ones rename what is declared here.
 */
typedef unsigned long size_t;
typedef struct FILE FILE;
struct stat;

extern long syscall(long number, ...);
extern long strtol(const char *text, char **end, int base);
extern unsigned long strtoul(const char *text, char **end, int base);
extern long long strtoll(const char *text, char **end, int base);
extern unsigned long long strtoull(const char *text, char **end, int base);
extern int vsscanf(const char *text, const char *format,
		   __builtin_va_list args);
extern int vfscanf(FILE *file, const char *format, __builtin_va_list args);
extern int fcntl(int fd, int command, ...);
extern void *realloc(void *old, size_t size);
extern int *__errno_location(void);

#define E_NOMEM 12
#define E_NOSYS 38
#define AT_CWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100

#if defined(__x86_64__)
#define NR_FSTAT 5
#define NR_FSTATAT 262
#elif defined(__aarch64__)
#define NR_FSTAT 80
#define NR_FSTATAT 79
#else
#error "Only x86-64 and arm64 are supported"
#endif

/* 2.33; struct stat is the kernel's own on 64-bit machines */
int fstat(int fd, struct stat *out)
{
	return syscall(NR_FSTAT, fd, out);
}

int stat(const char *path, struct stat *out)
{
	return syscall(NR_FSTATAT, AT_CWD, path, out, 0);
}

int lstat(const char *path, struct stat *out)
{
	return syscall(NR_FSTATAT, AT_CWD, path, out, AT_SYMLINK_NOFOLLOW);
}

/* with 64-bit file offsets libc's headers rename them */
int fstat64(int fd, struct stat *out)
{
	return fstat(fd, out);
}

int stat64(const char *path, struct stat *out)
{
	return stat(path, out);
}

int lstat64(const char *path, struct stat *out)
{
	return lstat(path, out);
}

/* 2.22; libbpf needs it for a kernel configuration given as text, which we do not offer */
FILE *fmemopen(void *buffer, size_t size, const char *mode)
{
	(void)buffer, (void)size, (void)mode;
	*__errno_location() = E_NOSYS;
	return 0;
}

/* 2.28; every command's argument is one register on 64-bit machines */
int fcntl64(int fd, int command, unsigned long argument)
{
	return fcntl(fd, command, argument);
}

/* 2.26 */
void *reallocarray(void *old, size_t count, size_t size)
{
	if (size > 0 && count > ~0UL / size) {
		*__errno_location() = E_NOMEM;
		return 0;
	}
	return realloc(old, count * size);
}

/* 2.38: the names that its headers give to strtol and the others under _GNU_SOURCE */
long __isoc23_strtol(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
	return strtoll(text, end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
	return strtoull(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
	__builtin_va_list args;
	int fields;

	__builtin_va_start(args, format);
	fields = vsscanf(text, format, args);
	__builtin_va_end(args);
	return fields;
}

int __isoc23_fscanf(FILE *file, const char *format, ...)
{
	__builtin_va_list args;
	int fields;

	__builtin_va_start(args, format);
	fields = vfscanf(file, format, args);
	__builtin_va_end(args);
	return fields;
}
