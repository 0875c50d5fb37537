// Packing one by one: of everything, or of what a processor's own way of turning blocks leaves over.
#ifndef CKERNELS_LEFTOVER_PACKING_H
#define CKERNELS_LEFTOVER_PACKING_H

#include "floats.h"

// Inputs [first, depth) of every row.
BODY void pack_rows_from(
  size_t first, float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  for (size_t n = 0; n < CK_PANEL_COLUMNS; n++)
    for (size_t k = first; k < depth; k++)
      panel[k * CK_PANEL_COLUMNS + n] = n < columns ? float_of_bits(element_bits(b, dtype, n * stride + k)) : 0;
}

// Inputs [first, depth) of every row, `first` even, and the filler after an odd depth.
BODY void pack_pairs_from(
  size_t first, uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  for (size_t k = first; k < depth + depth % 2; k++)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n++)
      panel[(k / 2 * CK_PANEL_COLUMNS + n) * 2 + k % 2] = n < columns && k < depth ? b[n * stride + k] : 0;
}

#endif
