"""Writes the fixtures of this folder: small files of every layout, made by the libraries that own it, each with what
that library itself reads from it in a safetensors file beside it (NAME.expected.safetensors).

    python make_fixtures.py OUTPUT_FOLDER [group ...]

Groups: torch deepspeed gguf qwen quantized numpy zstd trainers scales parts. Needs torch, safetensors, numpy, gguf, mlx, bitsandbytes,
compressed-tensors, deepspeed, zstandard. The versions that made the committed files stand in README.md.
"""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

OUT = Path(sys.argv[1])
GROUPS = sys.argv[2:] or ["torch", "deepspeed", "gguf", "qwen", "quantized", "numpy", "zstd", "trainers", "scales", "parts"]


def expected(path, tensors):
    """What the owner of the layout reads, as plain contiguous tensors."""
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, f"{path}.expected.safetensors")


# PyTorch


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(6, 4)
        self.norm = torch.nn.LayerNorm(4)
        self.head = torch.nn.Linear(4, 6, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("steps", torch.arange(3))


def state():
    base = torch.randn(6, 8)
    tensors = OrderedDict()
    tensors["plain"] = base
    tensors["transposed"] = base.t()
    tensors["cut"] = base[1:5, 2:7]
    tensors["every second"] = base[:, ::2]
    tensors["row"] = base[3]
    tensors["column"] = base[:, 3]
    tensors["expanded"] = torch.randn(5, 1).expand(5, 7)
    tensors["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(3, 3))
    tensors["umläut ☃"] = torch.randn(2)
    tensors["special"] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])
    for name in ["float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]:
        tensors[name] = torch.randn(4, 3).to(getattr(torch, name))
    for name in ["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"]:
        tensors[name] = torch.arange(5).to(getattr(torch, name))
    tensors["float8 transposed"] = torch.randn(4, 3).to(torch.float8_e4m3fn).t()
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["complex64"] = torch.randn(3, dtype=torch.complex64)
    return tensors


def torch_fixtures():
    folder = OUT / "torch"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    tensors = state()
    module = Small()

    def save(name, value, weights, **options):
        torch.save(value, folder / name, **options)
        expected(folder / name, weights)

    save("plain.bin", tensors, tensors)
    # Protocol 0 cannot name a storage in a way that torch.load takes back.
    for protocol in (1, 3, 4, 5):
        save(f"protocol{protocol}.pt", tensors, tensors, pickle_protocol=protocol)
    save("before-zip.pth", tensors, tensors, _use_new_zipfile_serialization=False)
    save("before-zip-protocol4.pth", tensors, tensors, _use_new_zipfile_serialization=False, pickle_protocol=4)
    save("module.bin", module.state_dict(), module.state_dict())
    # A state_dict keeps its `_metadata`; the training state beside it is passed over.
    optimizer = torch.optim.AdamW(module.parameters())
    module.head(module.norm(module.embed(torch.arange(6)))).sum().backward()
    optimizer.step()
    run = {"epoch": 3, "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state(), "args": {"lr": 1e-3, "names": ["a", None]}}
    save("training.ckpt", {**run, "state_dict": module.state_dict()} | {"rng": [1, 2]}, module.state_dict())
    save("wrapped.pt", {"model": {"module": module.state_dict()}, "step": 7}, module.state_dict())
    save("nested.pt", {"encoder": {"weight": tensors["plain"]}, "layers": [{"bias": tensors["row"]}, {}]},
         {"encoder.weight": tensors["plain"], "layers.0.bias": tensors["row"]})
    save("one-tensor.pt", tensors["cut"], {"tensor": tensors["cut"]})
    torch.serialization.set_crc32_options(False)
    save("without-crc.pt", module.state_dict(), module.state_dict())
    torch.serialization.set_crc32_options(True)
    # The same archive as another zip writer makes it: zip64 fields on small entries, no data descriptors.
    with zipfile.ZipFile(folder / "module.bin") as source, zipfile.ZipFile(folder / "zip64.bin", "w") as target:
        for item in source.infolist():
            with target.open(zipfile.ZipInfo(item.filename), "w", force_zip64=True) as entry:
                entry.write(source.read(item))
    expected(folder / "zip64.bin", torch.load(folder / "zip64.bin"))

    sharded = OUT / "torch-sharded"
    sharded.mkdir(parents=True, exist_ok=True)
    names = ["plain", "bfloat16", "transposed", "scalar"]
    files = {name: f"pytorch_model-0000{1 + i // 2}-of-00002.bin" for i, name in enumerate(names)}
    for file in sorted(set(files.values())):
        torch.save({name: tensors[name] for name in names if files[name] == file}, sharded / file)
    (sharded / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}))
    torch.save({"lr": 1.0}, sharded / "training_args.bin")
    expected(sharded / "all", {name: tensors[name] for name in names})


# DeepSpeed


RUN = """
import os, sys, torch, deepspeed
rank = int(os.environ["RANK"])
stage, out = int(sys.argv[1]), sys.argv[2]
torch.manual_seed(3)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(5, 7)
        self.b = torch.nn.Linear(7, 3, bias=False)
        self.frozen = torch.nn.Linear(3, 3)
        self.register_buffer("scale", torch.tensor([2.0, 3.0]))
        for parameter in self.frozen.parameters():
            parameter.requires_grad = False
    def forward(self, x):
        return self.frozen(self.b(self.a(x))).sum() * self.scale[0]

model = Net()
groups = [{"params": [model.a.weight, model.b.weight]}, {"params": [model.a.bias], "weight_decay": 0.0}]
config = {
    "train_micro_batch_size_per_gpu": 2, "bf16": {"enabled": True},
    "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0, "sub_group_size": 20},
    "zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False,
}
optimizer = torch.optim.AdamW(groups, lr=0.1)
engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
for _ in range(2):
    loss = engine(torch.randn(2, 5, dtype=torch.bfloat16))
    engine.backward(loss)
    engine.step()
engine.save_checkpoint(out)
"""


def deepspeed_fixtures():
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    for stage in (2, 3):
        folder = OUT / f"deepspeed-{stage}"
        folder.mkdir(parents=True, exist_ok=True)
        script = OUT / "run.py"
        script.write_text(RUN)
        environment = {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "WORLD_SIZE": "2", "DS_ACCELERATOR": "cpu",
            "TORCHELASTIC_USE_AGENT_STORE": "False", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
        }
        runs = [
            subprocess.Popen(
                [sys.executable, script, str(stage), folder],
                env={**os.environ, **environment, "RANK": str(rank), "LOCAL_RANK": str(rank)})
            for rank in range(2)
        ]
        assert all(run.wait() == 0 for run in runs)
        script.unlink()
        for script in folder.glob("zero_to_*.py"):
            script.unlink()
        if stage == 3:
            merged = get_fp32_state_dict_from_zero_checkpoint(str(folder))
        else:
            step = next(folder.glob("global_step*"))
            merged = torch.load(step / "mp_rank_00_model_states.pt", weights_only=False)["module"]
            for file in step.glob("*_optim_states.pt"):
                file.unlink()
        expected(folder / "all", merged)


# GGUF


def gguf_fixtures():
    import gguf
    from gguf import GGMLQuantizationType as Type

    folder = OUT / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    # Where the f16 scales of a block stand: random bits there would mostly be huge.
    scales = {
        Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
        Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
        Type.MXFP4: [],
    }
    listed = [Type.IQ2_XXS, Type.IQ3_S, Type.TQ1_0, Type.Q8_K]
    writer = gguf.GGUFWriter(folder / "types.gguf", "test")
    for name, value in [
        ("uint8", 200), ("int8", -3), ("uint16", 60000), ("int16", -300), ("uint32", 4000000000), ("int32", -70000),
        ("uint64", 2**63 + 5), ("int64", -(2**40)), ("float32", 0.1), ("float64", 0.1), ("bool", True), ("string", "päck ☃"),
    ]:
        getattr(writer, f"add_{name}")(f"test.{name}", value)
    writer.add_array("test.strings", [f"token {i}" for i in range(300)])
    writer.add_array("test.numbers", list(range(1000)))
    values = {}
    for kind, places in scales.items():
        size, width = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (3, 768 // size * width), dtype=np.uint8)
        view = blocks.reshape(-1, width)
        for place in places:
            view[:, place : place + 2] = rng.normal(size=len(view)).astype(np.float16).view(np.uint8).reshape(-1, 2)
        if kind == Type.MXFP4:
            view[:, 0] = rng.integers(0, 200, len(view))
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        values[kind.name] = torch.from_numpy(gguf.dequantize(blocks, kind).copy())
    for kind in listed:
        size, width = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor(kind.name, rng.integers(0, 256, (2, 256 // size * width), dtype=np.uint8), raw_dtype=kind)
    floats = rng.normal(size=(3, 5)).astype(np.float32)
    writer.add_tensor("f32", floats)
    values["f32"] = torch.from_numpy(floats)
    writer.add_tensor("f16", floats.astype(np.float16))
    values["f16"] = torch.from_numpy(floats).half()
    brain = torch.from_numpy(floats).bfloat16()
    writer.add_tensor("bf16", brain.view(torch.int16).numpy().view(np.uint8), raw_dtype=Type.BF16)
    values["bf16"] = brain
    for name in ["int8", "int16", "int32", "int64", "float64"]:
        array = np.arange(24).reshape(2, 3, 4).astype(name)
        writer.add_tensor(name, array)
        values[name] = torch.from_numpy(array)
    writer.add_tensor("four", np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5))
    values["four"] = torch.arange(120, dtype=torch.float32).reshape(2, 3, 4, 5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected(folder / "types.gguf", values)
    # Version 2 differs from 3 in its number alone where no tensor is big-endian.
    data = bytearray((folder / "types.gguf").read_bytes())
    data[4:8] = struct.pack("<I", 2)
    (folder / "version2.gguf").write_bytes(data)
    expected(folder / "version2.gguf", values)

    split = OUT / "gguf-split"
    split.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(split / "model.gguf", "test", split_max_tensors=2)
    values = {}
    for index in range(5):
        array = rng.normal(size=(2, 32)).astype(np.float32)
        values[f"t{index}"] = torch.from_numpy(array)
        writer.add_tensor(f"t{index}", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected(split / "all", values)


def qwen_fixtures():
    """A Qwen2.5-VL of toy size under the release's names, and as llama.cpp holds it: language model and mmproj.

    The names come from gguf-py's own tables; what its converter does to the vision tower (qkv cut in three, the two
    frames of the patch embedding apart, vectors in f32) is done here as `Qwen2VLVisionModel` does it.
    """
    import gguf

    folder = OUT / "qwen"
    (folder / "release").mkdir(parents=True, exist_ok=True)
    (folder / "gguf").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(9)
    h, kv, ffn, layers, vocab, vis, vffn, depth = 64, 32, 96, 2, 40, 32, 48, 2
    llm = {"model.embed_tokens.weight": (vocab, h), "model.norm.weight": (h,), "lm_head.weight": (vocab, h)}
    for i in range(layers):
        p = f"model.layers.{i}."
        llm |= {p + "input_layernorm.weight": (h,), p + "post_attention_layernorm.weight": (h,)}
        for name, rows in [("q", h), ("k", kv), ("v", kv)]:
            llm |= {p + f"self_attn.{name}_proj.weight": (rows, h), p + f"self_attn.{name}_proj.bias": (rows,)}
        llm |= {p + "self_attn.o_proj.weight": (h, h), p + "mlp.down_proj.weight": (h, ffn)}
        llm |= {p + "mlp.gate_proj.weight": (ffn, h), p + "mlp.up_proj.weight": (ffn, h)}
    tower = {"visual.patch_embed.proj.weight": (vis, 3, 2, 14, 14), "visual.merger.ln_q.weight": (vis,)}
    for i in range(depth):
        p = f"visual.blocks.{i}."
        tower |= {p + "norm1.weight": (vis,), p + "norm2.weight": (vis,)}
        for name, rows, columns in [
            ("attn.qkv", 3 * vis, vis), ("attn.proj", vis, vis), ("mlp.gate_proj", vffn, vis), ("mlp.up_proj", vffn, vis),
            ("mlp.down_proj", vis, vffn),
        ]:
            tower |= {p + name + ".weight": (rows, columns), p + name + ".bias": (rows,)}
    for name, rows in [("0", 4 * vis), ("2", h)]:
        tower |= {f"visual.merger.mlp.{name}.weight": (rows, 4 * vis), f"visual.merger.mlp.{name}.bias": (rows,)}
    weights = {name: torch.randn(shape).bfloat16() for name, shape in (llm | tower).items()}
    save_file(weights, folder / "release" / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["blip3oQwenForCausalLM"], "model_type": "blip3o_qwen", "hidden_size": h, "intermediate_size": ffn,
        "num_hidden_layers": layers, "vocab_size": vocab, "tie_word_embeddings": False,
        "vision_config": {
            "hidden_size": vis, "intermediate_size": vffn, "depth": depth, "in_channels": 3, "patch_size": 14,
            "temporal_patch_size": 2, "spatial_merge_size": 2,
        },
    }
    (folder / "release" / "config.json").write_text(json.dumps(config))

    def add(writer, name, tensor):
        if tensor.dim() == 1:
            writer.add_tensor(name, tensor.float().numpy())
        else:
            writer.add_tensor(name, tensor.view(torch.int16).numpy().view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)

    def finish(writer):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2VL, layers)
    writer = gguf.GGUFWriter(folder / "gguf" / "model.gguf", "qwen2vl")
    writer.add_block_count(layers)
    for name in llm:
        add(writer, names.get_name(name, try_suffixes=(".weight", ".bias")), weights[name])
    finish(writer)

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, 3)
    writer = gguf.GGUFWriter(folder / "gguf" / "mmproj.gguf", "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("qwen2.5vl_merger")
    for name in tower:
        if "patch_embed" in name:
            target = names.get_name(name, try_suffixes=(".weight",))
            for frame, ending in enumerate(["", ".1"]):
                add(writer, target + ending, weights[name][:, :, frame].contiguous())
        elif ".qkv." in name:
            for part, letter in zip(weights[name].chunk(3), "qkv"):
                add(writer, names.get_name(name.replace("qkv", letter), try_suffixes=(".weight", ".bias")), part.contiguous())
        else:
            add(writer, names.get_name(name, try_suffixes=(".weight", ".bias")), weights[name])
    finish(writer)


# Quantized safetensors


def quantized_fixtures():
    mlx_fixtures()
    bitsandbytes_fixtures()
    compressed_fixtures()
    block_fixtures()


def mlx_fixtures():
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    folder = OUT / "mlx"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    parts, values = {}, {}
    settings = {"group_size": 64, "bits": 4}

    def widened(array):
        return torch.from_numpy(np.array(array.astype(mx.float32)))

    for dtype in ["float32", "float16", "bfloat16"]:
        for bits in (2, 3, 4, 5, 6, 8):
            for group in (32, 64) if bits == 4 else (64,):
                name = f"{dtype}.bits{bits}.group{group}"
                weight = mx.array(rng.normal(size=(3, 192)).astype(np.float32)).astype(getattr(mx, dtype))
                q, s, b = mx.quantize(weight, group_size=group, bits=bits)
                parts |= {f"{name}.weight": q, f"{name}.scales": s, f"{name}.biases": b}
                values[f"{name}.weight"] = widened(mx.dequantize(q, s, b, group_size=group, bits=bits))
                if (bits, group) != (4, 64):
                    settings[name] = {"group_size": group, "bits": bits}
    parts["norm.weight"] = mx.ones((5,))
    values["norm.weight"] = torch.ones(5)
    mx.save_safetensors(str(folder / "model.safetensors"), parts, metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps({"model_type": "test", "quantization": settings}))
    expected(folder / "all", values)


def bitsandbytes_fixtures():
    import bitsandbytes.functional as bnb

    folder = OUT / "bitsandbytes"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(13)
    parts, values = {}, {}
    for kind in ("nf4", "fp4"):
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            for nested in (False, True):
                name = f"{kind}.{str(dtype)[6:]}.{'nested' if nested else 'single'}.weight"
                codes, state = bnb.quantize_4bit(
                    torch.randn(10, 2048).to(dtype), blocksize=64, compress_statistics=nested, quant_type=kind)
                parts[name] = codes
                parts |= {f"{name}.{key}": value.contiguous() for key, value in state.as_dict(packed=True).items()}
                values[name] = bnb.dequantize_4bit(codes, state).float()
    codes, scales, _ = bnb.int8_vectorwise_quant(torch.randn(6, 48).half())
    parts |= {"int8.weight": codes, "int8.SCB": scales, "int8.weight_format": torch.tensor(0, dtype=torch.uint8)}
    values["int8.weight"] = bnb.int8_vectorwise_dequant(codes, scales)
    # As trainers that shard parameters keep the codes: bytes in another type.
    name = "nf4.in-bfloat16.weight"
    codes, state = bnb.quantize_4bit(torch.randn(6, 64).half(), blocksize=64, quant_type="nf4", quant_storage=torch.bfloat16)
    parts[name] = codes
    parts |= {f"{name}.{key}": value.contiguous() for key, value in state.as_dict(packed=True).items()}
    values[name] = bnb.dequantize_4bit(codes, state).float()
    save_file(parts, folder / "model.safetensors")
    expected(folder / "all", values)


def compressed_fixtures():
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    folder = OUT / "compressed-tensors"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(17)
    parts, values = {}, {}
    for bits in (4, 8):
        for strategy, across in [("group", 3), ("channel", 1)]:
            for dtype in (torch.bfloat16, torch.float16, torch.float32):
                for symmetric in (True, False):
                    name = f"packed{bits}.{strategy}.{str(dtype)[6:]}.{'symmetric' if symmetric else 'asymmetric'}"
                    low = -(2 ** (bits - 1))
                    codes = torch.randint(low, -low, (10, 96), dtype=torch.int8)
                    scale = (torch.rand(10, across) + 0.5).to(dtype)
                    zero = None if symmetric else torch.randint(low, -low, (10, across), dtype=torch.int8)
                    parts[f"{name}.weight_packed"] = pack_to_int32(codes, bits)
                    parts[f"{name}.weight_scale"] = scale
                    parts[f"{name}.weight_shape"] = torch.tensor(codes.shape)
                    if zero is not None:
                        parts[f"{name}.weight_zero_point"] = pack_to_int32(zero, bits, packed_dim=0).contiguous()
                    arguments = QuantizationArgs(
                        num_bits=bits, strategy=strategy, group_size=32 if strategy == "group" else None, symmetric=symmetric)
                    read = unpack_from_int32(parts[f"{name}.weight_packed"], bits, codes.shape)
                    values[f"{name}.weight"] = dequantize(read, scale, zero, args=arguments).float()
    for dtype in (torch.bfloat16, torch.float32):
        codes = torch.randint(-128, 128, (6, 40), dtype=torch.int8)
        scale = (torch.rand(6, 1) + 0.5).to(dtype)
        name = f"int8.{str(dtype)[6:]}"
        parts |= {f"{name}.weight": codes, f"{name}.weight_scale": scale}
        values[f"{name}.weight"] = dequantize(codes, scale, args=QuantizationArgs(num_bits=8, strategy="channel")).float()
        codes = torch.randn(6, 40).to(torch.float8_e4m3fn)
        name = f"float8.{str(dtype)[6:]}"
        parts |= {f"{name}.weight": codes, f"{name}.weight_scale": scale[:1, 0].clone()}
        arguments = QuantizationArgs(num_bits=8, type="float", strategy="tensor")
        values[f"{name}.weight"] = dequantize(codes, scale[:1, 0], args=arguments).float()
    for rows, columns in [(20, 40), (16, 33)]:
        codes = torch.randn(rows, columns).to(torch.float8_e4m3fn)
        scale = torch.rand(-(-rows // 8), -(-columns // 16)) + 0.5
        parts |= {f"blocks{rows}.weight": codes, f"blocks{rows}.weight_scale": scale}
        values[f"blocks{rows}.weight"] = codes.float() * scale.repeat_interleave(8, 0)[:rows].repeat_interleave(16, 1)[:, :columns]
    save_file(parts, folder / "model.safetensors")
    groups = {f"group_{bits}": {"weights": {"num_bits": bits}} for bits in (4, 8)}
    groups["group_block"] = {"weights": {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [8, 16]}}
    config = {"model_type": "test", "quantization_config": {"quant_method": "compressed-tensors", "config_groups": groups}}
    (folder / "config.json").write_text(json.dumps(config))
    expected(folder / "all", values)


def block_fixtures():
    folder = OUT / "fp8-blocks"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(19)
    parts, values = {}, {}
    for rows, columns in [(20, 24), (17, 9)]:
        name = f"layer{rows}.weight"
        codes = torch.randn(rows, columns).to(torch.float8_e4m3fn)
        scale = torch.rand(-(-rows // 8), -(-columns // 8)) + 0.5
        parts |= {name: codes, f"{name}_scale_inv": scale}
        # DeepSeek's kernel in plain torch: each block times its inverse scale, in f32.
        wide = scale.repeat_interleave(8, 0)[:rows].repeat_interleave(8, 1)[:, :columns]
        values[name] = codes.float() * wide
    every = torch.arange(256, dtype=torch.uint8).view(16, 16)
    for kind in (torch.float8_e4m3fn, torch.float8_e5m2):
        name = f"{str(kind)[6:]}.weight"
        parts |= {name: every.clone().view(kind), f"{name}_scale_inv": torch.ones(2, 2)}
        values[name] = every.view(kind).float()
    save_file(parts, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"quantization_config": {"weight_block_size": [8, 8]}}))
    expected(folder / "all", values)


# What trainers leave, and scales of other kinds


def trainers_fixtures():
    folder = OUT / "torch"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(29)
    module = Small()
    optimizer = torch.optim.AdamW(module.parameters())
    module.head(module.norm(module.embed(torch.arange(6)))).sum().backward()
    optimizer.step()
    # PyTorch's tutorial on saving and loading a general checkpoint.
    run = {
        "epoch": 5, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
        "loss": torch.tensor(0.4),
    }
    torch.save(run, folder / "tutorial.pt")
    expected(folder / "tutorial.pt", module.state_dict())
    # Weights in a dict of their own, the optimizer's state beside them.
    torch.save({"encoder": module.state_dict(), "optimizer": optimizer.state_dict()}, folder / "beside.pt")
    expected(folder / "beside.pt", {f"encoder.{name}": value for name, value in module.state_dict().items()})
    arrays = {"w": torch.arange(6.0).view(2, 3), "a": np.arange(4, dtype=np.float32), "deep": {"b": np.ones((2, 2))}}
    torch.save(arrays, folder / "with-arrays.pt")
    expected(folder / "with-arrays.pt", {"w": arrays["w"]})


def scales_fixtures():
    from compressed_tensors.compressors.mxfp8.base import MXFP8QuantizationCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    folder = OUT / "exponent-scales"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(31)
    parts, values = {}, {}
    arguments = QuantizationArgs(num_bits=8, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8)
    scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
    for name, shift in [("near", 0), ("small", -40), ("large", 30)]:
        codes = torch.randn(6, 96).to(torch.float8_e4m3fn)
        scale = torch.randint(118 + shift, 136 + shift, (6, 3), dtype=torch.uint8)
        parts |= {f"{name}.weight": codes, f"{name}.weight_scale": scale}
        read = MXFP8QuantizationCompressor.decompress({"weight": codes, "weight_scale": scale.clone()}, scheme)
        values[f"{name}.weight"] = read["weight"].float()
    # The same scales in the type that PyTorch has for them, over blocks.
    codes = torch.randn(20, 24).to(torch.float8_e4m3fn)
    exponents = torch.randint(110, 140, (3, 3), dtype=torch.uint8)
    parts |= {"blocks.weight": codes, "blocks.weight_scale_inv": exponents.view(torch.float8_e8m0fnu)}
    wide = exponents.view(torch.float8_e8m0fnu).float().repeat_interleave(8, 0)[:20].repeat_interleave(8, 1)
    values["blocks.weight"] = codes.float() * wide
    save_file(parts, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"quantization_config": {"weight_block_size": [8, 8]}}))
    expected(folder / "all", values)

    # ComfyUI keeps one scale a matrix, and says so with an empty tensor; its own sum is weight.to(f32) * scale.
    folder = OUT / "comfy-fp8"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)}
    values = {}
    for name, kind in [("a", torch.float8_e4m3fn), ("b", torch.float8_e5m2)]:
        codes = torch.randn(5, 7).to(kind)
        scale = torch.rand(()) + 0.5
        parts |= {f"{name}.weight": codes, f"{name}.scale_weight": scale, f"{name}.scale_input": torch.tensor(1.0)}
        values[f"{name}.weight"] = codes.float() * scale
    parts["a.bias"] = values["a.bias"] = torch.randn(5)
    save_file(parts, folder / "model.safetensors")
    expected(folder / "all", values)

    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    folder = OUT / "mlx-experts"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(37)
    parts, values = {}, {}
    for name, shape in [("experts", (3, 4, 128)), ("matrix", (4, 128)), ("deep", (2, 2, 3, 64))]:
        q, s, b = mx.quantize(mx.array(rng.normal(size=shape).astype(np.float32)), group_size=64, bits=4)
        parts |= {f"{name}.weight": q, f"{name}.scales": s, f"{name}.biases": b}
        values[f"{name}.weight"] = torch.from_numpy(np.array(mx.dequantize(q, s, b, group_size=64, bits=4)))
    mx.save_safetensors(str(folder / "model.safetensors"), parts, metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps({"model_type": "test", "quantization": {"group_size": 64, "bits": 4}}))
    expected(folder / "all", values)

    import gguf

    folder = OUT / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "original-shape.gguf", "test")
    weight = rng.normal(size=(4, 2, 3, 4)).astype(np.float32)
    writer.add_array("comfy.gguf.orig_shape.conv", list(weight.shape))
    writer.add_tensor("conv", gguf.quantize(weight.reshape(-1, 32), gguf.GGMLQuantizationType.Q8_0),
                      raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    read = gguf.GGUFReader(folder / "original-shape.gguf")
    tensor = read.tensors[0]
    shape = read.get_field("comfy.gguf.orig_shape.conv").contents()
    value = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
    expected(folder / "original-shape.gguf", {"conv": torch.from_numpy(value.copy())})


def parts_fixtures():
    """Parts of encodings that are not decoded, beside a weight; nothing of them is expected but their own bytes."""
    folder = OUT / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(41)

    def words(*shape):
        return torch.randint(-(2**31), 2**31, shape, dtype=torch.int32)

    parts = {
        "gptq.qweight": words(8, 16), "gptq.qzeros": words(1, 2), "gptq.scales": torch.rand(1, 16).half(),
        "gptq.g_idx": torch.zeros(64, dtype=torch.int32), "gptq.bias": torch.randn(16),
        "awq.qweight": words(64, 2), "awq.qzeros": words(1, 2), "awq.scales": torch.rand(1, 16).half(),
        "int8.weight": torch.randint(-128, 128, (6, 48), dtype=torch.int8), "int8.SCB": torch.rand(6),
        "int8.weight_format": torch.tensor(2, dtype=torch.uint8),
        "fp4.weight_packed": torch.randint(0, 256, (4, 16), dtype=torch.uint8),
        "fp4.weight_scale": torch.rand(4, 2).to(torch.float8_e4m3fn), "fp4.weight_global_scale": torch.rand(1),
        "moments.exp_avg": torch.randn(3, 3), "moments.exp_avg_sq": torch.rand(3, 3),
        "attention.k_scale": torch.rand(()), "plain.weight": torch.randn(4, 32), "layer.scales": torch.rand(4, 4),
    }
    save_file(parts, folder / "model.safetensors")


# NumPy and zstd


def numpy_fixtures():
    folder = OUT / "numpy"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(23)
    arrays = {name: rng.normal(size=(3, 4, 5)).astype(name) for name in ["float32", "float16", "float64"]}
    arrays |= {name: np.arange(6).reshape(2, 3).astype(name) for name in ["int8", "uint8", "int16", "int32", "int64", "uint64"]}
    arrays["bool"] = np.array([True, False])
    arrays["fortran"] = np.asfortranarray(rng.normal(size=(4, 6)).astype(np.float32))
    arrays["scalar"] = np.float32(3.5)
    arrays["empty"] = np.zeros((0, 2), np.float32)
    values = {name: torch.from_numpy(np.ascontiguousarray(array)).reshape(np.shape(array)) for name, array in arrays.items()}
    for name in ["float32", "fortran", "scalar"]:
        np.save(folder / f"{name}.npy", arrays[name])
        expected(folder / f"{name}.npy", {name: values[name]})
    with open(folder / "version2.npy", "wb") as file:
        np.lib.format.write_array(file, arrays["int32"], version=(2, 0))
    expected(folder / "version2.npy", {"version2": values["int32"]})
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)
    for name in ["stored.npz", "deflated.npz"]:
        expected(folder / name, values)


def zstd_fixtures():
    import zstandard

    folder = OUT / "zstd"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(29)
    tensors = {"a": torch.randn(100, 50), "b": torch.arange(4000)}
    plain = folder / "plain"
    save_file(tensors, plain)
    data = plain.read_bytes()
    plain.unlink()
    half = len(data) // 2
    frames = {
        "one-frame": zstandard.compress(data),
        "two-frames": zstandard.compress(data[:half]) + zstandard.compress(data[half:]),
        "without-size": zstandard.ZstdCompressor(write_content_size=False).compress(data),
    }
    for name, packed in frames.items():
        (folder / f"{name}.safetensors.zst").write_bytes(packed)
        expected(folder / f"{name}.safetensors.zst", tensors)


for group in GROUPS:
    globals()[f"{group}_fixtures"]()
