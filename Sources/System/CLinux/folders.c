#define _GNU_SOURCE
#include "clinux.h"

#include <sys/vfs.h>

int clinux_is_proc(const char *folder) {
  struct statfs status;
  return statfs(folder, &status) == 0 && status.f_type == 0x9FA0;
}
