// A tile of group quantization, sixteen rows side by side: lane r of every vector is row r of the tile, so no sum ever
// crosses lanes.
#ifndef CKERNELS_TILE_H
#define CKERNELS_TILE_H

#include "floats.h"

enum { TILE_ROWS = CK_TILE_ROWS, TILE_COLUMNS = CK_TILE_COLUMNS };

#define FOR_ROWS for (int r = 0; r < TILE_ROWS; r++)

// Bytes of the codes of a tile.
BODY size_t tile_bytes(int bits) { return (size_t)TILE_ROWS * TILE_COLUMNS * bits / 8; }

// The offset that makes codes unsigned.
BODY int code_offset(int bits) { return bits == 8 ? 128 : 8; }

// Columns of one line of codes, which is a word of four bytes for each row.
BODY int line_columns(int bits) { return bits == 8 ? 4 : 8; }

// Where the code of a column of a line starts in its word: at 4 bits the low nibbles are columns 0-3, the high ones
// 4-7.
BODY int code_shift(int column, int bits) { return bits == 8 ? 8 * column : column % 4 * 8 + column / 4 * 4; }

// How many of the columns from `first` on are in a tile.
BODY int tile_width(size_t first, size_t columns) {
  return columns - first < TILE_COLUMNS ? (int)(columns - first) : TILE_COLUMNS;
}

typedef uint32_t tile_lanes __attribute__((vector_size(64)));
typedef uint32_t group_codes __attribute__((vector_size(TILE_COLUMNS * 4)));
typedef uint8_t group_bytes __attribute__((vector_size(TILE_COLUMNS)));

// The low bytes of a group's codes.
BODY void write_codes(const uint32_t *code, int8_t *codes) {
  group_codes wide;
  memcpy(&wide, code, sizeof wide);
  group_bytes narrow = __builtin_convertvector(wide, group_bytes);
  memcpy(codes, &narrow, sizeof narrow);
}

// out[c][r] = in[r][c] for a square of 16: four rounds of interleaving halves. Strides count elements.
BODY void turn_square(const void *in, size_t in_stride, void *out, size_t out_stride) {
  tile_lanes line[TILE_ROWS], next[TILE_ROWS];
  FOR_ROWS memcpy(&line[r], (const uint32_t *)in + r * in_stride, sizeof *line);
  for (int round = 0; round < 4; round++) {
    for (int r = 0; r < TILE_ROWS / 2; r++) {
      next[2 * r] = __builtin_shufflevector(
        line[r], line[r + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * r + 1] = __builtin_shufflevector(
        line[r], line[r + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    FOR_ROWS line[r] = next[r];
  }
  FOR_ROWS memcpy((uint32_t *)out + r * out_stride, &line[r], sizeof *line);
}

#endif
