// Lookups of floats in vectors of 256 bits.
#define HAS_LOOKUP
#include "../bodies/lookup.h"

// Eight elements of a table of 16: the lower three bits of an index look up in both halves, the fourth chooses.
BODY __m256 lookup_half(const float *table, __m256i index) {
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

// Sixteen elements of a table of 16.
BODY float_lanes lookup_16(const float *table, int_lanes index) {
  __m256i part[2];
  __m256 found[2];
  float_lanes out;
  memcpy(part, &index, sizeof part);
  for (int half = 0; half < 2; half++) found[half] = lookup_half(table, part[half]);
  memcpy(&out, found, sizeof out);
  return out;
}

BODY float_lanes lookup_32(const float *table, int_lanes index) {
  return chosen(index, 16, lookup_16(table, index), lookup_16(table + 16, index));
}

// Elements of a table of 16, 32 or 64.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  if (size == 16) return lookup_16(table, index);
  if (size == 32) return lookup_32(table, index);
  return chosen(index, 32, lookup_32(table, index), lookup_32(table + 32, index));
}
