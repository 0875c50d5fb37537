#!/usr/bin/env python3
"""Speed of the networks at the release's full size beside PyTorch's, at the same number of threads.

  python benchmarks/networks.py MODEL.bantam [--only llm,decode,vision,dit,unet,vae] [--repeats 3] [--threads 2] [--side 128] [--modes f32,auto]

Needs torch, transformers and diffusers. PyTorch computes on random weights of the same shapes, in f32 and in bf16; where
they would not fit (the language model in f32), on fewer layers, and its time is scaled up. Ours and theirs take turns.
"""
import argparse
import gc
import json
import re
import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

UNET = dict(
    sample_size=128, in_channels=4, out_channels=4, flip_sin_to_cos=True, freq_shift=0,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], block_out_channels=[320, 640, 1280],
    layers_per_block=2, cross_attention_dim=1792, transformer_layers_per_block=[1, 2, 10],
    attention_head_dim=[5, 10, 20], use_linear_projection=True, addition_embed_type="text_time",
    addition_time_embed_dim=256, projection_class_embeddings_input_dim=3328)
VAE = dict(
    in_channels=3, out_channels=3, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
    block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4, sample_size=1024)


class Attention(nn.Module):
    def __init__(self, d, out):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.qn, self.kn = nn.LayerNorm(d), nn.LayerNorm(d)
        self.out = nn.Linear(d, d, bias=False) if out else None

    def forward(self, x, context, cos, sin, turn_keys):
        def heads(t):
            return t.view(*t.shape[:2], 28, 64).transpose(1, 2)

        def turn(t):
            a, b = t[..., 0::2], t[..., 1::2]
            return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
        q, k, v = turn(heads(self.qn(self.q(x)))), heads(self.kn(self.k(context))), heads(self.v(context))
        return F.scaled_dot_product_attention(q, turn(k) if turn_keys else k, v).transpose(1, 2).flatten(2)


class Layer(nn.Module):
    def __init__(self, d=1792, width=4864):
        super().__init__()
        self.own, self.cross = Attention(d, False), Attention(d, True)
        self.modulation = nn.Linear(1024, 4 * d)
        self.norms = nn.ModuleList(nn.RMSNorm(d, eps=1e-5) for _ in range(5))
        self.a, self.b, self.c = nn.Linear(d, width, bias=False), nn.Linear(d, width, bias=False), nn.Linear(width, d, bias=False)
        self.gate = nn.Parameter(torch.zeros(28))

    def forward(self, x, context, time_embedding, cos, sin):
        sa, ga, sm, gm = self.modulation(F.silu(time_embedding))[:, None].chunk(4, -1)
        h = self.norms[0](x) * (1 + sa)
        mixed = self.own(h, h, cos, sin, True)
        mixed = mixed + self.cross(h, self.norms[1](context), cos, sin, False) * self.gate.repeat_interleave(64)
        x = x + ga.tanh() * self.norms[2](self.cross.out(mixed))
        h = self.norms[3](x) * (1 + sm)
        return x + gm.tanh() * self.norms[4](self.c(F.silu(self.a(h)) * self.b(h)))


class DiT(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(24))
        self.caption = nn.Sequential(nn.Linear(3584, 1792), nn.GELU("tanh"), nn.Linear(1792, 1792))
        self.first, self.last = nn.Linear(1792, 1792), nn.Linear(1792, 1792)

    def forward(self, x, condition, time_embedding, cos, sin):
        context, x = self.caption(condition), self.first(x)
        for layer in self.layers:
            x = layer(x, context, time_embedding, cos, sin)
        return self.last(x)


def fill(module):
    with torch.no_grad():
        for p in module.parameters():
            p.uniform_(-0.02, 0.02)
    return module.eval()


def build(name, dtype, side):
    """A call, and by how much its time is scaled."""
    torch.set_default_dtype(dtype)
    try:
        if name == "llm":
            from transformers import Qwen2Config, Qwen2Model
            layers = 4 if dtype == torch.float32 else 28
            config = Qwen2Config(
                vocab_size=1000, hidden_size=3584, intermediate_size=18944, num_hidden_layers=layers,
                num_attention_heads=28, num_key_value_heads=4, attn_implementation="sdpa")
            model = fill(Qwen2Model(config))
            x = torch.randn(1, 110, 3584)
            return lambda: model(inputs_embeds=x, use_cache=False), 28 / layers
        if name == "decode":
            from transformers import DynamicCache, Qwen2Config, Qwen2ForCausalLM
            layers = 4 if dtype == torch.float32 else 28
            config = Qwen2Config(
                vocab_size=151668, hidden_size=3584, intermediate_size=18944, num_hidden_layers=layers,
                num_attention_heads=28, num_key_value_heads=4, attn_implementation="sdpa", tie_word_embeddings=False)
            model = fill(Qwen2ForCausalLM(config))
            cache = DynamicCache()
            for layer in range(layers):
                cache.update(torch.zeros(1, 4, 512, 128), torch.zeros(1, 4, 512, 128), layer)
            x = torch.randn(1, 1, 3584)
            return lambda: model(inputs_embeds=x, past_key_values=cache, use_cache=True), 28 / layers
        if name == "vision":
            from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
            config = Qwen2_5_VLConfig(
                text_config=dict(vocab_size=1000, hidden_size=128, intermediate_size=128, num_hidden_layers=1,
                                 num_attention_heads=2, num_key_value_heads=2),
                vision_config=dict(depth=32, hidden_size=1280, intermediate_size=3420, num_heads=16, out_hidden_size=3584,
                                   window_size=112, fullatt_block_indexes=[7, 15, 23, 31]), attn_implementation="sdpa")
            model = fill(Qwen2_5_VLForConditionalGeneration(config).model.visual)
            x = torch.randn(1024, 1176)
            return lambda: model(x, grid_thw=torch.tensor([[1, 32, 32]])), 1
        if name == "dit":
            model = fill(DiT())
            x, c = torch.randn(2, 64, 1792), torch.randn(2, 64, 3584)
            t, cos, sin = torch.randn(2, 1024), torch.randn(64, 32), torch.randn(64, 32)
            return lambda: model(x, c, t, cos, sin), 1
        if name == "unet":
            from diffusers import UNet2DConditionModel
            model = fill(UNet2DConditionModel(**UNET))
            x, p = torch.randn(2, 4, side, side), torch.randn(2, 64, 1792)
            added = dict(time_ids=torch.tensor([[1024, 1024, 0, 0, 1024, 1024]] * 2).to(dtype), text_embeds=p.mean(1))
            return lambda: model(x, 981, encoder_hidden_states=p, added_cond_kwargs=added), 1
        from diffusers import AutoencoderKL
        model = fill(AutoencoderKL(**VAE))
        z = torch.randn(1, 4, side, side)
        return lambda: model.decode(z), 1
    finally:
        torch.set_default_dtype(torch.float32)


def ours(arguments, name, products):
    command = [".build-programs/release/bantam-bench", "network", arguments.model, name]
    command += [str(arguments.side if name in ("unet", "vae") else 0), "1", str(arguments.threads), products]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"median (\d+) ms", text)[1]) / 1000, int(re.search(r"peak anonymous (\d+) MB", text)[1])


def theirs_in_process(name, dtype, side, repeats, threads):
    torch.set_num_threads(threads)
    with torch.inference_mode():
        call, scale = build(name, getattr(torch, dtype), side)
        call()
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * scale)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(dict(seconds=min(times) if repeats == 1 else statistics.median(times), peak=peak, scale=scale)))


def theirs(arguments, name, dtype):
    command = [sys.executable, __file__, arguments.model, "--theirs", name, dtype, "--side", str(arguments.side)]
    command += ["--threads", str(arguments.threads)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--only", default="llm,decode,vision,dit,unet,vae")
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--side", type=int, default=128)
    p.add_argument("--modes", default="f32,bf16", help="of ours; a quantized MODEL shows what int8 and auto are for")
    p.add_argument("--theirs", nargs=2, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.theirs:
        return theirs_in_process(*a.theirs, a.side, 1, a.threads)
    print("network  who            seconds   peak MB   our speed as a multiple of theirs")
    for name in a.only.split(","):
        rows = {}
        for _ in range(a.repeats):
            for products in a.modes.split(","):
                rows.setdefault(("bantam", products), []).append(ours(a, name, products))
            for dtype in ("float32", "bfloat16"):
                t = theirs(a, name, dtype)
                label = "PyTorch" if t["scale"] == 1 else "PyTorch (scaled)"
                rows.setdefault((label, dtype), []).append((t["seconds"], t["peak"]))
            gc.collect()
        medians = {k: statistics.median(x[0] for x in v) for k, v in rows.items()}
        for (who, dtype), runs in rows.items():
            ratios = "  ".join(
                f"{d}: {m / medians[who, dtype]:.2f}" for (w, d), m in medians.items() if w != "bantam")
            print(f"{name:8} {who + ' ' + dtype:26} {medians[who, dtype]:8.2f} {max(x[1] for x in runs):8}   "
                  + (ratios if who == "bantam" else ""), flush=True)


main()
