// What units offer: each overwrites the entries of a table that it has. Those of an architecture are there on that one
// only.
#ifndef CKERNELS_FILLS_H
#define CKERNELS_FILLS_H

#include "ckernels.h"

void ck_fill_portable(ck_table *table);
void ck_fill_portable_crc32c(ck_table *table);

void ck_fill_avx2(ck_table *table);
void ck_fill_avx2_dots(ck_table *table);
void ck_fill_avx_vnni(ck_table *table);
void ck_fill_avx512(ck_table *table);
void ck_fill_avx512_packing(ck_table *table);
void ck_fill_avx512_vnni(ck_table *table);
void ck_fill_avx_vnni_books(ck_table *table);
void ck_fill_avx512_books(ck_table *table);
void ck_fill_avx2_books(ck_table *table);
void ck_fill_avx512_bf16(ck_table *table);
void ck_fill_sse42_crc32c(ck_table *table);

void ck_fill_neon(ck_table *table);
void ck_fill_neon_dots(ck_table *table);
void ck_fill_neon_books(ck_table *table);
void ck_fill_neon_i8mm(ck_table *table);
void ck_fill_arm_crc32c(ck_table *table);

#endif
