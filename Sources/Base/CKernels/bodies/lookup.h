// Lookups of floats in plain C, sixteen at a time. Units whose vectors can look up have functions of their own.
#ifndef CKERNELS_LOOKUP_H
#define CKERNELS_LOOKUP_H

#include "tile.h"

// All that takes or gives such vectors is inlined: how they would be passed is nobody's matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float float_lanes __attribute__((vector_size(64)));
typedef int32_t int_lanes __attribute__((vector_size(64)));

// What one of two lookups has found, as an index means it, by one of its bits.
BODY float_lanes chosen(int_lanes index, int bit, float_lanes without, float_lanes with) {
  int_lanes mask = (index & bit) != 0;
  return (float_lanes)((mask & (int_lanes)with) | (~mask & (int_lanes)without));
}

#ifndef HAS_LOOKUP
// Elements of a table of 16, 32 or 64.
BODY float_lanes lookup(const float *table, int size, int_lanes index) {
  float_lanes found;
  FOR_ROWS found[r] = table[index[r] & (size - 1)];
  return found;
}
#endif

#endif
