// Bit-exact float conversions that vectorise: no branches, no library calls.
#ifndef CKERNELS_FLOATS_H
#define CKERNELS_FLOATS_H

#include "common.h"

BODY float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

BODY uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

BODY uint32_t widen_bf16(uint16_t half) { return (uint32_t)half << 16; }

// Multiplying by 2^112 moves the exponent and normalises denormals in one step.
BODY uint32_t widen_f16(uint16_t half) {
  uint32_t magnitude = (uint32_t)(half & 0x7FFF) << 13;
  uint32_t scaled = bits_of_float(float_of_bits(magnitude) * 0x1p112f);
  uint32_t special = magnitude | 0x7F800000u;
  uint32_t is_special = (half & 0x7C00) == 0x7C00 ? 0xFFFFFFFFu : 0;
  return ((special & is_special) | (scaled & ~is_special)) | ((uint32_t)(half & 0x8000) << 16);
}

// Element `index` of a run of dtype, as the bits of an f32. `dtype` is best a constant.
BODY uint32_t element_bits(const void *values, int dtype, size_t index) {
  if (dtype == CK_BF16) return widen_bf16(((const uint16_t *)values)[index]);
  if (dtype == CK_F16) return widen_f16(((const uint16_t *)values)[index]);
  return ((const uint32_t *)values)[index];
}

BODY uint16_t narrow_bf16(uint32_t bits) {
  uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  uint32_t quiet = (bits >> 16) | 0x40;
  return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000u ? quiet : rounded);
}

BODY uint16_t narrow_f16(uint32_t bits) {
  uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFFFFFF;
  // Normal results: rebias, then round at bit 13. A carry out of the mantissa is the right next exponent.
  uint32_t rebiased = magnitude - (112u << 23);
  uint32_t normal = (rebiased + 0xFFF + ((rebiased >> 13) & 1)) >> 13;
  // Denormal results: adding 0.5 makes the hardware round at 2^-24.
  uint32_t denormal = bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3F000000u;
  uint32_t result = magnitude < 0x38800000u ? denormal : normal;
  result = magnitude >= 0x477FF000u ? 0x7C00 : result;
  result = magnitude > 0x7F800000u ? 0x7E00 | ((magnitude >> 13) & 0x3FF) : result;
  return (uint16_t)(sign | result);
}

#endif
