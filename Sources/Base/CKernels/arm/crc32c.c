// CRC-32C by the instruction that processors of ARMv8 may have.
#if defined(__aarch64__)
#include <arm_acle.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("crc"))), apply_to = function)

BODY uint32_t crc_of_word(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
BODY uint32_t crc_of_byte(uint32_t crc, uint8_t byte) { return __crc32cb(crc, byte); }

#include "../bodies/crc32c_streams.h"

void ck_fill_arm_crc32c(ck_table *table) {
  make_shift_table();
  table->crc32c = crc32c;
}

#pragma clang attribute pop
#endif
