// The tables of this machine, filled once, before main.
#include <stdlib.h>
#include <string.h>

#include "fills.h"
#include "processor.h"

enum { MOST_LEVELS = 6 };

static uint32_t found;
static ck_table levels[MOST_LEVELS];
static uint32_t instructions_of[MOST_LEVELS];
static size_t level_count;
const ck_table *ck_active_table;

// A new level, which begins with all that the one below has, and uses some more instructions where there are any.
static ck_table *add_level(const char *name, uint32_t instructions) {
  ck_table *level = &levels[level_count];
  instructions_of[level_count] = found & instructions;
  if (level_count > 0) {
    *level = levels[level_count - 1];
    instructions_of[level_count] |= instructions_of[level_count - 1];
  }
  level->name = name;
  level_count++;
  return level;
}

static void fill_portable(void) {
  ck_table *portable = add_level("portable", 0);
  ck_fill_portable(portable);
  ck_fill_portable_crc32c(portable);
}

#if defined(__x86_64__)
static void fill_architecture(void) {
  if (!(found & CK_ISA_AVX2)) return;
  ck_table *avx2 = add_level("avx2", CK_ISA_AVX2 | CK_ISA_CRC32C);
  ck_fill_avx2(avx2);
  ck_fill_avx2_dots(avx2);
  ck_fill_avx2_books(avx2);
  if (found & CK_ISA_CRC32C) ck_fill_sse42_crc32c(avx2);
  if (found & CK_ISA_AVX_VNNI) {
    ck_table *vnni = add_level("avx-vnni", CK_ISA_AVX_VNNI);
    ck_fill_avx_vnni(vnni);
    ck_fill_avx_vnni_books(vnni);
  }
  if (!(found & CK_ISA_AVX512)) return;
  ck_table *avx512 = add_level("avx512", CK_ISA_AVX512);
  ck_fill_avx512(avx512);
  // Better than what is compiled from plain C.
  ck_fill_avx2_dots(avx512);
  ck_fill_avx2_books(avx512);
  ck_fill_avx512_packing(avx512);
  if (found & CK_ISA_AVX512_VNNI) {
    ck_table *vnni = add_level("avx512-vnni", CK_ISA_AVX512_VNNI);
    ck_fill_avx512_vnni(vnni);
    ck_fill_avx512_books(vnni);
  }
  if (found & CK_ISA_AVX512_BF16) ck_fill_avx512_bf16(add_level("avx512-bf16", CK_ISA_AVX512_BF16));
}
#elif defined(__aarch64__)
static void fill_architecture(void) {
  ck_table *neon = add_level("neon", CK_ISA_CRC32C);
  ck_fill_neon(neon);
  if (found & CK_ISA_CRC32C) ck_fill_arm_crc32c(neon);
  if (!(found & CK_ISA_NEON_DOTPROD)) return;
  ck_table *dots = add_level("neon-dotprod", CK_ISA_NEON_DOTPROD);
  ck_fill_neon_dots(dots);
  ck_fill_neon_books(dots);
  if (found & CK_ISA_NEON_I8MM) ck_fill_neon_i8mm(add_level("neon-i8mm", CK_ISA_NEON_I8MM));
}
#else
static void fill_architecture(void) {}
#endif

__attribute__((constructor)) static void fill_tables(void) {
  found = ck_detect();
  fill_portable();
  fill_architecture();
  ck_active_table = &levels[level_count - 1];
  const char *wanted = getenv("BANTAM_ISA");
  for (size_t i = 0; wanted && i < level_count; i++)
    if (strcmp(levels[i].name, wanted) == 0) ck_active_table = &levels[i];
}

uint32_t ck_isa(void) { return instructions_of[ck_active_table - levels]; }
size_t ck_table_count(void) { return level_count; }
const ck_table *ck_table_at(size_t index) { return index < level_count ? &levels[index] : NULL; }
