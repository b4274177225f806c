/* The system calls that the keeper makes, without libc: the numbers and the calling convention of
 * x86-64 and AArch64. Every call returns what the kernel returns: a value, or -errno. */
#ifndef FDSUPERVISOR_KERNEL_H
#define FDSUPERVISOR_KERNEL_H

#include <asm/unistd.h>
#include <linux/types.h>

#if defined(__x86_64__)
static inline long kernel6(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long r;
  __asm__ volatile("syscall"
                   : "=a"(r)
                   : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}

/* clone(2) or clone3(2) onto a stack of its own, by its number and first three arguments: the child calls
 * function(argument) and must not return from it. A C function can't call clone with CLONE_VM itself: the child
 * would run on the parent's frame. */
static inline long kernel_clone(long call, long a, long b, long c, void (*function)(void *), void *argument) {
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  register void (*r12)(void *) __asm__("r12") = function;
  register void *r13 __asm__("r13") = argument;
  long r;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "=a"(r)
      : "0"(call), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return r;
}
#elif defined(__aarch64__)
static inline long kernel6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}

static inline long kernel_clone(long call, long a, long b, long c, void (*function)(void *), void *argument) {
  register long x8 __asm__("x8") = call;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  register void (*x9)(void *) __asm__("x9") = function;
  register void *x10 __asm__("x10") = argument;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk #1\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9), "r"(x10)
      : "memory", "cc", "x30");
  return x0;
}
#else
#error "the keeper knows the system calls of x86-64 and AArch64 only"
#endif

#define KERNEL(name, ...) KERNEL_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)(__NR_##name, __VA_ARGS__)
#define KERNEL_PICK(a, b, c, d, e, f, n, ...) KERNEL_##n
#define KERNEL_1(n, a) kernel6(n, (long)(a), 0, 0, 0, 0, 0)
#define KERNEL_2(n, a, b) kernel6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define KERNEL_3(n, a, b, c) kernel6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define KERNEL_4(n, a, b, c, d) kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define KERNEL_5(n, a, b, c, d, e) kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define KERNEL_6(n, a, b, c, d, e, f) \
  kernel6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
