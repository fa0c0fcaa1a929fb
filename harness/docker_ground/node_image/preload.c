/*
 * Loaded before the libc of the server under test (LD_PRELOAD): gives it a wall clock of its own, and a disk that lies
 * about fsync, without touching the kernel's clock or any other process.
 *
 *     gcc -shared -fPIC -O2 -ffreestanding -nostdlib -o preload.so preload.c
 *
 * What to do stands in one small file, which is mapped into every process and written by preload_file.py at any time:
 * the layout is that of struct settings. A writer makes `sequence` odd, writes, and makes it even again. Without the
 * file everything is as it would be without us.
 *
 * Limits: x86-64 only; programs that call the kernel without a libc (as Go's do) see nothing of it;
 * vdso.c is for them. Sleeps until an absolute time of the wall clock, file times and the kernel's own timers go by the
 * kernel's clock.
 */

#include "clock.h"

#define PATH "/run/splitbrain/preload"
#define SYS_mmap 9
#define SYS_nanosleep_until 230
#define SYS_open 2
#define SYS_close 3
#define SYS_fsync 74
#define SYS_fdatasync 75
#define ABSOLUTE 1
#define EIO 5
#define HONEST 0
#define LYING 1

extern int *__errno_location(void);
static struct settings *shared;
static int tried;

static int told(long result) {
    if (result >= 0) return (int)result;
    *__errno_location() = (int)-result;
    return -1;
}

/* The settings; 0 where there are none. Two threads may map them at once, which does no harm. */
static struct settings *look(void) {
    if (!tried) {
        long file = call(SYS_open, (long)PATH, 2 /* O_RDWR */ | 02000000 /* O_CLOEXEC */, 0, 0, 0, 0);
        if (file >= 0) {
            long at = call(SYS_mmap, 0, sizeof(struct settings), 3 /* READ|WRITE */, 1 /* SHARED */, file, 0);
            call(SYS_close, file, 0, 0, 0, 0, 0);
            if (at > 0 || at < -4095) shared = (struct settings *)at;
        }
        __atomic_store_n(&tried, 1, __ATOMIC_RELEASE);
    }
    return shared;
}

int clock_gettime(int clock, struct timespec *out) {
    if (!is_wall(clock) && !is_monotonic(clock)) return told(call(SYS_clock_gettime, clock, (long)out, 0, 0, 0, 0));
    long ns = shows(clock);
    if (ns < 0 && ns > -4096) return told(ns);
    out->seconds = ns / SECOND;
    out->nanoseconds = ns % SECOND;
    return 0;
}

int gettimeofday(struct timeval *out, void *zone) {
    (void)zone;
    long ns = shows(REALTIME);
    out->seconds = ns / SECOND;
    out->microseconds = ns % SECOND / 1000;
    return 0;
}

long time(long *out) {
    long seconds = shows(REALTIME) / SECOND;
    if (out) *out = seconds;
    return seconds;
}

int timespec_get(struct timespec *out, int base) {
    return base == 1 && clock_gettime(REALTIME, out) == 0 ? base : 0;
}

/* Until a time of a clock that we make wrong: as long as that clock says it is until then. Returns the error. */
int clock_nanosleep(int clock, int flags, const struct timespec *wanted, struct timespec *left) {
    struct settings now;
    int ours = is_wall(clock) || (is_monotonic(clock) && copy(&now) && now.monotonic);
    if (!(flags & ABSOLUTE) || !ours)
        return (int)-call(SYS_nanosleep_until, clock, flags, (long)wanted, (long)left, 0, 0);
    long ns = wanted->seconds * SECOND + wanted->nanoseconds - shows(clock);
    if (ns <= 0) return 0;
    struct timespec pause = {ns / SECOND, ns % SECOND};
    return (int)-call(SYS_nanosleep_until, MONOTONIC, 0, (long)&pause, 0, 0, 0);
}

static int sync_file(long number, int file) {
    struct settings *now = look();
    if (!now || now->fsync == HONEST) return told(call(number, file, 0, 0, 0, 0, 0));
    __atomic_fetch_add(&now->fsyncs, 1, __ATOMIC_RELAXED);
    return now->fsync == LYING ? 0 : told(-EIO);
}

int fsync(int file) { return sync_file(SYS_fsync, file); }

int fdatasync(int file) { return sync_file(SYS_fdatasync, file); }
