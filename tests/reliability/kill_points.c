/* Preloaded library: ends the process at its N-th change to a file below a folder, for the test of kill points.
 *
 * KILL_UNDER is the folder. KILL_AT is N, from 1; 0 only counts. A write is cut in half before the end.
 * KILL_COUNT names a file outside of the folder that gets the number of changes at a normal exit.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long changes;

static int below(const char *path) {
    const char *folder = getenv("KILL_UNDER");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int file_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Counts a change; true if it is the last one. */
static int last_change(void) {
    const char *at = getenv("KILL_AT");
    return atomic_fetch_add(&changes, 1) + 1 == (at ? atol(at) : 0);
}

static void end(void) { kill(getpid(), SIGKILL); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define LIST(...) __VA_ARGS__
#define OPEN(name, parameters, arguments)                      \
    int name(LIST parameters, int flags, ...) {                \
        mode_t mode = 0;                                       \
        if (flags & (O_CREAT | O_TMPFILE)) {                   \
            va_list more;                                      \
            va_start(more, flags);                             \
            mode = va_arg(more, mode_t);                       \
            va_end(more);                                      \
        }                                                      \
        if ((flags & (O_CREAT | O_TRUNC)) && below(path))      \
            if (last_change()) end();                          \
        return REAL(name)(LIST arguments, flags, mode);        \
    }
OPEN(open, (const char *path), (path))
OPEN(open64, (const char *path), (path))
OPEN(openat, (int folder, const char *path), (folder, path))
OPEN(openat64, (int folder, const char *path), (folder, path))

ssize_t write(int file, const void *data, size_t size) {
    if (file > 2 && file_below(file) && last_change()) {
        REAL(write)(file, data, size / 2);
        end();
    }
    return REAL(write)(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (file > 2 && file_below(file) && last_change()) {
        if (count) REAL(write)(file, parts[0].iov_base, parts[0].iov_len / 2);
        end();
    }
    return REAL(writev)(file, parts, count);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    if (file_below(file) && last_change()) {
        REAL(pwrite)(file, data, size / 2, at);
        end();
    }
    return REAL(pwrite)(file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    if (file_below(file) && last_change()) {
        REAL(pwrite64)(file, data, size / 2, at);
        end();
    }
    return REAL(pwrite64)(file, data, size, at);
}

#define ON_PATH(type, name, parameters, path, arguments)       \
    type name parameters {                                     \
        if (below(path) && last_change()) end();               \
        return REAL(name) arguments;                           \
    }
ON_PATH(int, rename, (const char *from, const char *to), to, (from, to))
ON_PATH(int, renameat, (int a, const char *from, int b, const char *to), to, (a, from, b, to))
ON_PATH(int, link, (const char *from, const char *to), to, (from, to))
ON_PATH(int, linkat, (int a, const char *from, int b, const char *to, int flags), to, (a, from, b, to, flags))
ON_PATH(int, unlink, (const char *path), path, (path))
ON_PATH(int, unlinkat, (int folder, const char *path, int flags), path, (folder, path, flags))
ON_PATH(int, mkdir, (const char *path, mode_t mode), path, (path, mode))
ON_PATH(int, rmdir, (const char *path), path, (path))

#define ON_FILE(type, name, parameters, file, arguments)       \
    type name parameters {                                     \
        if (file_below(file) && last_change()) end();          \
        return REAL(name) arguments;                           \
    }
ON_FILE(int, fsync, (int file), file, (file))
ON_FILE(int, fdatasync, (int file), file, (file))
ON_FILE(int, ftruncate, (int file, off_t size), file, (file, size))
ON_FILE(int, ftruncate64, (int file, off64_t size), file, (file, size))

__attribute__((destructor)) static void tell(void) {
    const char *name = getenv("KILL_COUNT");
    if (!name) return;
    FILE *file = fopen(name, "w");
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&changes));
    fclose(file);
}
