// What every body begins with. Units include it before they set a target: the system's headers stay as they are.
#ifndef CKERNELS_COMMON_H
#define CKERNELS_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ckernels.h"

// Only what is written as one operation is fused: every instruction set gives the same bits.
#pragma STDC FP_CONTRACT OFF

// Part of the function that calls it, and so compiled for that function's instructions.
#define BODY static inline __attribute__((always_inline))

// Before a loop each of whose values comes from its own place alone: the output may be an input, and the compiler, who sees that they
// overlap, need not go value by value.
#define EACH_ALONE _Pragma("clang loop vectorize(assume_safety)")

#endif
