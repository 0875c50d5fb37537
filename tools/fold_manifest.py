"""Folds a list of tensors into the short text that the tests read.

    python3 tools/fold_manifest.py MANIFEST.json > Tests/Weights/ModelSourcesTests/Fixtures/manifests/NAME.txt

MANIFEST is a JSON document with `tensors`, each with `name`, `dtype` and `shape`; `bantam inspect MODEL --family generic --json`
writes one. A line is the dtype, the sizes joined with commas, and a name, in which `{0-3,5}` stands for each of these numbers.
"""

import json
import re
import sys
from itertools import product


def ranges(numbers):
    """`{0-3,5}`, or the number itself where there is one."""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    if len(numbers) == 1:
        return str(runs[0][0])
    return "{" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) + "}"


def boxes(tuples):
    """Lists of sets, one a position, whose combinations are the tuples, each once."""
    if not tuples[0]:
        return [[]]
    rests = {}
    for first, *rest in tuples:
        rests.setdefault(first, []).append(tuple(rest))
    heads = {}
    for first, rest in rests.items():
        heads.setdefault(tuple(sorted(rest)), []).append(first)
    return [[firsts] + box for rest, firsts in heads.items() for box in boxes(list(rest))]


def fold(tensors):
    groups = {}
    for tensor in tensors:
        pieces = re.split(r"(?<=\.)(\d+)(?=\.)", tensor["name"])
        key = (tensor["dtype"], tuple(tensor["shape"]), tuple(pieces[::2]))
        groups.setdefault(key, []).append(tuple(int(number) for number in pieces[1::2]))
    for (dtype, shape, texts), tuples in groups.items():
        for box in boxes(tuples):
            assert all(combination in tuples for combination in product(*box))
            name = "".join(text + number for text, number in zip(texts, [ranges(n) for n in box] + [""]))
            yield f"{dtype} {','.join(map(str, shape))} {name}"


if len(sys.argv) != 2:
    sys.exit(__doc__)
with open(sys.argv[1]) as file:
    print("\n".join(fold(json.load(file)["tensors"])))
