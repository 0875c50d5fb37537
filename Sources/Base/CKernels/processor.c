#include "processor.h"

#include "ckernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

// Leaf 7, subleaf 1, EAX, bit 4; the system saves vectors of 256 bits where AVX2 is there at all.
static int has_avx_vnni(void) {
  unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 4);
}

uint32_t ck_detect(void) {
  uint32_t found = 0;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2")) found |= CK_ISA_CRC32C;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
    found |= CK_ISA_AVX2;
    if (has_avx_vnni()) found |= CK_ISA_AVX_VNNI;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq")) {
      found |= CK_ISA_AVX512;
      if (__builtin_cpu_supports("avx512vnni")) found |= CK_ISA_AVX512_VNNI;
      if (__builtin_cpu_supports("avx512bf16")) found |= CK_ISA_AVX512_BF16;
    }
  }
  return found;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>
#define HWCAP_CRC32_BIT (1 << 7)
#define HWCAP_ASIMDDP_BIT (1 << 20)
#define HWCAP2_I8MM_BIT (1 << 13)

uint32_t ck_detect(void) {
  unsigned long has = getauxval(AT_HWCAP), has_more = getauxval(AT_HWCAP2);
  return (has & HWCAP_CRC32_BIT ? CK_ISA_CRC32C : 0) | (has & HWCAP_ASIMDDP_BIT ? CK_ISA_NEON_DOTPROD : 0)
    | (has_more & HWCAP2_I8MM_BIT ? CK_ISA_NEON_I8MM : 0);
}

#else

uint32_t ck_detect(void) { return 0; }

#endif
