"""Reads and writes a release folder: JSON files, shards, and the decoder's two files."""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import networks

UNET = "diffusion-decoder/unet"
VAE = "diffusion-decoder/vae"


def read_json(path):
    return json.loads(Path(path).read_text())


def decoder_file(folder, part):
    """The weights' file of UNet or VAE, whatever its variant."""
    return next((Path(folder) / part).glob("diffusion_pytorch_model*.safetensors"))


def shard_map(folder):
    return read_json(Path(folder) / "model.safetensors.index.json")["weight_map"]


def read_shards(folder):
    """All tensors of the main model, by name, in float."""
    files = sorted(set(shard_map(folder).values()))
    return {name: t.float() for file in files for name, t in load_file(Path(folder) / file).items()}


def read_decoder(folder, part):
    return {name: t.float() for name, t in load_file(decoder_file(folder, part)).items()}


def load_main(folder):
    """The main model with the folder's weights."""
    model = networks.Blip3o(read_json(Path(folder) / "config.json"))
    model.load_state_dict(read_shards(folder))
    return model.eval()


def load_unet(folder):
    unet = networks.make_unet(read_json(Path(folder) / UNET / "config.json"))
    unet.load_state_dict(read_decoder(folder, UNET))
    return unet.eval()


def load_vae(folder):
    vae = networks.make_vae(read_json(Path(folder) / VAE / "config.json"))
    vae.load_state_dict(read_decoder(folder, VAE))
    return vae.eval()


def save_tensors(tensors, path, dtype):
    save_file({n: t.to(dtype).contiguous() for n, t in tensors.items()}, path, metadata={"format": "pt"})
    path.chmod(0o644)


def write(template, out, main, unet, vae, dtype=torch.bfloat16):
    """A folder with the JSON files and the shards' division of another; bf16, or f32 under names without a variant."""
    template, out = Path(template), Path(out)
    shutil.copytree(template, out, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "SHA256SUMS"))
    variant = "" if dtype == torch.float32 else ".bf16"
    where = shard_map(template)
    if set(where) != set(main):
        raise ValueError(f"names differ from the template's: {sorted(set(where) ^ set(main))[:5]}")
    for file in sorted(set(where.values())):
        save_tensors({n: main[n] for n in where if where[n] == file}, out / file, dtype)
    for part, tensors in ((UNET, unet), (VAE, vae)):
        save_tensors(tensors, out / part / f"diffusion_pytorch_model{variant}.safetensors", dtype)
    if dtype == torch.float32:
        index = read_json(template / "model.safetensors.index.json")
        index["metadata"]["total_size"] = sum(4 * t.numel() for t in main.values())
        (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
        config = read_json(template / "config.json")
        config["torch_dtype"] = config["vision_config"]["torch_dtype"] = "float32"
        (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
