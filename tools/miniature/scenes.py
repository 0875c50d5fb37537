"""The miniature's world: pictures of one or two simple shapes, with captions, questions and answers.

A scene is a dictionary: `ground` (a name), `objects` (each: shape, color, x, y, radius; places and sizes are fractions
of the picture's side), `big` (of a single shape: large or small) and `relation` (of two: where the first stands).
"""
import numpy as np
from PIL import Image, ImageDraw

SIDE = 128
COLORS = {
    "red": (214, 40, 40), "green": (44, 160, 60), "blue": (40, 80, 210), "yellow": (245, 210, 40),
    "orange": (245, 130, 30), "purple": (130, 50, 170), "black": (25, 25, 25), "white": (245, 245, 245)}
GROUNDS = {"white": (240, 240, 240), "gray": (140, 140, 140), "black": (30, 30, 30)}
SHAPES = ("circle", "square", "triangle", "star", "ring")
PLACES = {
    "left of": ((0.27, 0.5), (0.73, 0.5)), "right of": ((0.73, 0.5), (0.27, 0.5)),
    "above": ((0.5, 0.27), (0.5, 0.73)), "below": ((0.5, 0.73), (0.5, 0.27))}

#: Pairs that language model, vision tower and flow never see in training: whether words were learned, or pictures.
HELD_OUT = frozenset({
    ("purple", "star"), ("orange", "ring"), ("yellow", "triangle"), ("green", "square"), ("blue", "circle")})

#: What an empty prompt means.
EMPTY = dict(ground="gray", objects=[], big=None, relation=None)

RING_HOLE = 0.55          # the hole's radius, as a part of the ring's
OVERSAMPLING = 3          # edges are drawn at three times the size and averaged
JITTER = 0.03

DESCRIBE = ("What is in the picture?", "Describe the picture.", "What do you see?")
COUNT = "How many shapes are there?"
GROUND = "What color is the background?"


def corners(shape, x, y, r):
    """The polygon of a shape of radius r around (x, y)."""
    if shape == "square":
        return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
    if shape == "triangle":
        return [(x, y - 1.1 * r), (x + 1.1 * r, y + 0.9 * r), (x - 1.1 * r, y + 0.9 * r)]
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, 1.2 * r, 0.5 * r)
    return list(zip(x + reach * np.cos(angles), y + reach * np.sin(angles)))


def draw(scene, side=SIDE):
    """The scene as a PIL picture."""
    scale = side * OVERSAMPLING
    ground = GROUNDS[scene["ground"]]
    picture = Image.new("RGB", (scale, scale), ground)
    pen = ImageDraw.Draw(picture)
    for shape, color, x, y, r in scene["objects"]:
        x, y, r = x * scale, y * scale, r * scale
        if shape in ("circle", "ring"):
            pen.ellipse([x - r, y - r, x + r, y + r], fill=COLORS[color])
            if shape == "ring":
                hole = RING_HOLE * r
                pen.ellipse([x - hole, y - hole, x + hole, y + hole], fill=ground)
        else:
            pen.polygon(corners(shape, x, y, r), fill=COLORS[color])
    return picture.resize((side, side), Image.BOX)


def pixels(scenes):
    """Pictures of many scenes, (n, side, side, 3) bytes."""
    return np.stack([np.asarray(draw(scene)) for scene in scenes])


def sample(rng):
    """A scene; no shape has the colour of the ground, and two shapes have two colours."""
    ground = str(rng.choice(list(GROUNDS)))
    colors = [color for color in COLORS if color != ground]
    if rng.random() < 0.45:
        big = bool(rng.random() < 0.5)
        r = rng.uniform(0.3, 0.34) if big else rng.uniform(0.13, 0.16)
        x, y = 0.5 + rng.uniform(-JITTER, JITTER, 2)
        thing = (str(rng.choice(SHAPES)), str(rng.choice(colors)), float(x), float(y), float(r))
        return dict(ground=ground, objects=[thing], big=big, relation=None)
    relation = str(rng.choice(list(PLACES)))
    r = float(rng.uniform(0.16, 0.19))
    things = []
    for color, at in zip(rng.choice(colors, 2, replace=False), PLACES[relation]):
        x, y = np.asarray(at) + rng.uniform(-JITTER, JITTER, 2)
        things.append((str(rng.choice(SHAPES)), str(color), float(x), float(y), r))
    return dict(ground=ground, objects=things, big=None, relation=relation)


def is_seen(scene):
    """Whether the scene is free of held-out pairs."""
    return not any((thing[1], thing[0]) in HELD_OUT for thing in scene["objects"])


def sample_seen(rng):
    while True:
        scene = sample(rng)
        if is_seen(scene):
            return scene


def sentence(scene, with_size=True, with_ground=True):
    """What the scene shows, as part of a sentence."""
    shape, color = scene["objects"][0][:2]
    if scene["relation"]:
        other, its_color = scene["objects"][1][:2]
        text = f"a {color} {shape} {scene['relation']} a {its_color} {other}"
    else:
        size = ("large " if scene["big"] else "small ") if with_size else ""
        text = f"a {size}{color} {shape}"
    return text + (f" on a {scene['ground']} background" if with_ground else "")


def full_sentence(scene):
    """A caption that leaves nothing open."""
    text = sentence(scene)
    return text[0].upper() + text[1:] + "."


def description(scene):
    """The answer to "Describe the picture.": the same scene told from left to right or from top to bottom.

    A picture does not say which of two shapes was meant as the first; without a rule the answer would be a guess.
    """
    turned = {"right of": "left of", "below": "above"}.get(scene["relation"])
    if turned:
        scene = dict(scene, relation=turned, objects=scene["objects"][::-1])
    return full_sentence(scene)


def caption(scene, rng):
    """A caption as somebody might write it: sometimes without size or ground, with or without a capital."""
    text = sentence(scene, with_size=rng.random() < 0.6, with_ground=rng.random() < 0.8)
    opening = rng.random()
    if opening < 0.4:
        text = ("a picture of " if opening < 0.25 else "a photo of ") + text
    if rng.random() < 0.35:
        text = text[0].upper() + text[1:] + ("." if rng.random() < 0.5 else "")
    return text


def describe_question(scene, rng):
    return str(rng.choice(DESCRIBE)), description(scene)


def short_question(scene, rng):
    """A question of one word's answer: a shape's colour, the ground's, or how many shapes."""
    things = scene["objects"]
    kind = rng.random()
    if kind < 0.3:
        return GROUND, scene["ground"].capitalize() + "."
    distinct = len(things) == 1 or things[0][0] != things[1][0]
    if kind < 0.7 and distinct:
        shape, color = things[int(rng.integers(len(things)))][:2]
        return f"What color is the {shape}?", color.capitalize() + "."
    return COUNT, ("One.", "Two.")[len(things) - 1]


def question(scene, rng, descriptions=0.5):
    """A question and its answer."""
    return describe_question(scene, rng) if rng.random() < descriptions else short_question(scene, rng)
