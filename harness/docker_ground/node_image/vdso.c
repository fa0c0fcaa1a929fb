/*
 * Put into the vDSO of a running server from outside (harness/docker_ground/vdso.py): gives it a wall clock of its own,
 * be it a static program or not. The vDSO is where the kernel keeps, in every process, the functions by which programs
 * read the clock; the first bytes of these are made to jump here.
 *
 *     gcc -Os -ffreestanding -nostdlib -static ... -Wl,-T,vdso.ld -o vdso.bin vdso.c
 *
 * The result is plain bytes that run wherever they are put. At their beginning: a jump for each function, eight bytes
 * apart, the mark, and the settings, which are written from outside, too.
 *
 * Limits: what a program asks of the kernel without the vDSO is the kernel's clock, as are sleeps and file times.
 */

#include "clock.h"

__asm__(".section .head, \"ax\"\n"
        "jmp show_clock\n.balign 8\n"
        "jmp show_day\n.balign 8\n"
        "jmp show_time\n.balign 8\n"
        ".ascii \"splitbrn\"\n"
        ".globl settings\n.hidden settings\n"
        "settings: .zero 80\n"
        ".text\n");

extern struct settings settings __attribute__((visibility("hidden")));

static struct settings *look(void) { return &settings; }

__attribute__((visibility("hidden"), used)) int show_clock(int clock, struct timespec *out) {
    if (!is_wall(clock) && !is_monotonic(clock)) return (int)call(SYS_clock_gettime, clock, (long)out, 0, 0, 0, 0);
    long ns = shows(clock);
    if (ns < 0 && ns > -4096) return (int)ns;
    out->seconds = ns / SECOND;
    out->nanoseconds = ns % SECOND;
    return 0;
}

__attribute__((visibility("hidden"), used)) int show_day(struct timeval *out, int *zone) {
    long ns = shows(REALTIME);
    if (out) {
        out->seconds = ns / SECOND;
        out->microseconds = ns % SECOND / 1000;
    }
    if (zone) zone[0] = zone[1] = 0;
    return 0;
}

__attribute__((visibility("hidden"), used)) long show_time(long *out) {
    long seconds = shows(REALTIME) / SECOND;
    if (out) *out = seconds;
    return seconds;
}
