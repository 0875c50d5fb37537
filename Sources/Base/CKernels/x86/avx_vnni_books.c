// Products of weights with learned levels with the dot instruction of processors that have it without AVX-512: levels plus
// 128 are the unsigned operand.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#include "../bodies/tile.h"
#include "vector256.h"

enum { FLIP = 0x80 };

BODY __m256i add_products(__m256i sum, __m256i levels, __m256i activations) {
  return _mm256_dpbusd_avx_epi32(sum, levels, activations);
}

#include "half_books.h"

void ck_fill_avx_vnni_books(ck_table *table) { table->book_tiles = book_tiles; }

#pragma clang attribute pop
#endif
