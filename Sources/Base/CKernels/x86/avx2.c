// AVX2 with FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "lookup256.h"
#include "unpack256.h"

enum { PEAK_LANES = 8 };
#include "../bodies/recompiled.h"

enum { LANES = 8, VECTORS = 2, MOST_ROWS = 6 };
#include "../bodies/panel_product.h"

void ck_fill_avx2(ck_table *table) {
  fill_recompiled(table);
  table->panel_product = panel_product;
}

#pragma clang attribute pop
#endif
