// Activation functions over runs of f32.
#include "mathematics.h"

static void exp(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = exp_of(x[i]);
}

static void silu(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = silu_of(x[i]);
}

static void gelu(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = gelu_of(x[i]);
}

static void gelu_tanh(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = gelu_tanh_of(x[i]);
}

static void silu_gate(float *out, const float *gate, const float *value, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) out[i] = silu_of(gate[i]) * value[i];
}

static void gelu_gate(float *out, const float *gate, const float *value, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) out[i] = gelu_of(gate[i]) * value[i];
}
