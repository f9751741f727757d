/* The floor: a program without any libc that prints the reply of backend.c, REPLY, and exits.  -nostdlib -static. */

static long call(long number, long a, long b, long c)
{
    long result;

#if defined(__x86_64__)
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#else
#error "not yet written for this processor"
#endif
    return result;
}

#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 231 };
#else
enum { WRITE = 64, EXIT = 94 };
#endif

void _start(void)
{
    static const char reply[] = REPLY;

    call(WRITE, 1, (long)reply, sizeof reply - 1);
    call(EXIT, 0, 0, 0);
    __builtin_unreachable();
}
