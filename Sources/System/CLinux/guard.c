#define _GNU_SOURCE
#include "clinux.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_COUNT 256

// A slot is free where its base is 0. The handler only reads, and sets `torn`.
typedef struct {
  _Atomic uintptr_t base;
  _Atomic size_t byte_count;
  atomic_int torn;
} slot_t;

// Slots come in blocks that are never freed, so that the handler may walk them at any moment.
typedef struct block {
  slot_t slots[BLOCK_COUNT];
  struct block *_Atomic next;
} block_t;

static block_t first_block;
static struct sigaction previous;
static atomic_int is_installed;

static void on_bus_error(int number, siginfo_t *info, void *context) {
  uintptr_t address = (uintptr_t)info->si_addr;
  for (block_t *block = &first_block; block; block = atomic_load(&block->next))
    for (int i = 0; i < BLOCK_COUNT; i++) {
      slot_t *slot = &block->slots[i];
      uintptr_t base = atomic_load(&slot->base);
      size_t byte_count = atomic_load(&slot->byte_count);
      if (!base || address < base || address - base >= byte_count) continue;
      // Zero pages from here to the end of the mapping; the read is then repeated. mmap is a plain system call.
      uintptr_t page = address & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
      void *zeros =
        mmap((void *)page, base + byte_count - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      if (zeros == MAP_FAILED) goto not_ours;
      atomic_store(&slot->torn, 1);
      return;
    }
not_ours:
  if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction) return previous.sa_sigaction(number, info, context);
  // The default action, on return.
  signal(SIGBUS, SIG_DFL);
}

void *clinux_guard(void *base, size_t byte_count) {
  int expected = 0;
  if (atomic_compare_exchange_strong(&is_installed, &expected, 1)) {
    struct sigaction action = {0};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGBUS, &action, &previous);
  }
  for (block_t *block = &first_block;;) {
    for (int i = 0; i < BLOCK_COUNT; i++) {
      slot_t *slot = &block->slots[i];
      uintptr_t empty = 0;
      if (!atomic_compare_exchange_strong(&slot->base, &empty, (uintptr_t)base)) continue;
      atomic_store(&slot->torn, 0);
      atomic_store(&slot->byte_count, byte_count);
      return slot;
    }
    block_t *next = atomic_load(&block->next);
    if (!next) {
      block_t *made = calloc(1, sizeof(block_t));
      if (!made) return NULL;
      if (atomic_compare_exchange_strong(&block->next, &next, made)) next = made;
      else free(made);
    }
    block = next;
  }
}

int clinux_is_torn(const void *slot) { return slot && atomic_load(&((const slot_t *)slot)->torn); }

void clinux_release(void *slot) {
  if (!slot) return;
  atomic_store(&((slot_t *)slot)->byte_count, 0);
  atomic_store(&((slot_t *)slot)->base, 0);
}
