// Synthetic weights: normal deviates that depend only on a key and an index.
#include "floats.h"

BODY uint64_t split_mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static void fill_normal_bf16(
  uint16_t *out, size_t count, uint64_t key, uint64_t first_index, const float *normals, float scale,
  const float *column_scale) {
  for (size_t i = 0; i < count; i++) {
    uint64_t index = first_index + i;
    uint64_t word = split_mix(key + (index >> 2));
    float normal = normals[(word >> (16 * (index & 3))) & 0xFFFF];
    out[i] = narrow_bf16(bits_of_float(normal * scale * column_scale[i]));
  }
}
