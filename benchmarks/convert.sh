#!/usr/bin/env bash
# convert against cp of the same bytes, in turn, each from a cold source (as root) and followed by sync.
# Usage: convert.sh SOURCE [REPEATS]     SOURCE: a folder or file, such as made by: bantam sample big --scale 8b
set -euo pipefail
bantam=$(cd "$(dirname "$0")/.." && pwd)/.build/release/bantam
folder=$(readlink -f "$1") # or a file
repeats=${2:-3}
work=$(mktemp -d "$(dirname "$folder")/bantam-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

cold() { sync; if [ -w /proc/sys/vm/drop_caches ]; then echo 3 >/proc/sys/vm/drop_caches; fi; }
# seconds COMMAND...: wall time of a command and the sync behind it.
seconds() {
  local start
  start=$(date +%s.%N)
  "$@" >/dev/null
  sync
  awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.2f\n", b - a}'
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

echo "machine: $(nproc) processors, $(awk -F: '/model name/ {print $2; exit}' /proc/cpuinfo)"
for ((i = 0; i < repeats; i++)); do
  cold
  copy=$(seconds cp -r "$folder" "$work/copy")
  rm -rf "$work/copy"
  cold
  ours=$(seconds /usr/bin/time -f %M -o "$work/rss" "$bantam" convert "$folder" -o "$work/out.bantam" --components all -q)
  sha256sum <(tail -c 1000000 "$work/out.bantam") | cut -c1-16 >>"$work/ends"
  size=$(stat -c %s "$work/out.bantam")
  [ $((i + 1)) = "$repeats" ] || rm "$work/out.bantam"
  echo "cp $copy s  convert $ours s  rate against cp $(awk -v a="$copy" -v b="$ours" 'BEGIN {printf "%.2f", a / b}')  peak resident $(cat "$work/rss") kB"
  awk -v a="$copy" -v b="$ours" 'BEGIN {print a / b}' >>"$work/ratios"
done
echo "median rate against cp: $(median <"$work/ratios")  output $size bytes, equal in all runs: $([ "$(sort -u "$work/ends" | wc -l)" = 1 ] && echo yes || echo no)"
"$(dirname "$bantam")/../../.build-programs/release/bantam-bench" open "$work/out.bantam"
