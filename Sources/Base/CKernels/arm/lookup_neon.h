// Lookups of floats in vectors of NEON, which look up bytes.
#define HAS_LOOKUP
#include "../bodies/lookup.h"

// Sixteen floats as bytes.
BODY uint8x16x4_t float_bytes(const float *table) {
  uint8x16x4_t bytes;
  memcpy(&bytes, table, sizeof bytes);
  return bytes;
}

// Elements of a table of 16, 32 or 64.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  if (size == 64) return chosen(index, 32, lookup(table, 32, index & 31), lookup(table + 32, 32, index & 31));
  // The four bytes of element i are 4 i, 4 i + 1, ... of the table.
  int_lanes places = index * 0x04040404 + 0x03020100;
  uint8x16_t place[4], found[4];
  memcpy(place, &places, sizeof place);
  for (int i = 0; i < 4; i++) {
    found[i] = vqtbl4q_u8(float_bytes(table), place[i]);
    // Places that are in the other half lie beyond a table of 64 bytes, and keep what they have.
    if (size == 32) found[i] = vqtbx4q_u8(found[i], float_bytes(table + 16), vsubq_u8(place[i], vdupq_n_u8(64)));
  }
  float_lanes out;
  memcpy(&out, found, sizeof out);
  return out;
}
