// CRC-32C by a processor's instruction, which has a latency of three cycles and a throughput of one: three streams side
// by side keep it busy. The unit has said before what crc_of_word(crc, word) and crc_of_byte(crc, byte) are.
#include "crc32c_polynomial.h"

// Bytes of each stream.
enum { STREAM = 4096 };

// shift_table[s][byte][value]: advances a sum, byte by byte, over s + 1 streams of zero bytes.
static uint32_t shift_table[2][4][256];

static uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000u; bit; bit >>= 1) {
    if (a & bit) product ^= b;
    b = times_x(b);
  }
  return product;
}

static uint32_t power_of_x(uint64_t exponent) {
  uint32_t base = 0x40000000u, result = 0x80000000u;  // x and 1
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

static void make_shift_table(void) {
  for (int s = 0; s < 2; s++) {
    uint32_t factor = power_of_x((uint64_t)8 * STREAM * (s + 1));
    for (int byte = 0; byte < 4; byte++)
      for (uint32_t i = 0; i < 256; i++) shift_table[s][byte][i] = multiply(factor, i << (8 * byte));
  }
}

static uint32_t shift(int s, uint32_t crc) {
  return shift_table[s][0][crc & 255] ^ shift_table[s][1][(crc >> 8) & 255] ^ shift_table[s][2][(crc >> 16) & 255]
    ^ shift_table[s][3][crc >> 24];
}

BODY uint64_t word_at(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n) {
  crc = ~crc;
  for (; n >= 3 * STREAM; n -= 3 * STREAM, p += 3 * STREAM) {
    uint32_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < STREAM; i += 8) {
      a = crc_of_word(a, word_at(p + i));
      b = crc_of_word(b, word_at(p + STREAM + i));
      c = crc_of_word(c, word_at(p + 2 * STREAM + i));
    }
    crc = shift(1, a) ^ shift(0, b) ^ c;
  }
  for (; n >= 8; n -= 8, p += 8) crc = crc_of_word(crc, word_at(p));
  for (; n; n--, p++) crc = crc_of_byte(crc, *p);
  return ~crc;
}
