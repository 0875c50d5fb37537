#!/usr/bin/env python3
"""Whether two trainings of one architecture agree on what is sensitive: Spearman's rank correlation of two tables of `bantam sensitivity`.

    python3 benchmarks/ranks.py TABLE TABLE

For each measure: of all tensors and of those of one network; then, of roles (the same matrix of all layers), those that both tables count
among their most sensitive.
"""
import json, sys
from pathlib import Path

MEASURES = ["kl", "features", "latents", "picture"]
CLAIMED = 0.7  # less says nothing


def rows(path):
    """Effects by name; tensors that a measure cannot feel, and measures that were not taken, are left out."""
    return {row["name"]: row["effects"] for row in json.loads(Path(path).read_text())["rows"]}


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    found = [0.0] * len(values)
    first = 0
    while first < len(order):  # equal values share their mean rank
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for i in order[first:last + 1]:
            found[i] = (first + last) / 2
        first = last + 1
    return found


def correlation(a, b):
    a, b = ranks(a), ranks(b)
    mean = (len(a) - 1) / 2
    top = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    below = (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5
    return top / below if below else float("nan")


def role(name):
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def main():
    one, two = rows(sys.argv[1]), rows(sys.argv[2])
    names = [name for name in one if name in two]
    networks = sorted({name.split(".")[0] for name in names})
    print("measure   tensors of      count   rank correlation")
    for measure in MEASURES:
        for network in ["all", *networks]:
            own = [n for n in names if network in ("all", n.split(".")[0])
                   and one[n].get(measure, 0) > 0 and two[n].get(measure, 0) > 0]
            if len(own) > 7:
                value = correlation([one[n][measure] for n in own], [two[n][measure] for n in own])
                print(f"{measure:8}  {network:14} {len(own):6}   {value:.2f}{'' if value >= CLAIMED else '   says nothing'}")
    for measure in MEASURES:
        sums = []
        for table in (one, two):
            total = {}
            for name in names:
                total[role(name)] = total.get(role(name), 0) + table[name].get(measure, 0)
            sums.append(total)
        roles = [r for r in sums[0] if sums[0][r] > 0 and sums[1][r] > 0]
        if len(roles) < 8:
            continue
        value = correlation([sums[0][r] for r in roles], [sums[1][r] for r in roles])
        first = [set(sorted(roles, key=lambda r: -total[r])[:8]) for total in sums]
        both = sorted(first[0] & first[1], key=lambda r: -sums[0][r])
        print(f"\n{measure}: {len(roles)} roles, rank correlation {value:.2f}; among the first eight of both: {', '.join(both)}")


main()
