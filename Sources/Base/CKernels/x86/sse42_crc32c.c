// CRC-32C by SSE 4.2's instruction.
#if defined(__x86_64__)
#include <nmmintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("sse4.2"))), apply_to = function)

BODY uint32_t crc_of_word(uint32_t crc, uint64_t word) { return (uint32_t)_mm_crc32_u64(crc, word); }
BODY uint32_t crc_of_byte(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }

#include "../bodies/crc32c_streams.h"

void ck_fill_sse42_crc32c(ck_table *table) {
  make_shift_table();
  table->crc32c = crc32c;
}

#pragma clang attribute pop
#endif
