// Levels of a tile by lookups of bytes in vectors of 256 bits.
#define HAS_UNPACK
#include "../bodies/book_tile.h"

BODY __m256i sixteen_levels(const int8_t *levels, int flip) {
  __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)levels), _mm_set1_epi8((char)flip));
  return _mm256_broadcastsi128_si256(table);
}

// Each of 32 bits as a byte, all ones or zeros.
BODY __m256i spread_bits(const uint8_t *bits) {
  int32_t word;
  memcpy(&word, bits, sizeof word);
  const __m256i bytes = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i single = _mm256_set1_epi64x((long long)0x8040201008040201);
  __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(word), bytes);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, single), single);
}

// A book as tables: 16 bytes each of all levels, or of those for each value of the upper bits; the shifts, each in four bytes.
typedef struct {
  __m256i part[4], shifts;
  int shift_bits;
} book_tables;

// Levels with the bits of `flip` turned.
BODY book_tables tables_flipped(const ck_book *book, int bits, int flip) {
  book_tables tables = {.shift_bits = book->shift_bits};
  for (int i = 0; i < 4; i++) tables.part[i] = sixteen_levels(book->levels + i * (bits == 3 ? 4 : 16), flip);
  int32_t shifts;
  memcpy(&shifts, book->shifts, sizeof shifts);
  const __m128i four_times = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  tables.shifts = _mm256_broadcastsi128_si256(_mm_shuffle_epi8(_mm_set1_epi32(shifts), four_times));
  return tables;
}

BODY book_tables tables_of(const ck_book *book, int bits) { return tables_flipped(book, bits, 0); }

// Half a line: eight rows x four columns.
BODY __m256i unpacked_half(
  const uint8_t *codes, int bits, int flip, const book_tables *tables, int line, int half) {
  if (bits == 8)
    return _mm256_xor_si256(
      _mm256_loadu_si256((const __m256i *)(codes + line * LINE_BYTES + half * 32)),
      _mm256_set1_epi8((char)(0x80 ^ flip)));
  int sharing = bits == 3 ? 4 : 2, width = bits == 3 ? 2 : 4;
  __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + line / sharing * LINE_BYTES + half * 32));
  __m256i index = _mm256_and_si256(
    _mm256_srli_epi16(bytes, line % sharing * width), _mm256_set1_epi8((char)((1 << width) - 1)));
  __m256i levels = _mm256_shuffle_epi8(tables->part[0], index);
  if (bits == 4) return levels;
  __m256i others = _mm256_shuffle_epi8(tables->part[1], index);
  if (bits == 6) {
    // A bit is shifted to the top of its byte, by which a blend chooses.
    __m256i pairs = _mm256_loadu_si256((const __m256i *)(codes + (4 + line / 4) * LINE_BYTES + half * 32));
    __m256i lower = _mm256_slli_epi16(pairs, 7 - line % 4 * 2), upper = _mm256_slli_epi16(pairs, 6 - line % 4 * 2);
    __m256i above = _mm256_blendv_epi8(
      _mm256_shuffle_epi8(tables->part[2], index), _mm256_shuffle_epi8(tables->part[3], index), lower);
    return _mm256_blendv_epi8(_mm256_blendv_epi8(levels, others, lower), above, upper);
  }
  return _mm256_blendv_epi8(levels, others, spread_bits(codes + (bits - 1) * LINE_BYTES + line * 8 + half * 4));
}

// The shifts of eight rows of a group, each in four bytes. At 8 bits there are none.
BODY __m256i shifts_of(const book_tables *tables, const uint8_t *bytes) {
  __m256i magnitudes = _mm256_and_si256(
    _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)), _mm256_set1_epi32(0x7F));
  return _mm256_permutevar8x32_epi32(
    tables->shifts, _mm256_srl_epi32(magnitudes, _mm_cvtsi32_si128(7 - tables->shift_bits)));
}

// The multiples of eight rows of a group.
BODY __m256 multiples_of(const book_tables *tables, const uint8_t *bytes) {
  __m256i byte = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
  __m256i magnitude = _mm256_and_si256(byte, _mm256_set1_epi32(0x7F >> tables->shift_bits));
  // The sign of the byte, in a number that is not zero.
  __m256i sign = _mm256_or_si256(_mm256_srai_epi32(_mm256_slli_epi32(byte, 24), 31), _mm256_set1_epi32(1));
  return _mm256_cvtepi32_ps(_mm256_sign_epi32(magnitude, sign));
}

// Levels with their shifts; with 128 more where flip is 0x80. bits and flip are constants, and best halves, too.
BODY void unpack_flipped(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int flip, int halves,
  tile_levels *out) {
  for (int half = 0; half < halves; half++)
    for (int i = 0; i < 2; i++) {
      __m256i shift = shifts_of(tables, bytes + half * TILE_ROWS + i * 8);
      for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
        __m256i levels = unpacked_half(codes, bits, flip, tables, line, i);
        _mm256_store_si256(
          (__m256i *)&out->line[line][i * 32], bits < 8 ? _mm256_add_epi8(levels, shift) : levels);
      }
    }
}

BODY void unpack_tile(
  const uint8_t *codes, const uint8_t *bytes, const book_tables *tables, int bits, int halves, tile_levels *out) {
  unpack_flipped(codes, bytes, tables, bits, 0, halves, out);
}
