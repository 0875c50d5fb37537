// What the processor has.
#ifndef CKERNELS_PROCESSOR_H
#define CKERNELS_PROCESSOR_H

#include <stdint.h>

// Asks the processor for its instruction sets, as bits of CK_ISA.
uint32_t ck_detect(void);

#endif
