// Runs of floats to other formats.
#include "floats.h"

static void widen_bf16_f32(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits(widen_bf16(in[i]));
}

static void widen_f16_f32(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits(widen_f16(in[i]));
}

static void narrow_f32_bf16(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = narrow_bf16(bits_of_float(in[i]));
}

static void narrow_f32_f16(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = narrow_f16(bits_of_float(in[i]));
}
