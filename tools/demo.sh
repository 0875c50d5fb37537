#!/usr/bin/env bash
# The main job on a sample that is made on the spot, then a picture by the trained miniature.
# Usage: demo.sh [SCALE]   (of the sample: tiny, small, 4b, 8b)
set -euo pipefail
cd "$(dirname "$0")/.."
bantam=$PWD/.build/release/bantam
scale=${1:-small}
work=$(mktemp -d "${TMPDIR:-/tmp}/bantam-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
tools=$PWD/tools
miniature=$PWD/miniature/model
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
echo "\$ bantam inspect model.bantam | head -24"
"$bantam" inspect model.bantam | head -24
echo
step "verify, also against the source" verify model.bantam --source release
step "export back to safetensors" export model.bantam --to safetensors -o export

digests release >a.txt
digests export >b.txt
cmp a.txt b.txt
step "quantize to int8" quantize release -o int8.bantam --encoding int8
step "quantize to int4" quantize release -o int4.bantam --encoding int4
step "export for llama.cpp" export int4.bantam --to gguf -o int4.gguf
echo "\$ bantam diff release int4.bantam | head -8"
"$bantam" diff release int4.bantam --quiet | head -8
echo

# The miniature's weights are trained: it paints what a sentence says. See miniature/README.md.
sentence="A red star above a blue ring on a white background."
question="Describe the picture."
paint=(--steps 20 --decoder-steps 20 --guidance 2 --seed 1)
step "miniature: to one native file" convert "$miniature" -o mini.bantam
step "miniature: to 4 bits" quantize "$miniature" -o mini-int4.bantam --encoding int4
for name in mini mini-int4; do
  step "$name: paint" generate $name.bantam "$sentence" -o $name.png "${paint[@]}"
  step "$name: describe its picture" describe $name.bantam $name.png "$question" --greedy
  "$bantam" describe $name.bantam $name.png "$question" --greedy --quiet >$name.txt
  "$bantam" trace $name.bantam --prompt "$sentence" -o $name.safetensors "${paint[@]}" --quiet
done
echo "\$ bantam diff mini.safetensors mini-int4.safetensors | head -8"
"$bantam" diff mini.safetensors mini-int4.safetensors --quiet | head -8
echo

echo "step                                    time"
printf '%s\n' "${rows[@]}"
echo
size() { stat -c %s "$1"; }
"$bantam" convert release -o full.bantam --quiet >/dev/null
weights=$("$bantam" inspect full.bantam --json --quiet | awk -F'[ ,]+' '/"parameters"/ {sum += $3} END {print sum}')
printf '%-16s %12s %8s  %s\n' "file" "bytes" "bits/w" "SQNR by component (dB; - is exact)"
for name in full int8 int4; do
  quality=$([ "$name" = full ] && echo "exact" || "$bantam" inspect "$name.bantam" --quality --json --quiet | python3 -c '
import json, sys
for part in json.load(sys.stdin)["components"]:
    loss = part["sqnr_db"]
    print(part["name"], "-" if loss is None else f"{float(loss):.2f}", end="  ")')
  printf '%-16s %12s %8s  %s\n' "$name.bantam" "$(size $name.bantam)" \
    "$(awk -v b="$(size $name.bantam)" -v w="$weights" 'BEGIN {printf "%.2f", 8 * b / w}')" "$quality"
done
echo
for name in int8 int4; do
  echo "worst tensors of $name:"
  "$bantam" inspect "$name.bantam" --quality --all --quiet | awk '/^tensor/ {on = 1; next} on && n++ < 3 {print "  " $0}'
done
printf 'tensors equal after the round trip: %s of %s\n' "$(comm -12 a.txt b.txt | wc -l)" "$(wc -l <a.txt)"

picture=${BANTAM_DEMO_PICTURE:-${TMPDIR:-/tmp}/bantam-demo.png}
"$bantam" grid -o "$picture" mini.png mini-int4.png --labels "full precision,4 bits" --quiet
echo
echo "asked for:                  $sentence"
echo "painted:                    $picture   (left: full precision, right: 4 bits, same noise)"
echo "asked about each picture:   $question"
echo "full precision says:        $(cat mini.txt)"
echo "4 bits say:                 $(cat mini-int4.txt)"
for name in mini mini-int4; do
  [ "$(cat $name.txt)" = "$sentence" ] || { echo "$name does not see what it was asked to paint"; exit 1; }
done
