// What Swift cannot say: Linux calls that glibc declares only under _GNU_SOURCE, and a signal handler.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>

int fallocate(int descriptor, int mode, long offset, long byte_count);
int sync_file_range(int descriptor, long offset, long byte_count, unsigned int flags);
int renameat2(int old_folder, const char *old_path, int new_folder, const char *new_path, unsigned int flags);
#define BANTAM_SYNC_FILE_RANGE_WRITE 2u
#define BANTAM_RENAME_EXCHANGE 2u

// Guards a file mapping: where the file has become shorter, a read gives zeros instead of ending the process, and the mapping
// counts as torn. Gives a slot, or -1 when all are taken.
int clinux_guard(void *base, size_t byte_count);
// Whether a read has met pages that the file no longer has.
int clinux_is_torn(int slot);
// Gives the slot back, before the mapping is removed.
void clinux_release(int slot);

#endif
