"""The last stage: the vision tower learns shapes, the language model to name them; painting stays as it is."""
import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import scenes
import text

PICTURES = 4000           # rendered once; shifted and made noisy at every use
LOOKED_AT = 12            # pictures of one step, for the tower's own lesson
DESCRIBED = 8             # of these, and half as many short questions
CAPTIONS = 500            # whose states the language model must keep
KEPT = 3                  # of these in one step
THAW = 0.55               # the language model learns only after this part of the clock
GLANCE = 4                # before, questions are asked at every fourth step only: the tower must not leave its language
BACKGROUND = 0.3          # weight of tokens outside shapes, which are many and easy
REACH = 0.1               # a token half a token's side away from a shape still tells it
PLAIN = 0.1               # what lies deeper in a large shape sees one colour only, and is not asked for the shape
NOTHING = 0
SHAPE_NUMBERS = {shape: 1 + i for i, shape in enumerate(scenes.SHAPES)}
COLOR_NUMBERS = {color: 1 + i for i, color in enumerate(scenes.COLORS)}
STANDING_NUMBERS = {standing: 1 + i for i, standing in enumerate([*scenes.PLACES, "large", "small"])}
CLASSES = [1 + len(numbers) for numbers in (SHAPE_NUMBERS, COLOR_NUMBERS, STANDING_NUMBERS)]


class Lessons(nn.Module):
    """The model, and a head that is thrown away: every token of the tower tells the shape it lies in.

    It tells the kind of shape, its colour, and its standing: where it is beside the other, or how large where there is
    no other.

    Rings, stars and circles differ by what is around a token, so this teaches attention more quickly than answers do.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.head = nn.Linear(model.config["hidden_size"], sum(CLASSES))

    def split(self, tokens):
        return self.head(tokens).split(CLASSES, -1)


def standings(scene):
    """Where each shape stands beside the other; of a single one, its size."""
    if not scene["relation"]:
        return ["large" if scene["big"] else "small"]
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    return [scene["relation"], opposite[scene["relation"]]]


def token_labels(scene, side):
    """Shape, colour and standing of what each of side * side tokens lies in, as numbers (3, side * side).

    Shapes may be `text.IGNORED`.
    """
    y, x = (np.indices((side, side)) + 0.5) / side
    shapes, colors, places = labels = np.full((3, side, side), NOTHING)
    for (shape, color, at_x, at_y, r), standing in zip(scene["objects"], standings(scene)):
        distance = np.hypot(x - at_x, y - at_y)
        inside = distance < r + REACH
        shapes[inside], colors[inside] = SHAPE_NUMBERS[shape], COLOR_NUMBERS[color]
        places[inside] = STANDING_NUMBERS[standing]
        if scene["big"]:
            shapes[distance < r - PLAIN] = text.IGNORED
    return labels.reshape(3, -1)


class Gallery:
    """Pictures of seen pairs with their scenes, at the size that the tower gets."""

    def __init__(self, count, seed):
        rng = np.random.default_rng([seed, 77])
        self.scenes = [scenes.sample_seen(rng) for _ in range(count)]
        parts = [text.resized(scenes.pixels(self.scenes[i:i + 500])) for i in range(0, count, 500)]
        self.pictures = np.concatenate(parts)
        labels = [token_labels(scene, self.pictures.shape[1] // text.PATCH) for scene in self.scenes]
        self.labels = torch.from_numpy(np.stack(labels, 1))

    def batch(self, rng, count):
        """Numbers of pictures, and the pictures: shifted by up to two pixels, with noise as a decoder leaves."""
        chosen = rng.choice(len(self.scenes), count, replace=False)
        shift = tuple(rng.integers(-2, 3, 2))
        pixels = torch.from_numpy(np.roll(self.pictures[chosen], shift, (1, 2)))
        noise = torch.randn(pixels.shape) * torch.from_numpy(rng.uniform(0, 6, (count, 1, 1, 1)).astype("float32"))
        return chosen, text.normalise(pixels + noise)


def token_loss(lessons, tokens, gallery, chosen):
    """What tokens tell of the shapes they lie in."""
    loss = 0
    for logits, labels in zip(lessons.split(tokens), gallery.labels):
        weights = torch.ones(logits.shape[-1])
        weights[NOTHING] = BACKGROUND
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels[chosen].flatten(), weights)
    return loss


def questions_about(rng, chosen, gallery):
    """A description of each picture, and a short question about every other; their pictures, questions and answers."""
    pictures = [*range(len(chosen)), *range(0, len(chosen), 2)]
    asked = [scenes.describe_question(gallery.scenes[i], rng) for i in chosen]
    asked += [scenes.short_question(gallery.scenes[i], rng) for i in chosen[::2]]
    return pictures, *zip(*asked)


class Keeper:
    """States of captions before this stage, to which the language model is held: the flow was trained on them."""

    def __init__(self, model, words, count, seed):
        rng = np.random.default_rng([seed, 78])
        self.prompts = [words.caption(" ")]
        self.prompts += [words.caption(scenes.caption(scenes.sample_seen(rng), rng)) for _ in range(count - 1)]
        with torch.no_grad():
            self.states = [state for i in range(0, count, 50)
                           for state in text.query_states(model, self.prompts[i:i + 50])]

    def loss(self, model, rng, count):
        chosen = rng.choice(len(self.prompts), count, replace=False)
        chosen[0] = 0 if rng.random() < 0.2 else chosen[0]
        now = text.query_states(model, [self.prompts[i] for i in chosen])
        return F.mse_loss(now, torch.stack([self.states[i] for i in chosen]))


def losses_of(lessons, words, seed, pictures=PICTURES, captions=CAPTIONS):
    """The stage's losses, as a function of a generator of random numbers and the stage."""
    gallery = Gallery(pictures, seed)
    keeper = Keeper(copy.deepcopy(lessons.model), words, captions, seed)
    language = lessons.model.language_parameters()

    def losses(rng, stage):
        thawed = stage.progress >= THAW
        for p in language:
            p.requires_grad_(thawed)
        chosen, pixels = gallery.batch(rng, LOOKED_AT)
        tokens = lessons.model.visual(pixels)
        parts = dict(tokens=0.5 * token_loss(lessons, tokens, gallery, chosen))
        if thawed or stage.step % GLANCE == 0:
            about, questions, answers = questions_about(rng, chosen[:DESCRIBED], gallery)
            parts["answers"] = text.answer_loss(lessons.model, words, tokens[about], questions, answers)
        if thawed:
            parts["kept"] = 4 * keeper.loss(lessons.model, rng, KEPT)
        return parts

    return losses


@torch.no_grad()
def score(model, words, count, seed, seen=True):
    """Parts of descriptions (word for word) and of short questions that are answered right, on fresh scenes."""
    rng = np.random.default_rng([seed, 79])
    fresh = []
    while len(fresh) < count:
        scene = scenes.sample(rng)
        if scenes.is_seen(scene) == seen:
            fresh.append(scene)
    tokens = torch.cat([model.visual(text.normalise(text.resized(scenes.pixels(fresh[i:i + 50]))))
                        for i in range(0, count, 50)])
    right = []
    for ask in (scenes.describe_question, scenes.short_question):
        questions, wanted = zip(*(ask(scene, rng) for scene in fresh))
        said = text.answers(model, words, tokens, questions)
        right.append(float(np.mean([a == b for a, b in zip(said, wanted)])))
    return right
