// Plain C, for any processor.
enum { PEAK_LANES = 4 };
#include "../bodies/recompiled.h"
#include "../fills.h"

static void panel_product(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns, int adds) {
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      float total = 0;
      for (size_t k = 0; k < depth; k++)
        total = __builtin_fmaf(a[m * a_stride + k], panel[k * CK_PANEL_COLUMNS + n], total);
      c[m * c_stride + n] = adds ? c[m * c_stride + n] + total : total;
    }
}

void ck_fill_portable(ck_table *table) {
  fill_recompiled(table);
  table->panel_product = panel_product;
}
