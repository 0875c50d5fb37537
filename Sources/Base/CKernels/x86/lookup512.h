// Lookups of floats in vectors of 512 bits.
#define HAS_LOOKUP
#include "../bodies/lookup.h"

// Elements of a table of 16, 32 or 64.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  if (size == 16) return (float_lanes)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
  float_lanes found =
    (float_lanes)_mm512_permutex2var_ps(_mm512_loadu_ps(table), (__m512i)index, _mm512_loadu_ps(table + 16));
  if (size == 32) return found;
  return chosen(
    index, 32, found,
    (float_lanes)_mm512_permutex2var_ps(_mm512_loadu_ps(table + 32), (__m512i)index, _mm512_loadu_ps(table + 48)));
}
