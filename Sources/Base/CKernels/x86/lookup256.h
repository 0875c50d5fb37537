// Lookups of floats in vectors of 256 bits.
#define HAS_LOOKUP
#include "../bodies/lookup.h"

// Eight elements of a table of 16: the lower three bits of an index look up in both halves, the fourth chooses.
BODY __m256 lookup_half(const float *table, __m256i index) {
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

// Elements of a table of 16 or 32.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  __m256i part[2];
  __m256 found[2];
  float_lanes out;
  memcpy(part, &index, sizeof part);
  for (int half = 0; half < 2; half++) {
    found[half] = lookup_half(table, part[half]);
    if (size == 32)
      found[half] = _mm256_blendv_ps(
        found[half], lookup_half(table + 16, part[half]), _mm256_castsi256_ps(_mm256_slli_epi32(part[half], 27)));
  }
  memcpy(&out, found, sizeof out);
  return out;
}
