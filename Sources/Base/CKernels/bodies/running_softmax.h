// What a block of keys adds to a softmax over many.
#ifndef CKERNELS_RUNNING_SOFTMAX_H
#define CKERNELS_RUNNING_SOFTMAX_H

#include "mathematics.h"

// Adds the sum of a row's powers, which are relative to `top`; what was summed up before shrinks where the maximum has grown.
BODY void add_powers(
  float powers, float top, float scale, float *maximum, float *sum, float *output, size_t output_columns) {
  if (top != *maximum) {
    float shrink = exp_of((*maximum - top) * scale);
    *sum *= shrink;
    for (size_t c = 0; c < output_columns; c++) output[c] *= shrink;
  }
  *sum += powers;
  *maximum = top;
}

#endif
