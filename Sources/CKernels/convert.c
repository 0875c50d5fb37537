#include "ckernels.h"
#include "floats.h"

BODY void ck_widen_bf16_f32_body(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits(widen_bf16(in[i]));
}
WITH_ISA(ck_widen_bf16_f32, (float *out, const uint16_t *in, size_t count), (out, in, count))

BODY void ck_widen_f16_f32_body(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits(widen_f16(in[i]));
}
WITH_ISA(ck_widen_f16_f32, (float *out, const uint16_t *in, size_t count), (out, in, count))

BODY void ck_narrow_f32_bf16_body(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = narrow_bf16(bits_of_float(in[i]));
}
WITH_ISA(ck_narrow_f32_bf16, (uint16_t *out, const float *in, size_t count), (out, in, count))

BODY void ck_narrow_f32_f16_body(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = narrow_f16(bits_of_float(in[i]));
}
WITH_ISA(ck_narrow_f32_f16, (uint16_t *out, const float *in, size_t count), (out, in, count))

BODY uint64_t split_mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

BODY void ck_fill_normal_bf16_body(
  uint16_t *out, size_t count, uint64_t key, uint64_t first_index, const float *normals, float scale,
  const float *column_scale) {
  for (size_t i = 0; i < count; i++) {
    uint64_t index = first_index + i;
    uint64_t word = split_mix(key + (index >> 2));
    float normal = normals[(word >> (16 * (index & 3))) & 0xFFFF];
    out[i] = narrow_bf16(bits_of_float(normal * scale * column_scale[i]));
  }
}
WITH_ISA(
  ck_fill_normal_bf16,
  (uint16_t *out, size_t count, uint64_t key, uint64_t first_index, const float *normals, float scale,
   const float *column_scale),
  (out, count, key, first_index, normals, scale, column_scale))
