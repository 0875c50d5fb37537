// CRC-32C by tables, eight bytes at a time.
#include "../bodies/crc32c_polynomial.h"
#include "../fills.h"

// byte_table[n][value]: the sum of a byte and n zero bytes after it.
static uint32_t byte_table[8][256];

static void make_byte_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int k = 0; k < 8; k++) crc = times_x(crc);
    byte_table[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++)
      byte_table[t][i] = (byte_table[t - 1][i] >> 8) ^ byte_table[0][byte_table[t - 1][i] & 255];
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n) {
  crc = ~crc;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    word ^= crc;
    crc = byte_table[7][word & 255] ^ byte_table[6][(word >> 8) & 255] ^ byte_table[5][(word >> 16) & 255]
      ^ byte_table[4][(word >> 24) & 255] ^ byte_table[3][(word >> 32) & 255] ^ byte_table[2][(word >> 40) & 255]
      ^ byte_table[1][(word >> 48) & 255] ^ byte_table[0][word >> 56];
  }
  for (; n; n--, p++) crc = (crc >> 8) ^ byte_table[0][(crc ^ *p) & 255];
  return ~crc;
}

void ck_fill_portable_crc32c(ck_table *table) {
  make_byte_table();
  table->crc32c = crc32c;
}
