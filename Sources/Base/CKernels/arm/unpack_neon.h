// Levels of a tile by lookups of bytes in vectors of NEON.
#define HAS_UNPACK
#include "../bodies/book_tile.h"

// A vector is a quarter of a line: four rows x four columns.
enum { QUARTERS = 4, QUARTER_BYTES = LINE_BYTES / QUARTERS };

// The bits of a quarter of a line, each the lowest of its byte, below bits that mean nothing.
BODY uint8x16_t spread_bits(const uint8_t *line_bits, int quarter) {
  const uint8x16_t bytes = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  const int8x16_t places = {0, -1, -2, -3, -4, -5, -6, -7, 0, -1, -2, -3, -4, -5, -6, -7};
  uint8x16_t line = vcombine_u8(vld1_u8(line_bits), vdup_n_u8(0));
  return vshlq_u8(vqtbl1q_u8(line, vaddq_u8(bytes, vdupq_n_u8((uint8_t)(quarter * 2)))), places);
}

// Codes of fewer than 8 bits: a slice of four or two, at 6 bits a slice of two above it, at 3 and 5 bits one of one.
BODY uint8x16_t sliced_codes(const uint8_t *codes, int bits, int line, int quarter) {
  int sharing = bits == 3 ? 4 : 2, width = bits == 3 ? 2 : 4;
  uint8x16_t bytes = vld1q_u8(codes + line / sharing * LINE_BYTES + quarter * QUARTER_BYTES);
  // A shift to the left by less than nothing is one to the right; where the line is a constant, so is the shift.
  uint8x16_t code = vshlq_u8(bytes, vdupq_n_s8((int8_t)(-(line % sharing) * width)));
  if (bits % 2) {
    uint8x16_t upper = spread_bits(codes + (bits - 1) * LINE_BYTES + line * 8, quarter);
    code = bits == 3 ? vsliq_n_u8(code, upper, 2) : vsliq_n_u8(code, upper, 4);
  }
  if (bits == 6) {
    uint8x16_t pairs = vld1q_u8(codes + (4 + line / 4) * LINE_BYTES + quarter * QUARTER_BYTES);
    code = vsliq_n_u8(code, vshlq_u8(pairs, vdupq_n_s8((int8_t)(-(line % 4) * 2))), 4);
  }
  return vandq_u8(code, vdupq_n_u8((uint8_t)((1 << bits) - 1)));
}

// A book of at most 6 bits.
typedef struct {
  int8x16x4_t levels;
  const ck_book *book;
} book_tables;

BODY book_tables tables_of(const ck_book *book, int bits) {
  book_tables tables = {.book = book};
  for (int i = 0; i < 4; i++) tables.levels.val[i] = vld1q_s8(book->levels + i * 16);
  return tables;
}

BODY int8x16_t unpacked_quarter(const uint8_t *codes, int bits, const book_tables *tables, int line, int quarter) {
  if (bits == 8) {
    // Taking off the offset of 128 turns the upper bit.
    uint8x16_t bytes = vld1q_u8(codes + line * LINE_BYTES + quarter * QUARTER_BYTES);
    return vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)));
  }
  uint8x16_t code = sliced_codes(codes, bits, line, quarter);
  if (bits == 6) return vqtbl4q_s8(tables->levels, code);
  return bits == 5 ? vqtbl2q_s8((int8x16x2_t){{tables->levels.val[0], tables->levels.val[1]}}, code)
                   : vqtbl1q_s8(tables->levels.val[0], code);
}

// The shifts of a group's rows, each in four bytes. At 8 bits there are none.
BODY int8x16x4_t shifts_of(const ck_book *book, const uint8_t *bytes) {
  int32_t shifts;
  memcpy(&shifts, book->shifts, sizeof shifts);
  uint8x16_t magnitudes = vandq_u8(vld1q_u8(bytes), vdupq_n_u8(0x7F));
  uint8x16_t index = vshlq_u8(magnitudes, vdupq_n_s8((int8_t)(book->shift_bits - 7)));
  int8x16_t shift = vqtbl1q_s8(vreinterpretq_s8_s32(vdupq_n_s32(shifts)), index);
  int8x16x4_t out;
  for (int half = 0; half < 2; half++) {
    int16x8_t twice = vreinterpretq_s16_s8(half ? vzip2q_s8(shift, shift) : vzip1q_s8(shift, shift));
    out.val[half * 2] = vreinterpretq_s8_s16(vzip1q_s16(twice, twice));
    out.val[half * 2 + 1] = vreinterpretq_s8_s16(vzip2q_s16(twice, twice));
  }
  return out;
}

// The multiples of a group's rows: they fit into a byte with its sign.
BODY float32x4x4_t multiples_of(const ck_book *book, const uint8_t *bytes) {
  int8x16_t byte = vreinterpretq_s8_u8(vld1q_u8(bytes));
  int8x16_t magnitude = vandq_s8(byte, vdupq_n_s8((int8_t)(0x7F >> book->shift_bits)));
  int8x16_t sign = vshrq_n_s8(byte, 7);
  int8x16_t multiple = vsubq_s8(veorq_s8(magnitude, sign), sign);
  float32x4x4_t out;
  for (int half = 0; half < 2; half++) {
    int16x8_t wide = half ? vmovl_high_s8(multiple) : vmovl_s8(vget_low_s8(multiple));
    out.val[half * 2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
    out.val[half * 2 + 1] = vcvtq_f32_s32(vmovl_high_s16(wide));
  }
  return out;
}

// Levels with their shifts.
BODY void unpack_tile(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int halves, tile_levels *out) {
  int8x16x4_t shift[2];
  for (int half = 0; half < halves; half++) shift[half] = shifts_of(tables->book, bytes + half * TILE_ROWS);
  for (int line = 0; line < TILE_LINES; line++)
    for (int quarter = 0; quarter < QUARTERS; quarter++) {
      int8x16_t levels = unpacked_quarter(codes, bits, tables, line, quarter);
      if (bits < 8) levels = vaddq_s8(levels, shift[half_of_line(line, halves)].val[quarter]);
      vst1q_s8(out->line[line] + quarter * QUARTER_BYTES, levels);
    }
}
