#!/usr/bin/env python3
"""Trains the miniature, a BLIP3-o of eight million parameters that paints and names simple shapes.

  python tools/miniature/train.py STAGE WORK [--minutes M] [--seed S] [--template FOLDER]

Stages, in their order: vae eva pool lm unet t2i see, then export (writes WORK/model) and score. Each goes on where it
was stopped, saves every minute in WORK/STAGE.pt and ends after the minutes of its own clock. Sizes and words come from
the template, a release folder; what was not trained in WORK comes from it too, so that `see` alone trains the seeing of
the model that is there, and `pool lm t2i see` with another seed makes a second model for the same decoder.
"""
import argparse
from pathlib import Path

import torch

import folder
import networks
import painting
import seeing
import telling
import text
from training import Stage

TEMPLATE = Path(__file__).resolve().parents[2] / "miniature" / "model"
MINUTES = dict(vae=26, eva=36, pool=3, lm=38, unet=67, t2i=36, see=45)


class Work:
    """The working folder, and the template behind it."""

    def __init__(self, arguments):
        self.path, self.template, self.seed = Path(arguments.work), Path(arguments.template), arguments.seed
        self.pictures = arguments.pictures
        self.minutes = arguments.minutes or MINUTES.get(arguments.stage)
        self.path.mkdir(parents=True, exist_ok=True)
        self.config = folder.read_json(self.template / "config.json")
        self.words = text.Words(self.template)
        torch.manual_seed(self.seed)

    def result(self, stage, prefix=""):
        """Weights that a stage arrived at, of names that begin with the prefix, without it; None without the stage."""
        path = self.path / f"{stage}.pt"
        if not path.exists():
            return None
        weights = torch.load(path, weights_only=True)["result"]
        return {name[len(prefix):]: t for name, t in weights.items() if name.startswith(prefix)}

    def stage(self, name, module, groups, matrices=()):
        return Stage(self.path, name, module, groups, self.minutes, self.seed, matrices)

    def json(self, part):
        return folder.read_json(self.template / part / "config.json")

    def vae(self):
        vae = networks.make_vae(self.json(folder.VAE))
        vae.load_state_dict(self.result("vae") or folder.read_decoder(self.template, folder.VAE))
        return vae.eval()

    def eva_weights(self):
        return self.result("eva", "eva.") or folder.load_main(self.template).eva.state_dict()

    def main(self, stages=("see", "t2i", "lm")):
        """The main model: the result of the first of the stages that there is."""
        model = networks.Blip3o(self.config)
        found = (self.result(name, "" if name == "t2i" else "model.") for name in stages)
        weights = next((weights for weights in found if weights), None)
        model.load_state_dict(weights or folder.read_shards(self.template))
        model.eva.load_state_dict(self.eva_weights())
        return model

    def pool(self):
        return painting.Pool(self.path / "pool.pt")


def group(parameters, rate):
    return dict(params=list(parameters), lr=rate)


def vae(work):
    module = networks.make_vae(work.json(folder.VAE))
    work.stage("vae", module, [group(module.parameters(), 2e-3)]).run(painting.vae_losses())


def eva(work):
    sizes = work.config["eva_config"]
    module = painting.EvaLessons(networks.EvaTower(sizes), sizes["width"])
    work.stage("eva", module, [group(module.parameters(), 1e-3)]).run(painting.eva_losses())


def pool(work):
    tower = networks.EvaTower(work.config["eva_config"])
    tower.load_state_dict(work.eva_weights())
    painting.fill_pool(work.path / "pool.pt", work.vae(), tower, work.minutes, work.seed)


def lm(work):
    """From random weights, whatever the template holds."""
    module = telling.LanguageLessons(networks.Blip3o(work.config))
    learning = [*module.model.visual.parameters(), *module.model.language_parameters(), *module.guess.parameters()]
    work.stage("lm", module, [group(learning, 1.5e-3)]).run(telling.lm_losses(work.pool(), work.words))


def unet(work):
    module = networks.make_unet(work.json(folder.UNET))
    losses = painting.unet_losses(work.pool(), folder.read_json(
        work.template / "diffusion-decoder/scheduler/scheduler_config.json"))
    work.stage("unet", module, [group(module.parameters(), 1e-3)]).run(losses)


def t2i(work):
    """The flow alone; the language model stays as it is."""
    module = work.main(["lm"])
    losses = telling.flow_losses(work.pool(), work.words)
    work.stage("t2i", module, [group(module.dit.parameters(), 1e-3)]).run(losses)


def see(work):
    module = seeing.Lessons(work.main(["t2i"]))
    # Before the stage goes on: what must be kept are the states from before it.
    losses = seeing.losses_of(module, work.words, work.seed, work.pictures)
    tower = list(module.model.visual.parameters())
    matrices, others = [p for p in tower if p.ndim == 2], [p for p in tower if p.ndim != 2]
    groups = [group([*others, *module.head.parameters()], 2e-3), group(module.model.language_parameters(), 1e-3)]
    work.stage("see", module, groups, [group(matrices, 2e-3)]).run(losses)


def export(work):
    """The release folder WORK/model."""
    decoder = {part: work.result(name) or folder.read_decoder(work.template, part)
               for name, part in (("unet", folder.UNET), ("vae", folder.VAE))}
    main = work.main().state_dict()
    folder.write(work.template, work.path / "model", main, decoder[folder.UNET], decoder[folder.VAE])


def score(work):
    """Answers about fresh pictures, greedy, in PyTorch."""
    model = work.main().eval()
    for seen, count in ((True, 400), (False, 100)):
        descriptions, short = seeing.score(model, work.words, count, work.seed + 1000, seen)
        print(f"{count} pictures of {'seen' if seen else 'held-out'} pairs: descriptions word for word "
              f"{100 * descriptions:.1f} %, short answers {100 * short:.1f} %")


STAGES = dict(vae=vae, eva=eva, pool=pool, lm=lm, unet=unet, t2i=t2i, see=see, export=export, score=score)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("work")
    parser.add_argument("--minutes", type=float, help="length of the stage; default: as the model was trained")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--template", default=TEMPLATE, help="release folder: sizes, words, all that is not trained")
    parser.add_argument("--pictures", type=int, default=seeing.PICTURES, help="rendered for the stage see")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    STAGES[arguments.stage](Work(arguments))


if __name__ == "__main__":
    main()
