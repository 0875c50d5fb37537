// The polynomial of CRC-32C. Sums are polynomials with the highest power in the lowest bit.
#include "common.h"

#define POLYNOMIAL 0x82F63B78u

// A polynomial times x.
BODY uint32_t times_x(uint32_t a) { return (a & 1) ? (a >> 1) ^ POLYNOMIAL : a >> 1; }
