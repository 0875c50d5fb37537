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

WARM_UP = 100             # steps
LAST_RATE = 0.02          # of the learning rate, at the end of the clock
SAVE_EVERY = 60           # seconds


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal: every direction of a layer learns at the same rate.

    K. Jordan's method; updates have the size of AdamW's at the same learning rate. Matrices of one shape go together.
    """

    MOMENTUM = 0.95
    DECAY = 0.01
    STEPS = 5
    A, B, C = 3.4445, -4.7750, 2.0315         # a polynomial that drives singular values to about one

    def __init__(self, groups):
        super().__init__(groups, dict(lr=1e-3))

    @classmethod
    def orthogonal(cls, x):
        """The nearest orthogonal matrices, nearly, of a batch (n, rows, columns)."""
        tall = x.shape[1] > x.shape[2]
        x = x.mT if tall else x
        x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(cls.STEPS):
            product = x @ x.mT
            x = cls.A * x + (cls.B * product + cls.C * product @ product) @ x
        return x.mT if tall else x

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}
            for p in group["params"]:
                if p.grad is not None:
                    momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    momentum.lerp_(p.grad, 1 - self.MOMENTUM)
                    alike.setdefault(p.shape, []).append((p, p.grad.lerp(momentum, self.MOMENTUM)))
            for shape, members in alike.items():
                updates = self.orthogonal(torch.stack([update for _, update in members]))
                size = 0.2 * max(shape) ** 0.5
                for (p, _), update in zip(members, updates):
                    p.mul_(1 - group["lr"] * self.DECAY).add_(update, alpha=-group["lr"] * size)


class Stage:
    """A stage's state in WORK/NAME.pt: weights, their average, optimisers, steps and seconds of its own clock (:meth:`clock`).

    Groups of parameters learn by AdamW, those in `matrices` by Muon.
    """

    def __init__(self, work, name, module, groups, minutes, seed, matrices=()):
        self.path = Path(work) / f"{name}.pt"
        self.name, self.module, self.minutes, self.seed = name, module, minutes, seed
        self.optimisers = [torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.01)]
        self.optimisers += [Muon(matrices)] if matrices else []
        self.rates = [group["lr"] for group in self.groups]
        self.trained = [p for group in self.groups for p in group["params"]]
        self.average = [p.detach().clone() for p in self.trained]
        self.step, self.seconds = 0, 0.0
        if self.path.exists():
            self.resume()

    @property
    def groups(self):
        return [group for optimiser in self.optimisers for group in optimiser.param_groups]

    @staticmethod
    def clock():
        """Seconds of the processor's time, by threads: what others do on the machine does not shorten a stage."""
        return time.process_time() / torch.get_num_threads()

    @property
    def progress(self):
        """From 0 to 1 on the stage's clock."""
        return min(1.0, self.seconds / (60 * self.minutes))

    def resume(self):
        state = torch.load(self.path, weights_only=True)
        self.module.load_state_dict(state["weights"])
        for optimiser, its_state in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(its_state)
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]

    def save(self):
        """The state, and beside it in "result" the averaged weights that the next stage reads."""
        weights = self.module.state_dict()
        result = {name: t.clone() for name, t in weights.items()}
        named = {id(p): name for name, p in self.module.named_parameters()}
        result.update((named[id(p)], average) for p, average in zip(self.trained, self.average))
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        state = dict(weights=weights, optimisers=optimisers, average=self.average, step=self.step,
                     seconds=self.seconds, result=result)
        beside = self.path.with_suffix(".new")
        torch.save(state, beside)
        os.replace(beside, self.path)

    def set_rates(self):
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.progress)
        factor = min(1, (self.step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)
        for group, rate in zip(self.groups, self.rates):
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
            start = self.clock()
            rng = np.random.default_rng([self.seed, self.step])
            torch.manual_seed(self.seed * 1_000_003 + self.step)
            self.set_rates()
            parts = losses(rng, self)
            self.module.zero_grad()
            sum(parts.values()).backward()
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            for optimiser in self.optimisers:
                optimiser.step()
            self.step += 1
            self.update_average()
            seen.append({name: float(value.detach()) for name, value in parts.items()})
            self.seconds += self.clock() - start
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
