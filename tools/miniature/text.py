"""Prompts, tokens and pictures as the release's processor hands them to the networks, in batches."""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
PATCH = 28                # side of the picture that one token of the vision tower stands for
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"
IGNORED = -100            # a label that no loss counts


def normalise(pictures):
    """Bytes (b, h, w, 3) to CLIP's normalised floats (b, 3, h, w)."""
    x = torch.as_tensor(pictures).permute(0, 3, 1, 2).float() / 255
    return (x - MEAN) / DEVIATION


def resized(pictures):
    """Square pictures, bytes, at the nearest multiple of a token's side, as the processor does."""
    side = round(pictures.shape[1] / PATCH) * PATCH
    return np.stack([np.asarray(Image.fromarray(p).resize((side, side), Image.BICUBIC)) for p in pictures])


class Words:
    """The tokenizer of a folder, and what is built with it."""

    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.id = self.tokenizer.token_to_id
        self.pad, self.end = self.id("<|endoftext|>"), self.id("<|im_end|>")

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(list(ids))

    def caption(self, caption):
        """The ids in front of the queries. A bare " " is the empty prompt, without a chat around it."""
        text = caption if caption == " " else (
            f"{SYSTEM}Please generate image based on the following caption: {caption}{ASSISTANT}")
        return self.encode(text) + [self.id("[IMG]")]

    def question(self, question, tokens):
        """The ids of a question about a picture of so many tokens."""
        picture = "<|vision_start|>" + "<|image_pad|>" * tokens + "<|vision_end|>"
        return self.encode(SYSTEM + picture + question + ASSISTANT)


def padded(rows, value):
    """Rows of different lengths as one tensor, filled behind."""
    length = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])


def picture_positions(length, first, side):
    """Positions (3, length) of a text with one picture of side * side tokens that begins at `first`.

    A token of the picture has its row and column; the text goes on behind the larger of the two.
    """
    at = torch.arange(length)
    positions = at.repeat(3, 1)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = slice(first, first + side * side)
    positions[:, inside] = first + torch.stack([torch.zeros(side * side, dtype=torch.long), y.flatten(), x.flatten()])
    positions[:, first + side * side:] += side - side * side
    return positions


def embed_with_pictures(model, words, ids, pictures):
    """Embeddings of padded ids in which each row's picture tokens stand, and positions. All rows begin alike."""
    tokens = pictures.shape[1]
    first = int((ids[0] == words.id("<|image_pad|>")).nonzero()[0])
    x = model.model.embed_tokens(ids)
    x = torch.cat([x[:, :first], pictures, x[:, first + tokens:]], 1)
    return x, picture_positions(ids.shape[1], first, round(tokens ** 0.5))


def answer_loss(model, words, pictures, questions, answers):
    """Cross-entropy of the answers' tokens; pictures as tokens (b, n, width)."""
    rows, labels = [], []
    for question, answer in zip(questions, answers):
        asked, said = words.question(question, pictures.shape[1]), words.encode(answer) + [words.end]
        rows.append(asked + said)
        labels.append([IGNORED] * (len(asked) - 1) + said + [IGNORED])
    states = model.states(*embed_with_pictures(model, words, padded(rows, words.pad), pictures))
    wanted = padded(labels, IGNORED)
    spoken = wanted != IGNORED
    return F.cross_entropy(model.lm_head(states[spoken]), wanted[spoken])


@torch.no_grad()
def answers(model, words, pictures, questions, longest=40):
    """Greedy answers to one question for each picture (tokens), as texts."""
    rows = [words.question(question, pictures.shape[1]) for question in questions]
    said = [[] for _ in rows]
    for _ in range(longest):
        open_rows = [i for i in range(len(rows)) if not said[i] or said[i][-1] != words.end]
        if not open_rows:
            break
        ids = padded([rows[i] + said[i] for i in open_rows], words.pad)
        states = model.states(*embed_with_pictures(model, words, ids, pictures[open_rows]))
        for state, i in zip(states, open_rows):
            said[i].append(int(model.lm_head(state[len(rows[i]) + len(said[i]) - 1]).argmax()))
    return [words.decode([t for t in row if t != words.end]).strip() for row in said]


def query_states(model, prompts):
    """The states of the queries behind prompts (lists of ids): the flow's condition, (b, queries, width)."""
    queries = model.model.latent_queries[0]
    count = len(queries)
    length = max(len(prompt) for prompt in prompts) + count
    rows = []
    for row, prompt in zip(model.model.embed_tokens(padded(prompts, 0)), prompts):
        row = torch.cat([row[:len(prompt)], queries])
        rows.append(F.pad(row, (0, 0, 0, length - len(row))))
    states = model.states(torch.stack(rows), torch.arange(length).repeat(3, 1))
    return torch.stack([state[len(prompt):len(prompt) + count] for state, prompt in zip(states, prompts)])
