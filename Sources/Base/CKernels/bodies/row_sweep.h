// All rows of a product, as many at a time as fit into registers. The unit has said before what `activation` is, the
// type of both operands, has MOST_ROWS, at most 12, and tile(a, a_stride, panel, depth, c, c_stride, columns, adds, rows), in
// which rows is a constant.
//
// A function of its own: inlined, it would be there once more for whole panels.
__attribute__((noinline)) static void sweep_rows(
  const activation *a, size_t a_stride, size_t rows, const activation *panel, size_t depth, float *c, size_t c_stride,
  size_t columns, int adds) {
  for (; rows >= MOST_ROWS; rows -= MOST_ROWS, a += MOST_ROWS * a_stride, c += MOST_ROWS * c_stride)
    tile(a, a_stride, panel, depth, c, c_stride, columns, adds, MOST_ROWS);
#define REST(N) \
  case N: if (N < MOST_ROWS) tile(a, a_stride, panel, depth, c, c_stride, columns, adds, N); break;
  switch (rows) { REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10) REST(11) }
#undef REST
}
