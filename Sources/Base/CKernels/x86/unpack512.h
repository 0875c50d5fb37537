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

// A book as tables: 16 bytes each of all levels, or of those for each value of the upper bits; the shifts, each in four bytes.
typedef struct {
  __m512i part[4], shifts;
  int shift_bits;
} book_tables;

// Levels with the bits of `flip` turned.
BODY book_tables tables_flipped(const ck_book *book, int bits, int flip) {
  book_tables tables = {.shift_bits = book->shift_bits};
  for (int i = 0; i < 4; i++) tables.part[i] = sixteen_levels(book->levels + i * (bits == 3 ? 4 : 16), flip);
  int32_t shifts;
  memcpy(&shifts, book->shifts, sizeof shifts);
  const __m128i four_times = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  tables.shifts = _mm512_broadcast_i32x4(_mm_shuffle_epi8(_mm_set1_epi32(shifts), four_times));
  return tables;
}

BODY book_tables tables_of(const ck_book *book, int bits) { return tables_flipped(book, bits, 0); }

BODY __m512i unpacked_line(const uint8_t *codes, int bits, int flip, const book_tables *tables, int line) {
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
BODY __m512i shifts_of(const book_tables *tables, const uint8_t *bytes) {
  __m512i magnitudes = _mm512_and_si512(
    _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes)), _mm512_set1_epi32(0x7F));
  return _mm512_permutexvar_epi32(
    _mm512_srl_epi32(magnitudes, _mm_cvtsi32_si128(7 - tables->shift_bits)), tables->shifts);
}

// The multiples of a group's rows.
BODY __m512 multiples_of(const book_tables *tables, const uint8_t *bytes) {
  __m512i byte = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes));
  __m512i magnitude = _mm512_and_si512(byte, _mm512_set1_epi32(0x7F >> tables->shift_bits));
  __mmask16 negative = _mm512_test_epi32_mask(byte, _mm512_set1_epi32(0x80));
  return _mm512_cvtepi32_ps(_mm512_mask_sub_epi32(magnitude, negative, _mm512_setzero_si512(), magnitude));
}

// Levels with their shifts; with 128 more where flip is 0x80. bits and flip are constants, and best halves, too.
BODY void unpack_flipped(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int flip, int halves,
  tile_levels *out) {
  for (int half = 0; half < halves; half++) {
    __m512i shift = shifts_of(tables, bytes + half * TILE_ROWS);
    for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
      __m512i levels = unpacked_line(codes, bits, flip, tables, line);
      _mm512_store_si512(out->line[line], bits < 8 ? _mm512_add_epi8(levels, shift) : levels);
    }
  }
}

BODY void unpack_tile(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int halves, tile_levels *out) {
  unpack_flipped(codes, bytes, tables, bits, 0, halves, out);
}
