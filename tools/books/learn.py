#!/usr/bin/env python3
"""Learns the books of `formats/bantam.md`, section 9, and measures what the byte of a group should hold.

usage: learn.py forms                    SQNR of forms of the byte at 4 bits, groups of 32 and 16, each with a book of its own
       learn.py book BITS GROUP STEP     a book for shifts of 0, STEP, 2 STEP, 3 STEP, and what it gives
       learn.py book BITS GROUP STEP --any-zero         the same without levels that become zero
       learn.py book BITS GROUP STEP --weights FILE     learned on every other row of a safetensors file's f32 matrices, and what it
                                                        and a book of normally distributed values give on the others

Everything is tried for every group (exhaustive.c, compiled by cc), on normally distributed values; figures are of values that were
not learned from. Needs numpy.
"""
import argparse, ctypes, json, os, statistics, subprocess, tempfile
from concurrent.futures import ThreadPoolExecutor
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def compiled():
    path = os.path.join(tempfile.mkdtemp(), "exhaustive.so")
    subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", path,
                    os.path.join(HERE, "exhaustive.c"), "-lm"], check=True)
    library = ctypes.CDLL(path)
    library.code_rows.restype = ctypes.c_double
    return library


LIBRARY = compiled()


def pointer(array, kind):
    return None if array is None else array.ctypes.data_as(ctypes.POINTER(kind))


def error(x, group, multiples, books, sums=None, weights=None):
    """The squared error of rows, whose columns count as `weights` says; adds to `sums`, [books, levels, 2]."""
    books, multiples = np.ascontiguousarray(books, np.float32), np.asarray(multiples, np.float32)
    parts = [np.ascontiguousarray(part, np.float32) for part in np.array_split(x, 2)]
    found = [np.zeros(books.shape + (2,)) for _ in parts]

    def one(number):
        rows, columns = parts[number].shape
        return LIBRARY.code_rows(
            pointer(parts[number], ctypes.c_float), ctypes.c_long(rows), ctypes.c_long(columns), group, len(books),
            len(multiples), pointer(multiples, ctypes.c_float), pointer(books, ctypes.c_float), books.shape[1],
            pointer(weights, ctypes.c_float), pointer(found[number], ctypes.c_double))

    with ThreadPoolExecutor(2) as pool:
        total = sum(pool.map(one, range(2)))
    if sums is not None:
        sums += found[0] + found[1]
    return total


def outputs_with_outliers(form, group, bases):
    """SQNR of a layer's outputs where one column in a hundred is 32 times smaller and what it meets 32 times larger."""
    random = np.random.default_rng(5)
    x = random.standard_normal((16, 4096)).astype(np.float32)
    columns = random.choice(4096, 41, replace=False)
    weights = np.ones(4096, np.float32)
    x[:, columns], weights[columns] = x[:, columns] / 32, 1024
    squared = error(x, group, form.multiples, form.books(bases), weights=weights)
    return decibels(x * np.sqrt(weights), squared)


def decibels(x, squared_error):
    return 10 * np.log10((x.astype(np.float64) ** 2).sum() / squared_error)


class Form:
    """What a byte says beside the multiple's magnitude."""

    def __init__(self, multiples, signs=2, shifts=(0,), free_books=1):
        self.multiples, self.signs, self.shifts, self.free_books = multiples, signs, shifts, free_books

    def books(self, bases):
        return np.stack([sign * (base + shift)[::sign] for base in bases for shift in self.shifts
                         for sign in ((1, -1) if self.signs == 2 else (1,))])

    def renewed(self, bases, sums):
        """The levels of least error for the codes that were found."""
        out, number = [], 0
        for base in bases:
            products, squares = np.zeros(len(base)), np.zeros(len(base))
            for shift in self.shifts:
                for sign in ((1, -1) if self.signs == 2 else (1,)):
                    part = sums[number][::sign]
                    products += sign * part[:, 0] - shift * part[:, 1]
                    squares += part[:, 1]
                    number += 1
            out.append(np.where(squares > 0, products / np.maximum(squares, 1e-30), base))
        return out


def first_book(count, skew):
    normal = statistics.NormalDist()
    values = np.array([normal.inv_cdf((i + 0.5) / count) for i in range(count)])
    return values / np.abs(values).max() * 120 + skew


def pinned(base, shifts, has_zeros):
    """Within -127...127 with all shifts; for each shift one level that it makes zero."""
    base = np.sort(base)
    over = max((base.max() + shifts[-1]) / 127, -base.min() / 127)
    if over > 1:
        base = base / over if shifts[-1] == 0 else base * min((127 - shifts[-1]) / base.max(), 127 / -base.min(), 1)
    taken = set()
    for shift in shifts if has_zeros else ():
        nearest = min((i for i in range(len(base)) if i not in taken), key=lambda i: abs(base[i] + shift))
        base[nearest] = -shift
        taken.add(nearest)
    return np.sort(base)


def learned(x, form, group, count, rounds, has_zeros, skews):
    best = (np.inf, None)
    for skew in skews:
        bases = [first_book(count, skew * (1 if i == 0 else -1)) for i in range(form.free_books)]
        for _ in range(rounds):
            bases = [pinned(base, form.shifts, has_zeros) for base in bases]
            books = form.books(bases)
            sums = np.zeros(books.shape + (2,))
            squared = error(x, group, form.multiples, books, sums)
            if squared < best[0]:
                best = (squared, [base.copy() for base in bases])
            bases = form.renewed(bases, sums)
    return [np.round(base) for base in best[1]]


def magnitudes(bits):
    return list(range(1, 1 << bits))


def forms():
    x = np.random.default_rng(11).standard_normal((64, 4096))
    y = np.random.default_rng(7).standard_normal((64, 4096)).astype(np.float32)
    floating = [(8 + i) << k for k in range(4) for i in range(8)]
    rows = [("magnitude (8)", Form(magnitudes(8), signs=1)),
            ("magnitude (7), one of two books", Form(magnitudes(7), signs=1, free_books=2)),
            ("magnitude (7), sign", Form(magnitudes(7))),
            ("magnitude (6), sign, one of two shifts", Form(magnitudes(6), shifts=(0, 10))),
            ("magnitude (5), sign, one of four shifts", Form(magnitudes(5), shifts=(0, 5, 10, 15))),
            ("the same, each shift with a zero", Form(magnitudes(5), shifts=(0, 9, 18, 27))),
            ("magnitude (4), sign, one of eight shifts", Form(magnitudes(4), shifts=tuple(range(0, 24, 3)))),
            ("magnitude (5), floating, 3 + 2 bits, sign, one of four shifts", Form(floating, shifts=(0, 5, 10, 15)))]
    for title, form in rows:
        figures = []
        for group in (32, 16):
            skews = (-2,) if "zero" in title else (-2, 4) if len(form.shifts) > 1 else (3, 8)
            bases = learned(x, form, group, 16, 40, "zero" in title, skews)
            figures.append(decibels(y, error(y, group, form.multiples, form.books(bases))))
        print(f"{title:<64} {figures[0]:6.2f} {figures[1]:6.2f}", flush=True)


def matrices(path, columns=384, rows=512):
    """Some rows of all matrices of a file, cut to one width."""
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    parts = []
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32" and len(entry["shape"]) == 2:
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(data[8 + size + begin:8 + size + end], np.float32)
            parts.append(flat[:flat.size // columns * columns].reshape(-1, columns)[:8])
    return np.concatenate(parts)[:rows]


def book(bits, group, step, has_zeros, weights=None):
    rows = {3: 64, 4: 64, 5: 16, 6: 6}[bits]
    x = np.random.default_rng(11).standard_normal((rows, 4096))
    y = np.random.default_rng(7).standard_normal((16, 4096)).astype(np.float32)
    form = Form(magnitudes(5), shifts=tuple(step * i for i in range(4)))
    base = learned(x, form, group, 1 << bits, 30 if bits < 5 else 14, has_zeros, (-2,))[0]
    figure = decibels(y, error(y, group, form.multiples, form.books([base])))
    outputs = outputs_with_outliers(form, group, [base])
    print(f"{bits} bits, groups of {group}, shifts of {step}: {figure:.2f} dB, outputs with outlier channels "
          f"{outputs:.2f} dB {base.astype(int).tolist()}", flush=True)
    if weights:
        x = matrices(weights)
        own = learned(x[::2], form, group, 1 << bits, 30 if bits < 5 else 14, has_zeros, (-2,))[0]
        for title, levels in (("its own", own), ("normal", base)):
            figure = decibels(x[1::2], error(x[1::2], group, form.multiples, form.books([levels])))
            print(f"  {title:<8} {figure:.3f} dB {levels.astype(int).tolist()}", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("what", choices=("forms", "book"))
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--any-zero", action="store_true")
    parser.add_argument("--weights")
    arguments = parser.parse_args()
    if arguments.what == "forms":
        forms()
    else:
        book(*arguments.numbers, not arguments.any_zero, arguments.weights)


if __name__ == "__main__":
    main()
