// The blocked product of f32 activations with f32 panels of weights. The unit has said before how many LANES a vector
// has, how many VECTORS lie side by side in a tile, and MOST_ROWS, the rows of a tile.
//
// A panel holds 32 outputs, input after input: panel[k][32]. Activations are read where they lie, rows apart by their
// stride, so that a convolution reads its padded input without unfolding it. The sum over a panel's depth starts at 0,
// is one chain of fused multiply-adds in ascending k, and is then the output, or added to it: the same bits for any cut into
// rows and panels, and errors that grow with a panel's depth and the number of panels, not with their product.
#include "common.h"
#include "row_pointers.h"

enum { COLUMNS = LANES * VECTORS };
typedef float activation;
typedef float vector __attribute__((ext_vector_type(LANES)));

BODY vector load(const float *from) {
  vector value;
  memcpy(&value, from, sizeof value);
  return value;
}

BODY void store(float *to, vector value) { memcpy(to, &value, sizeof value); }

BODY void tile(
  const float *a, size_t a_stride, const float *panel, size_t depth, float *c, size_t c_stride, size_t columns,
  int adds, int rows) {
  vector total[MOST_ROWS][VECTORS];
  _Pragma("unroll") for (int m = 0; m < rows; m++)
    _Pragma("unroll") for (int v = 0; v < VECTORS; v++) total[m][v] = 0;
  ROW_POINTERS(float, from, a, a_stride, rows);
  for (size_t k = 0; k < depth; k++, panel += CK_PANEL_COLUMNS) {
    vector weights[VECTORS];
    _Pragma("unroll") for (int v = 0; v < VECTORS; v++) weights[v] = load(panel + v * LANES);
    _Pragma("unroll") for (int m = 0; m < rows; m++) {
      vector value = *ROW(from, a_stride, m);
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++)
        total[m][v] = __builtin_elementwise_fma(value, weights[v], total[m][v]);
    }
    MOVE_ON(from, 1, rows)
  }
  if (columns >= COLUMNS) {
    _Pragma("unroll") for (int m = 0; m < rows; m++)
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {
        float *out = c + m * c_stride + v * LANES;
        store(out, adds ? load(out) + total[m][v] : total[m][v]);
      }
    return;
  }
  float edge[MOST_ROWS][COLUMNS];
  _Pragma("unroll") for (int m = 0; m < rows; m++)
    _Pragma("unroll") for (int v = 0; v < VECTORS; v++) store(edge[m] + v * LANES, total[m][v]);
  for (int m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) c[m * c_stride + n] = adds ? c[m * c_stride + n] + edge[m][n] : edge[m][n];
}

#include "row_sweep.h"

static void panel_product(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns, int adds) {
  for (size_t n = 0; n < columns; n += COLUMNS)
    sweep_rows(a, a_stride, rows, panel + n, depth, c + n, c_stride, columns - n < COLUMNS ? columns - n : COLUMNS,
      adds);
}
