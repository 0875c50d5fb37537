#!/usr/bin/env bash
# The C kernels of arm64, cross-compiled and run under qemu-user: with and without the dot instruction. Needs clang, lld and Debian's
# qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross.
set -euo pipefail
cd "$(dirname "$0")/../../Sources/CKernels"
work=$(mktemp -d "${TMPDIR:-/tmp}/bantam-arm64.XXXXXX")
trap 'rm -rf "$work"' EXIT
clang --target=aarch64-linux-gnu -I/usr/aarch64-linux-gnu/include -fuse-ld=lld -static -O2 -Iinclude -I. \
  ./*.c portable/*.c arm/*.c ../../tools/arm64/check.c -lm -o "$work/check"
for processor in cortex-a53 max; do
  echo "$processor"
  qemu-aarch64 -cpu "$processor" "$work/check"
done
