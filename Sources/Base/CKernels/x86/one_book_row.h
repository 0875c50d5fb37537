// One row times weights with learned levels, tile after tile. A unit that includes this has defined
//
//   BODY void one_book_row(const ck_matmul *p, size_t tile, int tiles, int bits, int halves);
//
// for `tiles` tiles side by side. Each width is a function of its own: together they would be too large to be compiled well.
#define ONE_ROW(BITS)                                                                                       \
  __attribute__((noinline)) static void one_book_row_##BITS(const ck_matmul *p, size_t tile, int is_four) { \
    if (p->book->group == 32) {                                                                             \
      if (is_four) one_book_row(p, tile, 4, BITS, 1);                                                       \
      else one_book_row(p, tile, 1, BITS, 1);                                                               \
    } else {                                                                                                \
      if (is_four) one_book_row(p, tile, 4, BITS, 2);                                                       \
      else one_book_row(p, tile, 1, BITS, 2);                                                               \
    }                                                                                                       \
  }
ONE_ROW(3)
ONE_ROW(4)
ONE_ROW(5)
ONE_ROW(6)
ONE_ROW(8)
#undef ONE_ROW

BODY void tiles_of_one_row(
  const ck_matmul *p, size_t tile, size_t last, void (*row)(const ck_matmul *p, size_t tile, int is_four)) {
  for (; tile + 4 <= last; tile += 4) row(p, tile, 1);
  for (; tile < last; tile++) row(p, tile, 0);
}
