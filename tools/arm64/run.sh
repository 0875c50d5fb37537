#!/usr/bin/env bash
# The C kernels of arm64, cross-compiled and run under qemu-user, on a processor for each level. Needs clang, lld and
# Debian's qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross.
set -euo pipefail
cd "$(dirname "$0")/../../Sources/Base/CKernels"
work=$(mktemp -d "${TMPDIR:-/tmp}/bantam-arm64.XXXXXX")
trap 'rm -rf "$work"' EXIT
clang --target=aarch64-linux-gnu -I/usr/aarch64-linux-gnu/include -fuse-ld=lld -static -O2 -Iinclude -I. \
  ./*.c portable/*.c arm/*.c ../../../tools/arm64/check.c -lm -o "$work/check"
run() {
  echo "$1"
  qemu-aarch64 -cpu "$1" "$work/check" "$2"
}
run cortex-a53 neon
run neoverse-n1 neon-dotprod
run max neon-i8mm
