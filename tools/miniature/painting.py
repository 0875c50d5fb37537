"""Stages of the painting side's end: the autoencoder, the tower that gives features, the pool of both, and the UNet."""
import json
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import scenes
import text

EVA_SIDE = 448
FEATURES = 8              # rows and columns of features


def random_pictures(rng, count, side=scenes.SIDE):
    """Fresh scenes and their pictures as bytes (count, side, side, 3)."""
    fresh = [scenes.sample(rng) for _ in range(count)]
    return fresh, np.stack([np.asarray(scenes.draw(scene, side)) for scene in fresh])


def signed(pictures):
    """Bytes (b, h, w, 3) to floats (b, 3, h, w) from -1 to 1, as the autoencoder reads them."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1


def vae_losses(batch=12):
    """Absolute and squared error; latents of unit size at most, with noise on them so that neighbours mean alike."""
    def losses(rng, stage):
        side, count = (64, 2 * batch) if stage.progress < 0.1 else (scenes.SIDE, batch)
        x = signed(random_pictures(rng, count, side)[1])
        latents = stage.module.encode(x).latent_dist.mean
        y = stage.module.decode(latents + 0.05 * torch.randn_like(latents)).sample
        return dict(absolute=(y - x).abs().mean(), squared=2 * F.mse_loss(y, x),
                    size=1e-3 * latents.pow(2).mean())

    return losses


class EvaLessons(nn.Module):
    """The tower, and two heads that are thrown away: one paints the picture, one tells a feature's row and column.

    The UNet's cross-attention sees a set: features that do not say where they are cannot be put together.
    """

    def __init__(self, eva, width):
        super().__init__()
        self.eva = eva
        self.painter = nn.Sequential(
            nn.Conv2d(width, 192, 3, padding=1), nn.SiLU(), nn.Conv2d(192, 192, 3, padding=1), nn.SiLU(),
            nn.Conv2d(192, 3 * FEATURES ** 2, 1), nn.PixelShuffle(FEATURES))
        self.place = nn.Linear(width, 2 * FEATURES)


def features_of(eva, pictures):
    """Features (b, width, 8, 8) of bytes (b, h, w, 3)."""
    x = F.interpolate(torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), (EVA_SIDE, EVA_SIDE), mode="bicubic",
                      align_corners=False)
    return eva(text.normalise(x.permute(0, 2, 3, 1)))


def place_loss(lessons, features):
    """Row and column of every feature, through noise."""
    noisy = features + 0.3 * torch.randn_like(features)
    rows, columns = lessons.place(noisy.flatten(2).transpose(1, 2)).chunk(2, -1)
    at = torch.arange(FEATURES ** 2).repeat(len(features))
    return (F.cross_entropy(rows.flatten(0, 1), at // FEATURES) + F.cross_entropy(columns.flatten(0, 1), at % FEATURES))


def eva_losses(batch=8):
    def losses(rng, stage):
        pictures = random_pictures(rng, batch)[1]
        features = features_of(stage.module.eva, pictures)
        painted = stage.module.painter(features + 0.15 * torch.randn_like(features))
        wanted = F.interpolate(signed(pictures), painted.shape[2:], mode="area")
        mean, deviation = features.mean((0, 2, 3)), features.std((0, 2, 3))
        return dict(absolute=(painted - wanted).abs().mean(), squared=F.mse_loss(painted, wanted),
                    size=0.05 * (mean.pow(2).mean() + (deviation - 1).pow(2).mean()),
                    place=0.1 * place_loss(stage.module, features))

    return losses


@torch.no_grad()
def fill_pool(path, vae, eva, minutes, seed):
    """Scenes with latents and features, once for all stages that follow."""
    rng, start = np.random.default_rng([seed, 21]), time.time()
    pool, latents, features = [], [], []
    while time.time() - start < 60 * minutes:
        fresh, pictures = random_pictures(rng, 32)
        pool += fresh
        latents.append(vae.encode(signed(pictures)).latent_dist.mode() * vae.config.scaling_factor)
        features.append(features_of(eva, pictures))
    blank = features_of(eva, scenes.pixels([scenes.EMPTY]))
    latents, features = torch.cat(latents), torch.cat(features)
    torch.save(dict(scenes=json.dumps(pool), latents=latents, features=features, blank=blank), path)
    print(f"pool: {len(pool)} scenes; deviation of latents {latents.std():.3f}, of features {features.std():.3f}")


class Pool:
    """What `fill_pool` wrote."""

    def __init__(self, path):
        stored = torch.load(path, weights_only=True)
        self.scenes = json.loads(stored["scenes"])
        self.latents, self.features, self.blank = stored["latents"], stored["features"], stored["blank"]
        self.seen = [i for i, scene in enumerate(self.scenes) if scenes.is_seen(scene)]


def noise_levels(scheduler):
    """How much of the picture is left at each of the thousand times: diffusers' scaled linear schedule."""
    begin, end = scheduler["beta_start"] ** 0.5, scheduler["beta_end"] ** 0.5
    return torch.cumprod(1 - torch.linspace(begin, end, scheduler["num_train_timesteps"]) ** 2, 0)


def unet_losses(pool, scheduler, batch=32):
    """Noise of latents, given features with a little noise; one in ten of an empty picture, for guidance.

    Late times decide what is where, so they are drawn more often.
    """
    left = noise_levels(scheduler)
    time_ids = torch.tensor([1024, 1024, 0, 0, scenes.SIDE, scenes.SIDE]).expand(batch, -1)

    def losses(rng, stage):
        chosen = torch.from_numpy(rng.choice(len(pool.scenes), batch, replace=False))
        latents, features = pool.latents[chosen], pool.features[chosen].clone()
        features[torch.from_numpy(rng.random(batch) < 0.1)] = pool.blank
        states = (features + 0.1 * torch.randn_like(features)).flatten(2).transpose(1, 2)
        anywhere, late = rng.integers(0, 1000, batch), rng.integers(500, 1000, batch)
        t = torch.from_numpy(np.where(rng.random(batch) < 0.4, anywhere, late))
        part, noise = left[t].view(-1, 1, 1, 1), torch.randn_like(latents)
        guessed = stage.module(part.sqrt() * latents + (1 - part).sqrt() * noise, t, encoder_hidden_states=states,
                               added_cond_kwargs=dict(time_ids=time_ids, text_embeds=states.mean(1))).sample
        return dict(noise=F.mse_loss(guessed, noise))

    return losses
