// What Swift cannot say: Linux calls that glibc declares only under _GNU_SOURCE, and signal handlers.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>

int fallocate(int descriptor, int mode, long offset, long byte_count);
int sync_file_range(int descriptor, long offset, long byte_count, unsigned int flags);
int renameat2(int old_folder, const char *old_path, int new_folder, const char *new_path, unsigned int flags);
#define BANTAM_SYNC_FILE_RANGE_WRITE 2u
#define BANTAM_RENAME_EXCHANGE 2u

// Whether a folder is one of the process information file system, whose links are no names of files.
int clinux_is_proc(const char *folder);

// Guards a file mapping: where the file has become shorter, a read gives zeros instead of ending the process, and the mapping
// counts as torn. Gives a slot, or NULL where there is no memory for one. Any number of mappings can be guarded.
void *clinux_guard(void *base, size_t byte_count);
// Whether a read has met pages that the file no longer has.
int clinux_is_torn(const void *slot);
// Gives the slot back, before the mapping is removed.
void clinux_release(void *slot);

// Removes a file, or a folder with all below it. Links are removed, never followed. Allocates nothing, so that a signal
// handler may call it.
void clinux_remove_tree(const char *path);

// Remembers an output that is not yet whole, to be removed if a signal ends the program. Gives a slot, or -1 where all are
// taken or the path is too long: the output then only lacks this safety.
int clinux_remember_partial(const char *path);
void clinux_forget_partial(int slot);

// Lets SIGINT, SIGTERM and SIGHUP end the program at any moment with 128 + signal, after what is not whole was removed. Needs no
// thread and waits for nothing. Unblocks them, since a parent may have blocked them; one that is pending is obeyed. SIGINT and
// SIGHUP that the parent had ignored stay ignored. SIGPIPE and SIGXFSZ become errors of the calls that meet them.
void clinux_handle_signals(void);

// Starts a thread that nobody waits for, with all signals blocked. Gives 0, or an error number.
int clinux_start_thread(void *(*body)(void *), void *argument, size_t stack_byte_count);

#endif
