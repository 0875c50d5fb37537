#!/usr/bin/env python3
"""Prompts and pictures with questions of the miniature's world, in sets that share no scene: for calibrating, for planning, for judging.

    python tools/miniature/subjects.py FOLDER [PROMPTS [PICTURES]]

Writes FOLDER/{calibrate,plan,judge}.txt, PROMPTS prompts each (default 32), and FOLDER/{calibrate,plan,judge}, PICTURES pictures each
(default 64), with a description asked for and a short question.
"""
import sys
from pathlib import Path

import numpy as np

import scenes


def main():
    folder, (prompts, pictures) = Path(sys.argv[1]), ([int(n) for n in sys.argv[2:4]] + [32, 64][len(sys.argv) - 2:])
    rng, seen = np.random.default_rng(2611), set()
    for name in ("calibrate", "plan", "judge"):
        sentences = []
        (folder / name).mkdir(parents=True, exist_ok=True)
        while len(sentences) < max(prompts, pictures):
            scene = scenes.sample_seen(rng)
            sentence = scenes.full_sentence(scene)
            if sentence in seen:
                continue
            seen.add(sentence)
            if len(sentences) < pictures:
                path = folder / name / f"{len(sentences):03}"
                scenes.draw(scene).save(path.with_suffix(".png"))
                questions = scenes.describe_question(scene, rng)[0], scenes.short_question(scene, rng)[0]
                path.with_suffix(".txt").write_text("\n".join(questions) + "\n")
            sentences.append(sentence)
        (folder / f"{name}.txt").write_text("\n".join(sentences[:prompts]) + "\n")


if __name__ == "__main__":
    main()
