#include <stddef.h>
#include <stdint.h>

/// libFuzzer's own main loop, for programs that have a `main` already. Source: LLVM, "libFuzzer as a library".
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*body)(const uint8_t *bytes, size_t count));
