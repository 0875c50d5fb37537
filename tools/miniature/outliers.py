#!/usr/bin/env python3
"""Gives a release folder the outlier channels of large models without changing what it computes.

  python tools/miniature/outliers.py IN OUT [--factor 32] [--share 0.01] [--seed 0]
  python tools/miniature/outliers.py IN OUT --check       the same, and then both folders at work in PyTorch

In every norm whose output is read by matrices alone, one channel in a hundred (at least one) becomes 32 times as large,
and the matrices' columns that read it 32 times as small. Powers of two are exact in bf16: the two folders compute the
same numbers, but one has outliers in weights and activations, which is what quantization meets in large models.

  language model  input_layernorm              q, k, v
                  post_attention_layernorm     gate, up
                  norm                         lm_head and the DiT's caption_projection
  vision tower    norm1                        qkv
                  norm2                        gate, up
                  merger.ln_q                  merger.mlp.0, once for every patch of a token
  DiT             norm1.norm                   q, k, v of the features' attention, q of the condition's
                  norm1_context                k, v of the condition's attention
                  ffn_norm1                    linear_1, linear_3
                  caption_embedder.0           caption_embedder.1
  UNet            norm of an attention         proj_in
                  norm1, norm2, norm3          q, k, v; q of the condition's attention; ff.net.0.proj
  VAE             group_norm of an attention   q, k, v

Left as they are: norms behind a branch, which go into the sum (DiT norm2 and ffn_norm2, all of the EVA tower); norms of
queries and keys, read by no matrix; GroupNorms in front of a SiLU (all of the UNet's and VAE's residual blocks).
"""
import argparse
import hashlib
import math
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import folder

#: A norm (pattern of the name without ".weight") and what reads it; "{}" stands for what the pattern's group matched.
MAIN = [
    (r"(model\.layers\.\d+)\.input_layernorm", ["{}.self_attn.q_proj", "{}.self_attn.k_proj", "{}.self_attn.v_proj"]),
    (r"(model\.layers\.\d+)\.post_attention_layernorm", ["{}.mlp.gate_proj", "{}.mlp.up_proj"]),
    (r"(model)\.norm", ["lm_head", "{}.dit.model.caption_projection.linear_1"]),
    (r"(visual\.blocks\.\d+)\.norm1", ["{}.attn.qkv"]),
    (r"(visual\.blocks\.\d+)\.norm2", ["{}.mlp.gate_proj", "{}.mlp.up_proj"]),
    (r"(visual\.merger)\.ln_q", ["{}.mlp.0"]),
    (r"(model\.dit\.model\.layers\.\d+)\.norm1\.norm",
     ["{}.attn1.to_q", "{}.attn1.to_k", "{}.attn1.to_v", "{}.attn2.to_q"]),
    (r"(model\.dit\.model\.layers\.\d+)\.norm1_context", ["{}.attn2.to_k", "{}.attn2.to_v"]),
    (r"(model\.dit\.model\.layers\.\d+)\.ffn_norm1", ["{}.feed_forward.linear_1", "{}.feed_forward.linear_3"]),
    (r"(.*\.caption_embedder)\.0", ["{}.1"]),
]
DECODER = [
    (r"(.*attentions\.\d+)\.norm", ["{}.proj_in"]),
    (r"(.*transformer_blocks\.\d+)\.norm1", ["{}.attn1.to_q", "{}.attn1.to_k", "{}.attn1.to_v"]),
    (r"(.*transformer_blocks\.\d+)\.norm2", ["{}.attn2.to_q"]),
    (r"(.*transformer_blocks\.\d+)\.norm3", ["{}.ff.net.0.proj"]),
    (r"(.*attentions\.\d+)\.group_norm", ["{}.to_q", "{}.to_k", "{}.to_v"]),
]
TOLERANCE = 1e-5


def chosen_channels(name, width, share, seed):
    """One channel in 1 / share of a norm, drawn from its name and the seed."""
    drawn = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(drawn[:8], "little") >> 1)
    return torch.randperm(width, generator=generator)[:max(1, round(share * width))]


def enlarge(tensors, norm, readers, channels, factor):
    """The norm's channels times the factor, the columns that read them divided by it."""
    width = len(tensors[f"{norm}.weight"])
    for part in ("weight", "bias"):
        if f"{norm}.{part}" in tensors:
            tensors[f"{norm}.{part}"][channels] *= factor
    for reader in readers:
        weight = tensors[f"{reader}.weight"]
        for first in range(0, weight.shape[1], width):      # more than once where several norms lie side by side
            weight[:, first + channels] /= factor


def transform(tensors, rules, factor, share, seed):
    """Changes tensors in place; the number of norms and of channels that it changed."""
    norms = channels = 0
    for name in sorted(tensors):
        for pattern, readers in rules:
            match = re.fullmatch(pattern + r"\.weight", name)
            if match:
                norm = name.removesuffix(".weight")
                chosen = chosen_channels(norm, len(tensors[name]), share, seed)
                enlarge(tensors, norm, [reader.format(match[1]) for reader in readers], chosen, factor)
                norms, channels = norms + 1, channels + len(chosen)
    return norms, channels


def write_outliers(source, target, factor, share, seed):
    """A copy of the folder with outliers, in the source's own dtypes, shard by shard."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "SHA256SUMS"))
    where = folder.shard_map(source)
    main = {name: t for file in sorted(set(where.values())) for name, t in load_file(Path(source) / file).items()}
    counts = [transform(main, MAIN, factor, share, seed)]
    for file in sorted(set(where.values())):
        save_file({name: main[name] for name in where if where[name] == file}, Path(target) / file, {"format": "pt"})
    for part in (folder.UNET, folder.VAE):
        path = folder.decoder_file(source, part)
        tensors = load_file(path)
        counts.append(transform(tensors, DECODER, factor, share, seed))
        save_file(tensors, Path(target) / part / path.name, {"format": "pt"})
    return [sum(column) for column in zip(*counts)]


@torch.no_grad()
def outputs(path):
    """What a folder's networks compute of fixed inputs, in float."""
    import scenes
    import text
    model, words = folder.load_main(path), text.Words(path)
    unet, vae = folder.load_unet(path), folder.load_vae(path)
    generator = torch.Generator().manual_seed(1)
    scene = dict(ground="white", objects=[("star", "red", 0.5, 0.3, 0.18), ("ring", "blue", 0.5, 0.7, 0.18)])
    tokens = model.visual(text.normalise(text.resized(scenes.pixels([scene]))))
    asked = torch.tensor([words.question(scenes.DESCRIBE[0], tokens.shape[1])])
    states = model.states(*text.embed_with_pictures(model, words, asked, tokens))
    condition = text.query_states(model, [words.caption("A red star above a blue ring.")])
    features = torch.randn(1, unet.config.cross_attention_dim, 8, 8, generator=generator)
    for part in (1.0, 0.66, 0.33):                          # three steps of the flow
        features = features - 0.33 * model.dit(features, torch.tensor([int(1000 * part)]), condition)
    rows = features.flatten(2).transpose(1, 2)
    latents = torch.randn(1, unet.config.in_channels, 16, 16, generator=generator)
    added = dict(time_ids=torch.tensor([[1024, 1024, 0, 0, 128, 128]]), text_embeds=rows.mean(1))
    noise = unet(latents, torch.tensor([500]), encoder_hidden_states=rows, added_cond_kwargs=added).sample
    return dict(logits=model.lm_head(states), tokens=tokens, features=features, noise=noise,
                picture=vae.decode(latents / vae.config.scaling_factor).sample)


def check(source, target):
    """Compares what both folders compute; whether every output is the same within the tolerance."""
    before, after = outputs(source), outputs(target)
    worst = 0.0
    for name in before:
        difference = float((before[name] - after[name]).abs().max() / before[name].abs().max())
        worst = max(worst, difference)
        print(f"{name:10} largest difference {difference:.1e} of the largest value")
    return worst <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--factor", type=float, default=32, help="a power of two, so that nothing is rounded")
    parser.add_argument("--share", type=float, default=0.01, help="part of a norm's channels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare both folders in PyTorch")
    arguments = parser.parse_args()
    if math.frexp(arguments.factor)[0] != 0.5:
        parser.error("the factor must be a power of two")
    norms, channels = write_outliers(
        arguments.source, arguments.target, arguments.factor, arguments.share, arguments.seed)
    print(f"{arguments.target}: {channels} channels of {norms} norms times {arguments.factor:g}")
    if arguments.check and not check(arguments.source, arguments.target):
        raise SystemExit("the outputs differ")


if __name__ == "__main__":
    main()
