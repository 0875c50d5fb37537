// Levels of a tile by lookups of bytes in vectors of 512 bits. A slice of one bit is a mask as it lies.
#define HAS_UNPACK
#include "../bodies/book_tile.h"

BODY __m512i sixteen_levels(const int8_t *levels, int flip) {
  __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)levels), _mm_set1_epi8((char)flip));
  return _mm512_broadcast_i32x4(table);
}

// The lower bits of the codes of a line.
BODY __m512i lower_bits(const uint8_t *codes, int bits, int line) {
  if (bits == 3) {
    __m512i bytes = _mm512_loadu_si512(codes + line / 4 * LINE_BYTES);
    return _mm512_and_si512(_mm512_srli_epi16(bytes, line % 4 * 2), _mm512_set1_epi8(3));
  }
  __m512i bytes = _mm512_loadu_si512(codes + line / 2 * LINE_BYTES);
  return _mm512_and_si512(_mm512_srli_epi16(bytes, line % 2 * 4), _mm512_set1_epi8(15));
}

// A book as tables of 16 bytes: one of all levels, or one for each value of the upper bits.
typedef struct {
  __m512i part[4];
} level_tables;

BODY level_tables tables_of(const ck_book *book, int bits, int flip) {
  int step = bits == 3 ? 4 : 16;
  level_tables tables;
  for (int i = 0; i < 4; i++) tables.part[i] = sixteen_levels(book->levels + i * step, flip);
  return tables;
}

BODY __m512i unpacked_line(const uint8_t *codes, int bits, int flip, const level_tables *tables, int line) {
  if (bits == 8)
    return _mm512_xor_si512(
      _mm512_loadu_si512(codes + line * LINE_BYTES), _mm512_set1_epi8((char)(0x80 ^ flip)));
  __m512i index = lower_bits(codes, bits, line), levels = _mm512_shuffle_epi8(tables->part[0], index);
  if (bits == 4) return levels;
  if (bits == 6) {
    __m512i pairs = _mm512_loadu_si512(codes + (4 + line / 4) * LINE_BYTES);
    __mmask64 lower = _mm512_test_epi8_mask(pairs, _mm512_set1_epi8((char)(1 << line % 4 * 2)));
    __mmask64 upper = _mm512_test_epi8_mask(pairs, _mm512_set1_epi8((char)(2 << line % 4 * 2)));
    levels = _mm512_mask_shuffle_epi8(levels, lower, tables->part[1], index);
    __m512i above = _mm512_shuffle_epi8(tables->part[2], index);
    above = _mm512_mask_shuffle_epi8(above, lower, tables->part[3], index);
    return _mm512_mask_blend_epi8(upper, levels, above);
  }
  uint64_t upper;
  memcpy(&upper, codes + (bits - 1) * LINE_BYTES + line * 8, sizeof upper);
  return _mm512_mask_shuffle_epi8(levels, upper, tables->part[1], index);
}

// The shifts of a group's rows, each in four bytes. At 8 bits there are none.
BODY __m512i shifts_of(const ck_book *book, const uint8_t *bytes) {
  int32_t shift[16] = {0};
  for (int i = 0; i < 4; i++) shift[i] = (uint8_t)book->shifts[i] * 0x01010101;
  __m512i magnitudes = _mm512_and_si512(
    _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes)), _mm512_set1_epi32(0x7F));
  return _mm512_permutexvar_epi32(
    _mm512_srl_epi32(magnitudes, _mm_cvtsi32_si128(7 - book->shift_bits)), _mm512_loadu_si512(shift));
}

// The multiples of a group's rows.
BODY __m512 multiples_of(const ck_book *book, const uint8_t *bytes) {
  __m512i byte = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes));
  __m512i magnitude = _mm512_and_si512(byte, _mm512_set1_epi32(0x7F >> book->shift_bits));
  __mmask16 negative = _mm512_test_epi32_mask(byte, _mm512_set1_epi32(0x80));
  return _mm512_cvtepi32_ps(_mm512_mask_sub_epi32(magnitude, negative, _mm512_setzero_si512(), magnitude));
}

// Levels with their shifts; with 128 more where flip is 0x80.
BODY void unpack_flipped(
  const uint8_t *codes, const uint8_t *bytes, const ck_book *book, int bits, int flip, tile_levels *out) {
  level_tables tables = tables_of(book, bits, flip);
  __m512i shift[2];
  for (int half = 0; half < book_halves(book); half++) shift[half] = shifts_of(book, bytes + half * TILE_ROWS);
  for (int line = 0; line < TILE_LINES; line++) {
    __m512i levels = unpacked_line(codes, bits, flip, &tables, line);
    if (bits < 8) levels = _mm512_add_epi8(levels, shift[half_of_line(line, book_halves(book))]);
    _mm512_store_si512(out->line[line], levels);
  }
}

BODY void unpack_tile(const uint8_t *codes, const uint8_t *bytes, const ck_book *book, int bits, tile_levels *out) {
  unpack_flipped(codes, bytes, book, bits, 0, out);
}
