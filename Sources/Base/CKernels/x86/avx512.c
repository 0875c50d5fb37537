// AVX-512 F, BW, VL and DQ, what the compiler makes of it.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c"))), apply_to = function)

#include "lookup512.h"
#include "unpack512.h"

enum { PEAK_LANES = 16 };
#include "../bodies/recompiled.h"

enum { LANES = 16, VECTORS = 2, MOST_ROWS = 12 };
#include "../bodies/panel_product.h"

void ck_fill_avx512(ck_table *table) {
  fill_recompiled(table);
  table->panel_product = panel_product;
}

#pragma clang attribute pop
#endif
