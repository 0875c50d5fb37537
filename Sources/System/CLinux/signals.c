#define _GNU_SOURCE
#include "clinux.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARTIAL_COUNT 64
#define PATH_BYTE_COUNT 4352
#define DEPTH_LIMIT 24

// 0 free, 1 being written, 2 in use.
static struct {
  atomic_int state;
  char path[PATH_BYTE_COUNT];
} partials[PARTIAL_COUNT];

int clinux_remember_partial(const char *path) {
  size_t length = strlen(path);
  if (length >= PATH_BYTE_COUNT) return -1;
  for (int i = 0; i < PARTIAL_COUNT; i++) {
    int empty = 0;
    if (!atomic_compare_exchange_strong(&partials[i].state, &empty, 1)) continue;
    memcpy(partials[i].path, path, length + 1);
    atomic_store(&partials[i].state, 2);
    return i;
  }
  return -1;
}

void clinux_forget_partial(int slot) {
  if (slot >= 0) atomic_store(&partials[slot].state, 0);
}

// As the kernel gives it.
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char kind;
  char name[];
};

// Removes what is in an open folder. Entries are read anew after each pass, since removing moves them.
static void empty_folder(int folder, int depth) {
  char buffer[2048] __attribute__((aligned(8)));
  for (int removed = 1; removed;) {
    removed = 0;
    if (lseek(folder, 0, SEEK_SET) < 0) return;
    long count;
    while ((count = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0)
      for (long position = 0; position < count;) {
        struct entry *entry = (struct entry *)(buffer + position);
        position += entry->length;
        if (!strcmp(entry->name, ".") || !strcmp(entry->name, "..")) continue;
        struct stat status;
        if (fstatat(folder, entry->name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISDIR(status.st_mode)) {
          if (unlinkat(folder, entry->name, 0) == 0) removed = 1;
          continue;
        }
        int child = openat(folder, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0) {
          if (depth < DEPTH_LIMIT) empty_folder(child, depth + 1);
          close(child);
        }
        if (unlinkat(folder, entry->name, AT_REMOVEDIR) == 0) removed = 1;
      }
  }
}

void clinux_remove_tree(const char *path) {
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) {
    unlink(path);
    return;
  }
  empty_folder(folder, 0);
  close(folder);
  rmdir(path);
}

static void on_ending_signal(int number) {
  // Only system calls from here on.
  for (int i = 0; i < PARTIAL_COUNT; i++)
    if (atomic_load(&partials[i].state) == 2) clinux_remove_tree(partials[i].path);
  _exit(128 + number);
}

void clinux_handle_signals(void) {
  static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < 3; i++) {
    struct sigaction action = {0}, before;
    action.sa_handler = on_ending_signal;
    sigfillset(&action.sa_mask);
    // nohup, and shells without job control, ignore these on purpose.
    if (ending[i] != SIGTERM && sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(ending[i], &action, NULL);
    sigaddset(&set, ending[i]);
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int clinux_start_thread(void *(*body)(void *), void *argument, size_t stack_byte_count) {
  pthread_attr_t attributes;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_byte_count);
  // The new thread inherits the mask: signals are for the threads that were there before, save those that tell of what the
  // thread itself does.
  static const int own[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
  sigset_t all, before;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  code = pthread_create(&thread, &attributes, body, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return code;
}
