#!/usr/bin/env python3
"""What errors at the probe's encoding cost, a million weights of each network: whether the roles that stay at 8 bits deserve it.

    python3 benchmarks/roles.py TABLE MODEL

TABLE is one of `bantam sensitivity MODEL`. Effects of rows add up; the vision tower, the token embedding and the head are what `quantize`
keeps at 8 bits. BANTAM may name another program than .build/release/bantam.
"""
import json, math, os, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BANTAM = os.environ.get("BANTAM", ROOT / ".build/release/bantam")
PROTECTED = {"llm.embed_tokens.weight": "token embedding", "llm.lm_head.weight": "head"}


def counts(model):
    """Elements of every tensor."""
    out = subprocess.run([BANTAM, "inspect", model, "--json", "--all"], capture_output=True, text=True, check=True)
    return {tensor["name"]: math.prod(tensor["shape"]) for tensor in json.loads(out.stdout)["tensors"]}


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.strip())
    table, sizes = json.loads(Path(sys.argv[1]).read_text()), counts(sys.argv[2])
    measures = list(table["rows"][0]["effects"])
    weights, sums = {}, {}
    for row in table["rows"]:
        group = PROTECTED.get(row["name"], row["name"].split(".")[0])
        weights[group] = weights.get(group, 0) + sum(sizes[name] for name in row["members"])
        for measure, effect in row["effects"].items():
            sums[group, measure] = sums.get((group, measure), 0) + effect
    print(f"| {table['probe']}: effect of a million weights | " + " | ".join(measures) + " |\n|" + "---|" * (len(measures) + 1))
    for group, count in weights.items():
        print(f"| {group} | " + " | ".join(f"{sums[group, measure] / count * 1e6:.1e}" for measure in measures) + " |")


main()
