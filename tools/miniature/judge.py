#!/usr/bin/env python3
"""Tells what a picture of the miniature's world shows, by plain image processing, and how sure that is.

  python tools/miniature/judge.py PICTURE.png ...        what each shows
  python tools/miniature/judge.py --calibrate 1000       how often the judge is wrong about true pictures with noise

The ground is the border's colour; what differs from it falls into connected parts; a part's colour is the median of its
inside, its shape the one whose outline, drawn into the same box, overlaps best.
"""
import argparse
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

import scenes

DIFFERENT = 30            # mean difference of the channels from which a pixel is no ground
SMALLEST = 60             # pixels of a part that counts; the smallest star has about 250
BOX = 48                  # side of the box in which outlines are compared
LARGE = 0.45              # of the picture's side, from which a single shape is large


@dataclass
class Part:
    """One shape as it was found; centre and size in parts of the picture's side."""
    shape: str
    color: str
    x: float
    y: float
    size: float


def nearest(color, named):
    return min(named, key=lambda name: np.abs(np.asarray(named[name], float) - color).sum())


def connected_parts(mask):
    """Masks of the four-connected parts: every pixel takes the smallest number around it until nothing changes."""
    numbers = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        around = np.pad(numbers, 1)
        stack = np.stack([around[1:-1, 1:-1], around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
        smallest = np.where(mask, np.where(stack > 0, stack, mask.size + 1).min(0), 0)
        # A pixel's number is itself a pixel: going on to that one's number halves the way.
        smallest = np.where(mask, np.concatenate([[0], smallest.ravel()])[smallest], 0)
        if (smallest == numbers).all():
            break
        numbers = smallest
    found = [numbers == number for number in np.unique(numbers) if number]
    return sorted((part for part in found if part.sum() >= SMALLEST), key=lambda part: -part.sum())


def box_of(mask):
    """The part's bounding box, scaled to BOX x BOX."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    return np.asarray(Image.fromarray(cut.astype("uint8") * 255).resize((BOX, BOX), Image.BILINEAR)) > 127


def outlines():
    """Every shape as its box."""
    found = {}
    for shape in scenes.SHAPES:
        scene = dict(ground="white", objects=[(shape, "black", 0.5, 0.5, 0.3)])
        found[shape] = box_of(np.asarray(scenes.draw(scene, 256)).mean(-1) < 128)
    return found


OUTLINES = outlines()


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def inside_of(mask):
    """The part without its edge, whose colours are mixed; all of it where nothing else is left."""
    edge = np.pad(mask, 1)
    inner = mask & edge[:-2, 1:-1] & edge[2:, 1:-1] & edge[1:-1, :-2] & edge[1:-1, 2:]
    return inner if inner.any() else mask


def look(picture):
    """The ground's name and the parts of a picture (h, w, 3), the largest first."""
    picture = np.asarray(picture, float)
    side = len(picture)
    border = np.concatenate([picture[:3].reshape(-1, 3), picture[-3:].reshape(-1, 3),
                             picture[:, :3].reshape(-1, 3), picture[:, -3:].reshape(-1, 3)])
    ground_color = np.median(border, 0)
    parts = []
    for mask in connected_parts(np.abs(picture - ground_color).mean(-1) > DIFFERENT):
        box = box_of(mask)
        rows, columns = np.nonzero(mask)
        parts.append(Part(
            shape=max(OUTLINES, key=lambda name: overlap(box, OUTLINES[name])),
            color=nearest(np.median(picture[inside_of(mask)], 0), scenes.COLORS),
            x=(columns.min() + columns.max() + 1) / 2 / side, y=(rows.min() + rows.max() + 1) / 2 / side,
            size=max(np.ptp(rows), np.ptp(columns)) / side))
    return nearest(ground_color, scenes.GROUNDS), parts


def relation_holds(relation, first, second):
    """Whether one part stands as the relation says of another, and not askew."""
    dx, dy = second.x - first.x, second.y - first.y
    along = {"left of": dx, "right of": -dx, "above": dy, "below": -dy}[relation]
    across = dy if relation in ("left of", "right of") else dx
    return along > 2 * abs(across)


def place_is_right(scene, parts):
    """Two in their relation; one in the middle, large or small as said."""
    if scene["relation"]:
        return relation_holds(scene["relation"], *parts)
    part = parts[0]
    return abs(part.x - 0.5) < 0.15 and abs(part.y - 0.5) < 0.15 and (part.size > LARGE) == scene["big"]


def judge(scene, picture):
    """Whether ground, number, colours, shapes and place are what the scene says, and whether all are."""
    ground, parts = look(picture)
    wanted = scene["objects"]
    marks = dict(ground=ground == scene["ground"], number=len(parts) == len(wanted))
    marks.update(color=False, shape=False, place=False)
    if marks["number"]:
        orders = [parts, parts[::-1]]

        def agreement(order):
            return sum((part.color == thing[1]) + (part.shape == thing[0]) for part, thing in zip(order, wanted))
        # Which part is meant by which words is told by colour and shape; ties by place.
        best = max(orders, key=lambda order: (agreement(order), place_is_right(scene, order)))
        marks["color"] = all(part.color == thing[1] for part, thing in zip(best, wanted))
        marks["shape"] = all(part.shape == thing[0] for part, thing in zip(best, wanted))
        marks["place"] = place_is_right(scene, best)
    marks["all"] = all(marks.values())
    return marks


def spoiled(picture, rng):
    """A true picture as a decoder might paint it: a little blurred, with noise and a shift of brightness."""
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.0))), float)
    soft = soft + rng.normal(0, rng.uniform(0, 8), soft.shape) + rng.uniform(-6, 6, 3)
    return soft.clip(0, 255).round()


def calibrate(count, seed=5):
    """Parts of true pictures, spoiled a little, that the judge takes for right."""
    rng = np.random.default_rng(seed)
    marks = []
    for _ in range(count):
        scene = scenes.sample(rng)
        marks.append(judge(scene, spoiled(scenes.draw(scene), rng)))
    return {name: float(np.mean([mark[name] for mark in marks])) for name in marks[0]}


def false_praise(count, seed=6):
    """Part of true pictures that the judge takes for right although one word of the sentence is another."""
    rng = np.random.default_rng(seed)
    praised = 0
    for _ in range(count):
        scene = scenes.sample(rng)
        picture = spoiled(scenes.draw(scene), rng)
        shape, color, *rest = scene["objects"][0]
        taken = [scene["ground"], *(thing[1] for thing in scene["objects"])]
        if rng.random() < 0.5:
            color = str(rng.choice([name for name in scenes.COLORS if name not in taken]))
        else:
            shape = str(rng.choice([name for name in scenes.SHAPES if name != shape]))
        praised += judge(dict(scene, objects=[(shape, color, *rest), *scene["objects"][1:]]), picture)["all"]
    return praised / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*")
    parser.add_argument("--calibrate", type=int, metavar="N", help="true pictures to judge")
    arguments = parser.parse_args()
    if arguments.calibrate:
        right = calibrate(arguments.calibrate)
        print(f"of {arguments.calibrate} true pictures, taken for right (%): "
              + "  ".join(f"{name} {100 * part:.2f}" for name, part in right.items()))
        print(f"with one wrong word, taken for right: {100 * false_praise(arguments.calibrate):.2f} %")
    for path in arguments.pictures:
        ground, parts = look(Image.open(path).convert("RGB"))
        print(f"{path}: on {ground}: " + ", ".join(
            f"{part.color} {part.shape} at ({part.x:.2f}, {part.y:.2f}), size {part.size:.2f}" for part in parts))


if __name__ == "__main__":
    main()
