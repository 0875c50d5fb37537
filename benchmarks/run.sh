#!/usr/bin/env bash
# The measurements that need nothing but the build. Usage: run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/bantam-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
.build/release/bantam sample "$work/small" --scale small --quiet >/dev/null
bash benchmarks/convert.sh "$work/small" 3
.build-programs/release/bantam-bench quantize
.build-programs/release/bantam-bench matmul
