// Products of weights with learned levels with AVX2: the magnitude of a level goes in unsigned, its sign goes to the
// activation. Pairs are at most 128 x 127 x 2 = 32,512 and do not saturate.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "../bodies/tile.h"
#include "vector256.h"

enum { FLIP = 0 };

BODY __m256i add_products(__m256i sum, __m256i levels, __m256i activations) {
  __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(levels), _mm256_sign_epi8(activations, levels));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#include "half_books.h"

void ck_fill_avx2_books(ck_table *table) { table->book_tiles = book_tiles; }

#pragma clang attribute pop
#endif
