#!/usr/bin/env bash
# The main job on a sample that is made on the spot. Usage: demo.sh [SCALE]   (tiny, small, 4b, 8b)
set -euo pipefail
cd "$(dirname "$0")/.."
bantam=$PWD/.build/release/bantam
scale=${1:-small}
work=$(mktemp -d "${TMPDIR:-/tmp}/bantam-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

rows=()
# step NAME COMMAND...: runs, shows and times one step.
step() {
  local name=$1 start end
  shift
  echo "\$ bantam $*"
  start=$(date +%s.%N)
  "$bantam" "$@"
  end=$(date +%s.%N)
  rows+=("$(printf '%-34s %8.2f s' "$name" "$(echo "$end - $start" | awk '{print $1 - $3}')")")
  echo
}
digests() { "$bantam" inspect "$1" --family generic --json --digests --quiet | grep -o '"sha256": "[0-9a-f]*"' | sort; }

step "make a sample release ($scale)" sample release --scale "$scale"
step "convert to one native file" convert release -o model.bantam --components all
echo "\$ bantam inspect model.bantam | head -16"
"$bantam" inspect model.bantam | head -16
echo
step "verify, also against the source" verify model.bantam --source release
step "export back to safetensors" export model.bantam --to safetensors -o export

digests release >a.txt
digests export >b.txt
cmp a.txt b.txt
echo "what                                    result"
printf '%s\n' "${rows[@]}"
printf '%-34s %8s bytes\n' "release folder" "$(du -sb release | cut -f1)"
printf '%-34s %8s bytes\n' "native file" "$(stat -c %s model.bantam)"
printf '%-34s %8s of %s\n' "tensors equal after the round trip" "$(comm -12 a.txt b.txt | wc -l)" "$(wc -l <a.txt)"
