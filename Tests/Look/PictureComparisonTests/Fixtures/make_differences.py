#!/usr/bin/env python3
"""Writes small pictures, a reference and others like it, and how far apart other programs find them.

Run as `python3 make_differences.py`; what it ran with and the pictures' digests stand in expected.json.
PSNR and SSIM are scikit-image's. HaarPSI is piq's in float64, with the colours' matrix of the paper's authors, which piq rounds otherwise;
of sides under 16, which piq refuses, it is `convolved_haarpsi`, which must give what piq gives elsewhere.
"""
import hashlib
import importlib
import json
import os
import platform

import numpy as np
import PIL
import piq
import scipy.signal
import skimage
import torch
from PIL import Image, ImageFilter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEIGHT = 48, 36

# Not piq.haarpsi, which is the function.
haarpsi = importlib.import_module("piq.haarpsi")
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
haarpsi.rgb2yiq = lambda x: torch.einsum("ij,bjhw->bihw", torch.tensor(YIQ), x)


def convolved_haarpsi(a, b):
    """HaarPSI as the paper has it: whole planes, convolved with zeros around them, the window's middle as in MATLAB's conv2."""
    def convolved(plane, kernel):
        return scipy.signal.convolve2d(plane[::-1, ::-1], kernel[::-1, ::-1], mode="same")[::-1, ::-1]

    def edges(plane, scale):
        wavelet = np.full((2**scale, 2**scale), 2.0**-scale)
        wavelet[:2**scale // 2] *= -1
        return np.abs([convolved(plane, wavelet), convolved(plane, wavelet.T)])

    def alike(x, y):
        return (2 * x * y + 30) / (x**2 + y**2 + 30)

    mean = np.full((2, 2), 0.25)
    halves = [[convolved(p.astype(float) @ row, mean)[::2, ::2] for row in YIQ] for p in (a, b)]
    weights = np.maximum(*(edges(half[0], 3) for half in halves))
    alikes = sum(alike(*(edges(half[0], scale) for half in halves)) for scale in (1, 2)) / 2
    colours = sum(alike(*(np.abs(convolved(half[k], mean)) for half in halves)) for k in (1, 2)) / 2
    alikes, weights = np.stack([*alikes, colours]), np.stack([*weights, weights.mean(0)])
    mean = (weights / (1 + np.exp(-4.2 * alikes))).sum() / weights.sum()
    return (np.log(mean / (1 - mean)) / 4.2) ** 2


def reference():
    """A ball over a table, with stripes: edges, slopes and colours."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    picture = np.stack([150 + x, 170 - 2 * y, 120 + 2 * y], -1)
    picture[26:] = np.stack([140 - x, 90 + 0 * x, 50 + x], -1)[26:]
    picture[:20, 34:] *= np.where(x // 2 % 2 == 0, 0.45, 1.0)[:20, 34:, None]
    inside = (x - 18) ** 2 + (y - 19) ** 2 < 121
    shade = np.clip(1.1 - np.hypot(x - 14, y - 15) / 18, 0.1, 1)
    picture[inside] = (np.array([235, 60, 40]) * shade[..., None])[inside]
    return np.clip(picture, 0, 255).astype("uint8")


def others(base):
    rng = np.random.default_rng(7)
    image = Image.fromarray(base)
    yield "noise", np.clip(base + np.round(rng.normal(0, 6, base.shape)), 0, 255).astype("uint8")
    yield "blur", np.array(image.filter(ImageFilter.GaussianBlur(1.5)))
    yield "brighter", np.clip(base.astype(int) + 12, 0, 255).astype("uint8")
    # Red and blue change places: hardly any edge moves.
    yield "colours", base[:, :, ::-1].copy()
    one = base.copy()
    one[17, 29, 1] ^= 0x40
    yield "one-byte", one
    yield "black", np.zeros_like(base)


def measured(a, b):
    error = np.abs(a.astype(int) - b.astype(int))
    index = int(error.argmax())
    y, x, channel = (int(part) for part in np.unravel_index(index, error.shape))
    ssim = None
    if min(a.shape[:2]) >= 11:
        ssim = float(structural_similarity(
            a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255))
    haar = convolved_haarpsi(a, b)
    if min(a.shape[:2]) >= 16:
        tensors = [torch.tensor(p.astype("float64")).permute(2, 0, 1)[None] for p in (a, b)]
        of_piq = float(haarpsi.haarpsi(*tensors, data_range=255))
        assert abs(haar - of_piq) <= 1e-12 * of_piq
        haar = of_piq
    # scikit-image divides by zero where the pictures are equal.
    psnr = float(peak_signal_noise_ratio(a, b, data_range=255)) if error.any() else "inf"
    return dict(
        psnr_db=psnr, ssim=ssim, haarpsi=float(haar), mean_abs=float(error.mean()),
        max_abs=int(error.max()), x=x, y=y, channel=channel, changed_pixels=int(error.any(-1).sum()))


base = reference()
pictures = {"reference": base} | dict(others(base))
files = {}
for name, pixels in pictures.items():
    path = os.path.join(HERE, name + ".png")
    Image.fromarray(pixels).save(path, optimize=True)
    files[name + ".png"] = hashlib.sha256(pixels.tobytes()).hexdigest()

# Left, top, width, height: even and odd sides, the smallest with an SSIM, and less.
CROPS = [(0, 0, 48, 36), (0, 0, 47, 35), (5, 3, 33, 30), (12, 9, 11, 11), (20, 10, 17, 16), (3, 1, 11, 26), (8, 8, 10, 28), (24, 14, 7, 5), (29, 17, 1, 1)]
cases = []
for name, pixels in pictures.items():
    for left, top, width, height in CROPS:
        a, b = (p[top:top + height, left:left + width] for p in (base, pixels))
        cases.append(dict(other=name + ".png", crop=[left, top, width, height], **measured(a, b)))

made_with = {m.__name__: m.__version__ for m in (np, PIL, scipy, skimage, piq, torch)} | {"python": platform.python_version()}
with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump(dict(command="python3 make_differences.py", made_with=made_with, sha256_of_pixels=files, cases=cases), f, indent=0)
    f.write("\n")
