#include <string.h>

#include "ckernels.h"
#include "isa.h"

#define POLYNOMIAL 0x82F63B78u
// Bytes of each of the three streams that run side by side.
#define STREAM 4096

static uint32_t byte_table[8][256];
static uint32_t shift_table[2][4][256];  // advance a sum over STREAM and 2 x STREAM zero bytes

static uint32_t multiply_mod(uint32_t a, uint32_t b) {  // product of two polynomials, reflected
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000u; bit; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b & 1) ? (b >> 1) ^ POLYNOMIAL : b >> 1;
  }
  return product;
}

static uint32_t power_of_x(uint64_t exponent) {
  uint32_t base = 0x40000000u, result = 0x80000000u;  // x and 1
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = multiply_mod(result, base);
    base = multiply_mod(base, base);
  }
  return result;
}

__attribute__((constructor)) static void make_tables(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ POLYNOMIAL : c >> 1;
    byte_table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++)
      byte_table[t][i] = (byte_table[t - 1][i] >> 8) ^ byte_table[0][byte_table[t - 1][i] & 255];
  for (int s = 0; s < 2; s++) {
    uint32_t factor = power_of_x((uint64_t)8 * STREAM * (s + 1));
    for (int byte = 0; byte < 4; byte++)
      for (uint32_t i = 0; i < 256; i++) shift_table[s][byte][i] = multiply_mod(factor, i << (8 * byte));
  }
}

uint32_t ck_crc32c_scalar(uint32_t crc, const uint8_t *p, size_t n) {
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

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC8(c, w) ((uint32_t)_mm_crc32_u64((c), (w)))
#define CRC1(c, b) _mm_crc32_u8((c), (b))
#elif defined(__aarch64__)
#include <arm_acle.h>
#define CRC_TARGET __attribute__((target("crc")))
#define CRC8(c, w) __crc32cd((c), (w))
#define CRC1(c, b) __crc32cb((c), (b))
#endif

#ifdef CRC_TARGET
static uint32_t shift(int s, uint32_t crc) {
  return shift_table[s][0][crc & 255] ^ shift_table[s][1][(crc >> 8) & 255] ^ shift_table[s][2][(crc >> 16) & 255]
    ^ shift_table[s][3][crc >> 24];
}

// The instruction has a latency of three cycles and a throughput of one: three streams keep it busy.
CRC_TARGET static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p, size_t n) {
  crc = ~crc;
  while (n >= 3 * STREAM) {
    uint32_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < STREAM; i += 8) {
      uint64_t x, y, z;
      memcpy(&x, p + i, 8);
      memcpy(&y, p + STREAM + i, 8);
      memcpy(&z, p + 2 * STREAM + i, 8);
      a = CRC8(a, x);
      b = CRC8(b, y);
      c = CRC8(c, z);
    }
    crc = shift(1, a) ^ shift(0, b) ^ c;
    p += 3 * STREAM;
    n -= 3 * STREAM;
  }
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    crc = CRC8(crc, word);
  }
  for (; n; n--, p++) crc = CRC1(crc, *p);
  return ~crc;
}
#endif

uint32_t ck_crc32c(uint32_t crc, const uint8_t *data, size_t byte_count) {
#ifdef CRC_TARGET
  if (ck_isa() & CK_ISA_CRC32C) return crc32c_hardware(crc, data, byte_count);
#endif
  return ck_crc32c_scalar(crc, data, byte_count);
}
