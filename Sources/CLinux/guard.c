#define _GNU_SOURCE
#include "clinux.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_COUNT 256

// A slot is free where its base is 0. The handler only reads, and sets `torn`.
static struct {
  _Atomic uintptr_t base;
  _Atomic size_t byte_count;
  atomic_int torn;
} slots[SLOT_COUNT];

static struct sigaction previous;
static atomic_int is_installed;

static void on_bus_error(int number, siginfo_t *info, void *context) {
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int i = 0; i < SLOT_COUNT; i++) {
    uintptr_t base = atomic_load(&slots[i].base);
    size_t byte_count = atomic_load(&slots[i].byte_count);
    if (!base || address < base || address - base >= byte_count) continue;
    // Zero pages from here to the end of the mapping; the read is then repeated. mmap is a plain system call.
    uintptr_t page = address & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
    void *zeros =
      mmap((void *)page, base + byte_count - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    atomic_store(&slots[i].torn, 1);
    return;
  }
  if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction) return previous.sa_sigaction(number, info, context);
  // Not ours: the default action, on return.
  signal(SIGBUS, SIG_DFL);
}

int clinux_guard(void *base, size_t byte_count) {
  int expected = 0;
  if (atomic_compare_exchange_strong(&is_installed, &expected, 1)) {
    struct sigaction action = {0};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGBUS, &action, &previous);
  }
  for (int i = 0; i < SLOT_COUNT; i++) {
    uintptr_t empty = 0;
    if (!atomic_compare_exchange_strong(&slots[i].base, &empty, (uintptr_t)base)) continue;
    atomic_store(&slots[i].torn, 0);
    atomic_store(&slots[i].byte_count, byte_count);
    return i;
  }
  return -1;
}

int clinux_is_torn(int slot) { return slot >= 0 && atomic_load(&slots[slot].torn); }

void clinux_release(int slot) {
  if (slot < 0) return;
  atomic_store(&slots[slot].byte_count, 0);
  atomic_store(&slots[slot].base, 0);
}
