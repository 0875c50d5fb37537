// Linux calls that glibc declares only under _GNU_SOURCE, which Swift's Glibc module does not set.
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H
int fallocate(int descriptor, int mode, long offset, long byte_count);
int sync_file_range(int descriptor, long offset, long byte_count, unsigned int flags);
int renameat2(int old_folder, const char *old_path, int new_folder, const char *new_path, unsigned int flags);
#define BANTAM_SYNC_FILE_RANGE_WRITE 2u
#define BANTAM_RENAME_EXCHANGE 2u
#endif
