#!/usr/bin/env python3
"""What a smaller file costs in pictures and answers: the same sentences, seeds and questions for every model.

  python tools/miniature/evaluate.py BANTAM MODEL ... [--count 500] [--out FOLDER]

Every model paints the same sentences from the same noise, and the judge says what each picture shows; every model
answers the same questions about the same true pictures, one half descriptions, one half short. The first MODEL is what
the others are compared with, picture by picture and answer by answer: exact test of McNemar, and the 95 % interval of
the difference (Agresti and Min). Writes OUT/evaluation.json and OUT/evaluation.md, and keeps the pictures there: an evaluation that was
stopped goes on with them.
"""
import argparse
import json
import math
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import judge
import scenes

SETTINGS = ("count", "held_out", "seed", "steps", "decoder_steps", "guidance")
PAINTED = ("ground", "number", "color", "shape", "place", "all")


def make_tasks(count, seed, held_out):
    """Scenes, each with its sentence and a question about its true picture; a part of them has a held-out pair."""
    rng, tasks = np.random.default_rng(seed), []
    while len(tasks) < count:
        unseen = len(tasks) < held_out * count
        scene = scenes.sample(rng)
        if scenes.is_seen(scene) == unseen:
            continue
        described = len(tasks) % 2 == 0
        question, answer = (scenes.describe_question if described else scenes.short_question)(scene, rng)
        tasks.append(dict(scene=scene, sentence=scenes.full_sentence(scene), seen=not unseen, described=described,
                          question=question, answer=answer))
    return tasks


def run(command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def paint(options, model, task, number, folder):
    """Marks of the picture that the model paints."""
    path = folder / f"{number:04}.png"
    if not path.exists():
        run([options.bantam, "generate", model, task["sentence"], "-o", path, "--seed", number, "--quiet",
             "--threads", 1, "--guidance", options.guidance, "--steps", options.steps,
             "--decoder-steps", options.decoder_steps])
    return judge.judge(task["scene"], Image.open(path).convert("RGB"))


def ask(options, model, task, picture):
    """The model's answer about a true picture."""
    return run([options.bantam, "describe", model, picture, task["question"], "--greedy", "--quiet", "--threads", 1,
                "--max-tokens", 40]).strip()


def evaluate(options, model, tasks, folder):
    """What a model gets right of every task."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(number):
        task = tasks[number]
        marks = paint(options, model, task, number, folder)
        said = ask(options, model, task, options.out / "true" / f"{number:04}.png")
        return dict({name: bool(mark) for name, mark in marks.items()}, answer=said == task["answer"], said=said)

    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(one, range(len(tasks))))


def mcnemar(only_first, only_second):
    """Two-sided exact probability of so uneven a split, were both equally good."""
    together = only_first + only_second
    tail = sum(math.comb(together, k) for k in range(min(only_first, only_second) + 1)) / 2 ** together
    return min(1.0, 2 * tail)


def paired(first, second):
    """Second minus first, with its 95 % interval and the exact test."""
    only_first = sum(a and not b for a, b in zip(first, second))
    only_second = sum(b and not a for a, b in zip(first, second))
    b, c, n = only_first + 0.5, only_second + 0.5, len(first) + 2
    middle, half = (c - b) / n, 1.96 * math.sqrt(b + c - (b - c) ** 2 / n) / n
    return dict(difference=(only_second - only_first) / len(first), interval=[middle - half, middle + half],
                only_first=only_first, only_second=only_second, probability=mcnemar(only_first, only_second))


def groups_of(tasks, counted):
    """What is counted apart: name, key of the result, and the tasks' numbers, of those that count."""
    for seen, name in ((True, "seen pairs"), (False, "held-out pairs")):
        chosen = [i for i in counted if tasks[i]["seen"] == seen]
        for key in PAINTED:
            yield f"picture: {key}, {name}", key, chosen
        for described, kind in ((True, "descriptions word for word"), (False, "short answers")):
            yield f"{kind}, {name}", "answer", [i for i in chosen if tasks[i]["described"] == described]
    yield "picture: all", "all", counted
    yield "answers", "answer", counted


def summarise(tasks, counted, results):
    """Rows of figures: right by model, and each later model beside the first."""
    rows = []
    names = list(results)
    for name, key, chosen in groups_of(tasks, counted):
        if not chosen:
            continue
        right = {model: [bool(results[model][i][key]) for i in chosen] for model in names}
        rows.append(dict(name=name, count=len(chosen), right={model: sum(r) for model, r in right.items()},
                         paired={model: paired(right[names[0]], right[model]) for model in names[1:]}))
    return rows


def markdown(rows, names):
    """One table: parts that are right in percent, and the differences in points."""
    first, *others = names
    head = ["what", "of", f"{first} %"]
    for name in others:
        head += [f"{name} %", f"{name} - {first}, points [95 %]", "only one right", "p"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        def percent(model):
            return f"{100 * row['right'][model] / row['count']:.1f}"
        cells = [row["name"], str(row["count"]), percent(first)]
        for name in others:
            p = row["paired"][name]
            low, high = (100 * end for end in p["interval"])
            cells += [percent(name), f"{100 * p['difference']:+.1f} [{low:+.1f}, {high:+.1f}]",
                      f"{p['only_first']} : {p['only_second']}", f"{p['probability']:.2g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bantam")
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--held-out", type=float, default=0.2, help="part of the sentences with a held-out pair")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--decoder-steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=2)
    parser.add_argument("--leave-out", type=Path, help="sentences, one a line, that do not count: those a file was calibrated with")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    options = parser.parse_args()
    names = [model.stem for model in options.models]
    if len(set(names)) < len(names):
        parser.error("two models bear one name")
    tasks = make_tasks(options.count, options.seed, options.held_out)
    (options.out / "true").mkdir(parents=True, exist_ok=True)
    settings = {name: getattr(options, name) for name in SETTINGS}
    noted = options.out / "settings.json"
    if noted.exists() and json.loads(noted.read_text()) != settings:
        parser.error(f"{options.out} holds pictures of other settings")
    noted.write_text(json.dumps(settings) + "\n")
    for number, task in enumerate(tasks):
        scenes.draw(task["scene"]).save(options.out / "true" / f"{number:04}.png")
    calibration = dict(judge.calibrate(options.count), one_wrong_word=judge.false_praise(options.count))
    results = {name: evaluate(options, model, tasks, options.out / name) for name, model in zip(names, options.models)}
    left_out = set(options.leave_out.read_text().splitlines()) if options.leave_out else set()
    rows = summarise(tasks, [i for i, task in enumerate(tasks) if task["sentence"] not in left_out], results)
    document = dict(settings=settings, judge=calibration, rows=rows, tasks=tasks, results=results)
    (options.out / "evaluation.json").write_text(json.dumps(document, indent=1) + "\n")
    table = markdown(rows, names)
    (options.out / "evaluation.md").write_text(table)
    print(f"the judge takes {100 * calibration['all']:.1f} % of true pictures for right, and "
          f"{100 * calibration['one_wrong_word']:.1f} % of those with one wrong word\n\n{table}", end="")


if __name__ == "__main__":
    main()
