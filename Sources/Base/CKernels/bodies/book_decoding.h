// Decoding stripes with learned levels, to rows and to panels.
#ifndef HAS_UNPACK
#include "unpack.h"
#endif

// The values of one tile, column by column, as the lines lie.
BODY void decode_book_tile(
  const uint8_t *codes, const uint8_t *scales, const float *row, const ck_book *book, const book_tables *tables, int bits,
  float value[TILE_COLUMNS][TILE_ROWS]) {
  tile_levels levels;
  unpack_tile(codes, scales, tables, bits, book_halves(book), &levels);
  for (int half = 0; half < book_halves(book); half++) {
    float multiple[TILE_ROWS];
    book_multiples(book, scales + half * TILE_ROWS, multiple);
    int first = half * book->group / 4;
    for (int line = first; line < first + book->group / 4; line++) {
      uint32_t word[TILE_ROWS];
      memcpy(word, levels.line[line], sizeof word);
      for (int k = 0; k < 4; k++) FOR_ROWS {
        int32_t level = (int32_t)(word[r] << (24 - 8 * k)) >> 24;
        // The product is an integer: of zeros there is one.
        value[line * 4 + k][r] = row[r] * (multiple[r] * (float)level + 0.0f);
      }
    }
  }
}

BODY void decode_book_rows(
  const ck_book_stripe *stripe, const ck_book *book, int bits, size_t rows, size_t columns, float *out,
  size_t row_stride) {
  const uint8_t *codes = stripe->codes, *scales = stripe->scales;
  float row[TILE_ROWS];
  book_row_scales(stripe->row_scales, row);
  book_tables tables = tables_of(book, bits);
  for (size_t first = 0; first < columns; first += TILE_COLUMNS) {
    size_t width = (size_t)tile_width(first, columns);
    float value[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
    float plain[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
    decode_book_tile(codes, scales, row, book, &tables, bits, value);
    turn_square(value[0], TILE_ROWS, plain[0], TILE_COLUMNS);
    turn_square(value[16], TILE_ROWS, &plain[0][16], TILE_COLUMNS);
    for (size_t r = 0; r < rows; r++) memcpy(out + r * row_stride + first, plain[r], width * sizeof(float));
    codes += tile_bytes(bits);
    scales += scale_bytes(book);
  }
}

// The columns of a tile are what a panel holds: nothing turns.
BODY void decode_book_columns(
  const ck_book_stripe *stripe, const ck_book *book, int bits, size_t columns, float *panel) {
  const uint8_t *codes = stripe->codes, *scales = stripe->scales;
  float row[TILE_ROWS];
  book_row_scales(stripe->row_scales, row);
  book_tables tables = tables_of(book, bits);
  for (size_t first = 0; first < columns; first += TILE_COLUMNS) {
    int width = tile_width(first, columns);
    float value[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
    decode_book_tile(codes, scales, row, book, &tables, bits, value);
    for (int c = 0; c < width; c++) memcpy(panel + (first + c) * CK_PANEL_COLUMNS, value[c], sizeof value[c]);
    codes += tile_bytes(bits);
    scales += scale_bytes(book);
  }
}

static void decode_book_stripe(
  const ck_book_stripe *stripe, const ck_book *book, size_t rows, size_t columns, float *out, size_t row_stride) {
#define ROWS(BITS) decode_book_rows(stripe, book, BITS, rows, columns, out, row_stride); break
  FOR_BOOK_WIDTHS(book, ROWS)
#undef ROWS
}

static void decode_book_panel(const ck_book_stripe *stripe, const ck_book *book, size_t columns, float *panel) {
#define COLUMNS(BITS) decode_book_columns(stripe, book, BITS, columns, panel); break
  FOR_BOOK_WIDTHS(book, COLUMNS)
#undef COLUMNS
}
