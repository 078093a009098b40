/* Loaded before the C library (LD_PRELOAD), for what a program may meet and seldom does.

   SHORT_READS=N   read and pread give at most N bytes at a time of a regular file
   CLOCK_BACK_S=N  each second time that the wall clock is asked, it is N seconds earlier than it is
   CLOCK_AHEAD_S=N the wall clock is N seconds ahead: another day

   HIT_CALL=fsync HIT_FOLDER=/runs/one HIT_NTH=3 HIT_ERRNO=5 HIT_MARK=/runs/hit
                   the third fsync of the main thread about a file below the folder fails with that error, or, where
                   the error is 0, is the process's last: SIGKILL comes as it begins; the file tells that it came

   Only what goes through the C library is disturbed; a monotonic clock never jumps. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static char call_to_hit[32], folder[4096], mark[4096];
static long nth, error_to_give;
static pid_t owner;

__attribute__((constructor)) static void begin(void)
{
    const char *call = getenv("HIT_CALL"), *below = getenv("HIT_FOLDER"), *file = getenv("HIT_MARK");
    if (!call || !below || !file || getenv("HIT_OWNED"))
        return;
    setenv("HIT_OWNED", "1", 1); /* processes of its own are left alone */
    strncpy(call_to_hit, call, sizeof call_to_hit - 1);
    strncpy(folder, below, sizeof folder - 1);
    strncpy(mark, file, sizeof mark - 1);
    nth = number("HIT_NTH");
    error_to_give = number("HIT_ERRNO");
    owner = getpid();
}

static int is_below(const char *path)
{
    size_t n = strlen(folder);
    return path && strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Whether a call about a path is the one to fail; the process may not come back from here. */
static int is_hit(const char *call, const char *path)
{
    if (!owner || owner != getpid() || syscall(SYS_gettid) != owner || strcmp(call, call_to_hit) != 0)
        return 0;
    if (!is_below(path) || --nth != 0)
        return 0;
    close(creat(mark, 0644));
    if (error_to_give == 0)
        kill(owner, SIGKILL);
    errno = (int)error_to_give;
    return 1;
}

static const char *path_of(int file, char *to, size_t room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, to, room - 1);
    to[n < 0 ? 0 : n] = 0;
    return to;
}

static int is_file_hit(const char *call, int file)
{
    char path[4096];
    return owner && strcmp(call, call_to_hit) == 0 && is_hit(call, path_of(file, path, sizeof path));
}

static int is_name_hit(const char *call, int in, const char *name)
{
    char path[8192];
    if (!owner || strcmp(call, call_to_hit) != 0)
        return 0;
    if (in == AT_FDCWD || name[0] == '/')
        return is_hit(call, name);
    path_of(in, path, 4096);
    strncat(path, "/", 2);
    strncat(path, name, 4000);
    return is_hit(call, path);
}

ssize_t write(int file, const void *from, size_t n)
{
    NEXT(write);
    return is_file_hit("write", file) ? -1 : next(file, from, n);
}

ssize_t pwrite64(int file, const void *from, size_t n, off_t to)
{
    NEXT(pwrite64);
    return is_file_hit("pwrite64", file) ? -1 : next(file, from, n, to);
}

ssize_t pwrite(int file, const void *from, size_t n, off_t to)
{
    return pwrite64(file, from, n, to);
}

ssize_t writev(int file, const struct iovec *from, int n)
{
    NEXT(writev);
    return is_file_hit("writev", file) ? -1 : next(file, from, n);
}

int fsync(int file)
{
    NEXT(fsync);
    return is_file_hit("fsync", file) ? -1 : next(file);
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    return is_name_hit("rename", AT_FDCWD, is_below(from) ? from : to) ? -1 : next(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    return is_name_hit("mkdir", AT_FDCWD, path) ? -1 : next(path, mode);
}

int unlink(const char *path)
{
    NEXT(unlink);
    return is_name_hit("unlink", AT_FDCWD, path) ? -1 : next(path);
}

int rmdir(const char *path)
{
    NEXT(rmdir);
    return is_name_hit("rmdir", AT_FDCWD, path) ? -1 : next(path);
}

int unlinkat(int in, const char *path, int how)
{
    NEXT(unlinkat);
    return is_name_hit("unlinkat", in, path) ? -1 : next(in, path, how);
}

static mode_t mode_of(int how, va_list more)
{
    return how & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

int openat(int in, const char *path, int how, ...)
{
    NEXT(openat);
    va_list more;
    va_start(more, how);
    mode_t mode = mode_of(how, more);
    va_end(more);
    return is_name_hit("openat", in, path) ? -1 : next(in, path, how, mode);
}

int open(const char *path, int how, ...)
{
    va_list more;
    va_start(more, how);
    mode_t mode = mode_of(how, more);
    va_end(more);
    return openat(AT_FDCWD, path, how, mode);
}

/* On a machine of 64 bits these are the same. */
int open64(const char *path, int how, ...) __attribute__((alias("open")));
int openat64(int in, const char *path, int how, ...) __attribute__((alias("openat")));

static size_t at_most(int file, size_t n)
{
    static long most = -1;
    struct stat about;
    if (most < 0)
        most = number("SHORT_READS");
    if (most <= 0 || n <= (size_t)most || fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        return n;
    return (size_t)most;
}

ssize_t read(int file, void *to, size_t n)
{
    NEXT(read);
    return next(file, to, at_most(file, n));
}

ssize_t pread(int file, void *to, size_t n, off_t from)
{
    NEXT(pread);
    return next(file, to, at_most(file, n), from);
}

ssize_t pread64(int file, void *to, size_t n, off_t from)
{
    return pread(file, to, n, from);
}

static time_t shift(void)
{
    static long back = -1, ahead;
    static unsigned long asked;
    if (back < 0) {
        ahead = number("CLOCK_AHEAD_S");
        back = number("CLOCK_BACK_S");
    }
    return (time_t)(ahead - (back && __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) % 2 ? back : 0));
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    NEXT(clock_gettime);
    int failed = next(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift();
    return failed;
}

time_t time(time_t *to)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}
