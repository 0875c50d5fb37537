"""One loop for all stages.

AdamW, warm-up and cosine on the stage's own clock, an average of the weights, and a state on disk every minute.
"""
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn

WARM_UP = 200             # steps
LAST_RATE = 0.02          # of the learning rate, at the end of the clock
SAVE_EVERY = 60           # seconds


class Stage:
    """A stage's state in WORK/NAME.pt: weights, their average, optimiser, steps and seconds of its own clock."""

    def __init__(self, work, name, module, groups, minutes, seed):
        self.path = Path(work) / f"{name}.pt"
        self.name, self.module, self.minutes, self.seed = name, module, minutes, seed
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.01)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.average = [p.detach().clone() for p in self.trained]
        self.step, self.seconds = 0, 0.0
        if self.path.exists():
            self.resume()

    @property
    def progress(self):
        """From 0 to 1 on the stage's clock."""
        return min(1.0, self.seconds / (60 * self.minutes))

    def resume(self):
        state = torch.load(self.path, weights_only=True)
        self.module.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]

    def save(self):
        """The state, and beside it in "result" the averaged weights that the next stage reads."""
        weights = self.module.state_dict()
        result = {name: t.clone() for name, t in weights.items()}
        named = {id(p): name for name, p in self.module.named_parameters()}
        result.update((named[id(p)], average) for p, average in zip(self.trained, self.average))
        state = dict(weights=weights, optimiser=self.optimiser.state_dict(), average=self.average, step=self.step,
                     seconds=self.seconds, result=result)
        beside = self.path.with_suffix(".new")
        torch.save(state, beside)
        os.replace(beside, self.path)

    def set_rates(self):
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        factor = min(1, (self.step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)
        for group, rate in zip(self.optimiser.param_groups, self.rates):
            group["lr"] = rate * factor

    @torch.no_grad()
    def update_average(self):
        keep = min(0.998, (self.step + 1) / (self.step + 10))
        for average, p in zip(self.average, self.trained):
            average.lerp_(p, 1 - keep)

    def run(self, losses):
        """Trains until the clock is over. `losses(rng, stage)` gives a dictionary; its values are summed."""
        last, seen, begun, first = time.time(), [], time.time(), self.step
        while self.progress < 1:
            start = time.time()
            rng = np.random.default_rng([self.seed, self.step])
            torch.manual_seed(self.seed * 1_000_003 + self.step)
            self.set_rates()
            parts = losses(rng, self)
            self.optimiser.zero_grad()
            sum(parts.values()).backward()
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            self.optimiser.step()
            self.step += 1
            self.update_average()
            seen.append({name: float(value.detach()) for name, value in parts.items()})
            self.seconds += time.time() - start
            if time.time() - last > SAVE_EVERY:
                self.report(seen, (self.step - first) / (time.time() - begun))
                self.save()
                last, seen = time.time(), []
        self.save()
        if seen:
            self.report(seen, (self.step - first) / max(1e-9, time.time() - begun))

    def report(self, seen, speed):
        names = dict.fromkeys(name for parts in seen for name in parts)
        means = {name: np.mean([parts[name] for parts in seen if name in parts]) for name in names}
        text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        print(f"{self.name} step {self.step} ({self.seconds / 60:.1f} min, {speed:.2f} a second)  {text}", flush=True)
