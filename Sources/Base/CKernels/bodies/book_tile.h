// A tile of codes with learned levels: codes to levels, bytes of scales to numbers. Format: formats/bantam.md, section 9.
#ifndef CKERNELS_BOOK_TILE_H
#define CKERNELS_BOOK_TILE_H

#include "tile.h"

enum { TILE_LINES = 8, LINE_BYTES = 64 };

// Levels of a tile with the shifts of their groups, as the codes of int8 lie: eight lines of 16 rows x 4 columns.
typedef struct {
  int8_t line[TILE_LINES][LINE_BYTES] __attribute__((aligned(64)));
} tile_levels;

// Groups side by side in a tile: one of 32 columns, or two of 16.
BODY int book_halves(const ck_book *book) { return TILE_COLUMNS / book->group; }

// The byte of a group: its sign, which shift, the magnitude.
BODY int32_t book_multiple(const ck_book *book, uint8_t byte) {
  int32_t magnitude = byte & (0x7F >> book->shift_bits);
  return byte & 0x80 ? -magnitude : magnitude;
}

BODY int32_t book_shift(const ck_book *book, uint8_t byte) {
  return book->shifts[(byte & 0x7F) >> (7 - book->shift_bits)];
}

// The multiples of one group of a tile.
BODY void book_multiples(const ck_book *book, const uint8_t *bytes, float *multiple) {
  FOR_ROWS multiple[r] = (float)book_multiple(book, bytes[r]);
}

// Bytes of the scales of a tile.
BODY size_t scale_bytes(const ck_book *book) { return (size_t)(book_halves(book) * TILE_ROWS); }

// The half of a tile that a line belongs to.
BODY int half_of_line(int line, int halves) { return halves == 1 ? 0 : line / (TILE_LINES / 2); }

// Rows of a stripe that lie in bf16.
BODY void book_row_scales(const uint16_t *stored, float *scale) {
  FOR_ROWS scale[r] = float_of_bits(widen_bf16(stored[r]));
}

// Where a group of the first row lies among the activations.
BODY size_t place_of(const ck_matmul *p, size_t group) {
  return p->run_offsets[group / p->run_groups] + group % p->run_groups;
}

// Tells the processor of what the next rows bring, whose stride hides it. Rows of a convolution overlap: theirs are in the cache.
BODY void fetch_rows_ahead(const ck_matmul *p, size_t at, int rows) {
  if (p->run_count > 1) return;
  for (int m = rows; m < 2 * rows; m++) __builtin_prefetch(p->activations + (at + m * p->row_stride) * TILE_COLUMNS);
}

// The sum of the activations that a group of weights meets.
BODY int32_t half_sum(const ck_matmul *p, size_t at, int halves, int half) {
  if (halves == 1) return p->activation_sums[at];
  int32_t first = p->activation_half_sums[at];
  return half ? p->activation_sums[at] - first : first;
}

// `bits` is a constant in each call, so that each width is compiled on its own.
#define FOR_BOOK_WIDTHS(BOOK, CALL) \
  switch ((BOOK)->bits) {           \
    case 3: CALL(3);                \
    case 4: CALL(4);                \
    case 5: CALL(5);                \
    case 6: CALL(6);                \
    default: CALL(8);               \
  }

#endif
