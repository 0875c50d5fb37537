"""Stages of words: the language model learns what captions mean and to answer, the flow to paint what they mean."""
import torch
import torch.nn as nn
import torch.nn.functional as F

import scenes
import text

EMPTY_PROMPT = " "


class LanguageLessons(nn.Module):
    """The model, and a head that is thrown away: query i guesses feature i of a caption's picture.

    The flow's own loss hardly binds colours to words; this regression does, and the flow stands on it.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        width = model.config["hidden_size"]
        self.guess = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, model.config["eva_config"]["width"]))


def captioned(pool, words, rng, count):
    """Captions' ids and features of seen scenes of the pool."""
    chosen = rng.choice(pool.seen, count, replace=False)
    prompts = [words.caption(scenes.caption(pool.scenes[i], rng)) for i in chosen]
    return prompts, pool.features[torch.from_numpy(chosen)].clone()


def as_rows(features):
    return features.flatten(2).transpose(1, 2)


def guess_losses(lessons, pool, words, rng, batch):
    """What captions let expect; now and then the empty prompt, which means an empty picture."""
    prompts, features = captioned(pool, words, rng, batch)
    parts = dict(guess=F.mse_loss(lessons.guess(text.query_states(lessons.model, prompts)), as_rows(features)))
    if rng.random() < 0.05:
        empty = text.query_states(lessons.model, [words.caption(EMPTY_PROMPT)])
        parts["empty"] = 0.1 * F.mse_loss(lessons.guess(empty), as_rows(pool.blank))
    return parts


def answer_losses(lessons, words, rng, batch):
    """Questions about fresh pictures of seen pairs."""
    fresh = [scenes.sample_seen(rng) for _ in range(batch)]
    tokens = lessons.model.visual(text.normalise(text.resized(scenes.pixels(fresh))))
    questions, answers = zip(*(scenes.question(scene, rng) for scene in fresh))
    return dict(answers=text.answer_loss(lessons.model, words, tokens, questions, answers))


def lm_losses(pool, words, batch=24):
    """Questions and captions in turn."""
    def losses(rng, stage):
        if stage.step % 2:
            return guess_losses(stage.module, pool, words, rng, batch)
        return answer_losses(stage.module, words, rng, batch)

    return losses


def flow_losses(pool, words, batch=24, copies=2):
    """The velocity from features to noise; one condition in ten is zero, which is what guidance leads away from."""
    def losses(rng, stage):
        model = stage.module
        with torch.no_grad():
            prompts, features = captioned(pool, words, rng, batch)
            if rng.random() < 0.5:
                prompts[0], features[0] = words.caption(EMPTY_PROMPT), pool.blank[0]
            condition = text.query_states(model, prompts)
            condition[torch.from_numpy(rng.random(batch) < 0.1)] = 0
        features, condition = features.repeat(copies, 1, 1, 1), condition.repeat(copies, 1, 1)
        part = torch.sigmoid(1.2 * torch.randn(len(features)) + 0.5).clamp(0.001, 1)
        noise, amount = torch.randn_like(features), part.view(-1, 1, 1, 1)
        velocity = model.dit((1 - amount) * features + amount * noise, (1000 * part).long(), condition)
        return dict(flow=F.mse_loss(velocity, noise - features))

    return losses
