// Lookups of floats in plain C, sixteen at a time. Units whose vectors can look up have functions of their own.
#include "tile.h"

// All that takes or gives such vectors is inlined: how they would be passed is nobody's matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float float_lanes __attribute__((vector_size(64)));
typedef int32_t int_lanes __attribute__((vector_size(64)));

#ifndef HAS_LOOKUP
// Elements of a table of 16 or 32.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  float_lanes found;
  FOR_ROWS found[r] = table[index[r] & (size - 1)];
  return found;
}
#endif
