// Counts what a program asks of the allocator, and says so at its end. Two runs that differ in their repeats give the count of one step:
//
//   gcc -O2 -shared -fPIC benchmarks/allocations.c -o allocations.so
//   LD_PRELOAD=$PWD/allocations.so .build/release/bantam bench MODEL.bantam --networks dit --modes auto --repeats 3 -q
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

static atomic_ulong calls, bytes;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);

static void count(size_t size) {
  atomic_fetch_add(&calls, 1);
  atomic_fetch_add(&bytes, size);
}

void *malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
  count(items * size);
  return __libc_calloc(items, size);
}

__attribute__((destructor)) static void report(void) { fprintf(stderr, "allocations %lu, bytes %lu\n", calls, bytes); }
