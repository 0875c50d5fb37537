// Sums of peaks.h and peak_dots.h. They begin apart: equal ones would be computed once.
#ifndef CKERNELS_PEAK_SUMS_H
#define CKERNELS_PEAK_SUMS_H

enum { PEAK_SUMS = 12 };

#endif
