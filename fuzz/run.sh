#!/bin/bash
# Builds the fuzz targets with libFuzzer and the address sanitizer, and runs them one after another.
#
#   fuzz/run.sh                         all targets, 3,000,000 executions each
#   fuzz/run.sh --runs 100000 zip gguf  some targets, fewer executions
#
# New inputs that reach new code go to fuzz/.corpus/TARGET and are used again; what crashes is kept in fuzz/.findings.
# Exit code 1 when a target has a finding.
set -eu
cd "$(dirname "$0")"
runs=3000000
targets=()
while [ $# -gt 0 ]; do
  case "$1" in
    --runs) runs=$2; shift 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(json safetensors index zip pickle gguf native)

flags=(-c release -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=address -Xswiftc -use-ld=lld)
for target in "${targets[@]}"; do swift build "${flags[@]}" --product "fuzz-$target"; done

mkdir -p .findings
export SWIFT_BACKTRACE=enable=no
status=0
for target in "${targets[@]}"; do
  mkdir -p ".corpus/$target"
  echo "== $target: $runs executions"
  .build/release/fuzz-$target ".corpus/$target" "seeds/$target" -runs="$runs" -dict="dictionaries/$target.dict" \
    -max_len=4096 -timeout=2 -rss_limit_mb=2048 -artifact_prefix=".findings/$target-" -print_final_stats=1 \
    2> ".findings/$target.log" || status=1
  grep -E "^(Done|stat::number_of_executed|stat::peak_rss|SUMMARY|==.*ERROR)" ".findings/$target.log" || true
done
exit $status
