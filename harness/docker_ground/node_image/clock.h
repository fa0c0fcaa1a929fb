/*
 * What preload.c and vdso.c have in common: the settings of a clock, and what it shows by them.
 *
 * System calls are made by hand and no header is needed, so that it can be compiled wherever there is a compiler.
 */

#if !defined(__x86_64__) || !defined(__LP64__)
#error "only x86-64 is known"
#endif

#define SYS_clock_gettime 228
#define REALTIME 0
#define MONOTONIC 1
#define MONOTONIC_RAW 4
#define REALTIME_COARSE 5
#define MONOTONIC_COARSE 6
#define BOOTTIME 7
#define SECOND 1000000000L
#define MILLION 1000000L

struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };

struct settings {
    long sequence;
    long offset;           /* of the wall clock, in ns, at the anchor */
    long rate;             /* ppm by which it runs too fast since the anchor */
    long anchor;           /* the kernel's wall clock when the rate was set, in ns */
    long frozen;           /* whether the wall clock stands at: */
    long frozen_at;
    long monotonic;        /* whether monotonic clocks go wrong by offset and rate, too */
    long monotonic_anchor; /* the kernel's monotonic clock when the rate was set, in ns */
    long fsync;            /* HONEST, LYING, or anything else: answers EIO */
    long fsyncs;           /* how many were not honest; counted here */
};

/* Where the settings are; 0 where there are none. */
static struct settings *look(void);

static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}

/* A whole picture of the settings, never half of one; 0 where there are none. */
static int copy(struct settings *out) {
    struct settings *from = look();
    if (!from) return 0;
    for (;;) {
        long before = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
        for (unsigned i = 0; i < sizeof *out / sizeof(long); i++)
            ((long *)out)[i] = __atomic_load_n((long *)from + i, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == before) return 1;
    }
}

static long wrong_by(const struct settings *now, long since) {
    return now->offset + since / MILLION * now->rate + since % MILLION * now->rate / MILLION;
}

static int is_wall(int clock) { return clock == REALTIME || clock == REALTIME_COARSE; }

static int is_monotonic(int clock) {
    return clock == MONOTONIC || clock == MONOTONIC_RAW || clock == MONOTONIC_COARSE || clock == BOOTTIME;
}

/* What a clock shows, in ns; below zero: the kernel's error. */
static long shows(int clock) {
    struct timespec kernel;
    struct settings now;
    long error = call(SYS_clock_gettime, clock, (long)&kernel, 0, 0, 0, 0);
    if (error < 0) return error;
    long true_ns = kernel.seconds * SECOND + kernel.nanoseconds;
    if (!copy(&now)) return true_ns;
    if (is_wall(clock)) return now.frozen ? now.frozen_at : true_ns + wrong_by(&now, true_ns - now.anchor);
    if (is_monotonic(clock) && now.monotonic) return true_ns + wrong_by(&now, true_ns - now.monotonic_anchor);
    return true_ns;
}
