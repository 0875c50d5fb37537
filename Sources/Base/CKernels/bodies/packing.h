// Packing matrices into panels.
#include "leftover_packing.h"

static void pack_rows(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  pack_rows_from(0, panel, b, dtype, stride, columns, depth);
}

static void pack_columns(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  for (size_t k = 0; k < depth; k++) {
    if (columns == CK_PANEL_COLUMNS) {
      memcpy(panel + k * CK_PANEL_COLUMNS, b + k * stride, CK_PANEL_COLUMNS * sizeof(float));
      continue;
    }
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n++) panel[k * CK_PANEL_COLUMNS + n] = n < columns ? b[k * stride + n] : 0;
  }
}

static void pack_pairs(uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  pack_pairs_from(0, panel, b, stride, columns, depth);
}

static void pair_rows(uint16_t *out, const float *even, const float *odd, size_t count) {
  uint32_t *pairs = (uint32_t *)out;
  for (size_t n = 0; n < count; n++)
    pairs[n] = narrow_bf16(bits_of_float(even[n])) | (uint32_t)narrow_bf16(bits_of_float(odd[n])) << 16;
}
