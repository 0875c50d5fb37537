// Targets for functions that are compiled more than once: the same body, other instructions.
#ifndef CKERNELS_ISA_H
#define CKERNELS_ISA_H

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")))
#endif
#define BODY static inline __attribute__((always_inline))

#endif
