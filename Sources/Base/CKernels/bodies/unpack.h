// Levels of a tile in plain C. Units whose vectors can look up bytes have functions of their own.
#include "book_tile.h"

// The code of a place in a line: slices of four, two and one bits, as they make up the width.
BODY int sliced_code(const uint8_t *codes, int bits, int line, int place) {
  if (bits == 8) return codes[line * LINE_BYTES + place];
  int code = 0, width = 0;
  if (bits >= 4) {
    code = codes[line / 2 * LINE_BYTES + place] >> (line % 2 * 4) & 15;
    codes += 4 * LINE_BYTES;
    width = 4;
  }
  if (bits & 2) {
    code |= (codes[line / 4 * LINE_BYTES + place] >> (line % 4 * 2) & 3) << width;
    codes += 2 * LINE_BYTES;
    width += 2;
  }
  if (bits & 1) code |= (codes[line * 8 + place / 8] >> place % 8 & 1) << width;
  return code;
}

// What is worked out once for many tiles: nothing, in plain C.
typedef struct {
  const ck_book *book;
} book_tables;

BODY book_tables tables_of(const ck_book *book, int bits) { return (book_tables){book}; }

// Levels with their shifts, of codes and the bytes of groups. bits is a constant.
BODY void unpack_tile(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int halves, tile_levels *out) {
  const ck_book *book = tables->book;
  for (int line = 0; line < TILE_LINES; line++)
    for (int place = 0; place < LINE_BYTES; place++) {
      int code = sliced_code(codes, bits, line, place);
      int level = bits == 8 ? code - 128 : book->levels[code];
      int shift = book_shift(book, bytes[half_of_line(line, halves) * TILE_ROWS + place / 4]);
      out->line[line][place] = (int8_t)(level + shift);
    }
}
