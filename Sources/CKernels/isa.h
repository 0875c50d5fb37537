// Targets for functions that are compiled more than once: the same body, other instructions.
#ifndef CKERNELS_ISA_H
#define CKERNELS_ISA_H

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")))
#endif
#define BODY static inline __attribute__((always_inline))

// NAME as NAME_body compiled for each instruction set, the best one chosen at run time; NAME_scalar is the body as it
// stands, the truth in tests.
#if defined(__x86_64__)
#define WITH_ISA(NAME, PARAMETERS, ARGUMENTS)                                   \
  TARGET_AVX512 static void NAME##_avx512 PARAMETERS { NAME##_body ARGUMENTS; } \
  TARGET_AVX2 static void NAME##_avx2 PARAMETERS { NAME##_body ARGUMENTS; }     \
  void NAME PARAMETERS {                                                        \
    if (ck_isa() & CK_ISA_AVX512) NAME##_avx512 ARGUMENTS;                      \
    else if (ck_isa() & CK_ISA_AVX2) NAME##_avx2 ARGUMENTS;                     \
    else NAME##_body ARGUMENTS;                                                 \
  }
#else
#define WITH_ISA(NAME, PARAMETERS, ARGUMENTS) \
  void NAME PARAMETERS { NAME##_body ARGUMENTS; }
#endif

#endif
