#!/usr/bin/env python3
"""A language model beside llama.cpp's, on the same shapes and threads, in turns: prompts and tokens.

    python3 benchmarks/llama.py MODEL.bantam [--types Q4_0,Q4_K] [--repeats 5] [--threads 2] [--modes f32,auto]

Needs llama-cpp-python and gguf from PyPI. llama.cpp reads a file of random weights, made on the spot, of the sizes that MODEL's
config.json states; weights are counted in bytes as each program stores them, without the embedding.
"""
import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / ".build-programs/release/bantam-bench"
parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--types", default="Q4_0,Q4_K")
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--modes", default="f32,auto")
parser.add_argument("--prompts", default="32,110")
parser.add_argument("--scratch", default=tempfile.gettempdir())
arguments = parser.parse_args()
out = subprocess.run(
    [ROOT / ".build/release/bantam", "inspect", arguments.model, "--json", "--all"], capture_output=True, text=True, check=True)
SHAPES = {}
for match in re.finditer(r'"name": "llm\.([^"]+)".*?"shape": \[([0-9, ]+)\]', out.stdout, re.S):
    SHAPES[match[1]] = [int(n) for n in match[2].split(",")]
hidden = SHAPES["norm.weight"][0]
inner = SHAPES["layers.0.mlp.up_proj.weight"][0]
keys = SHAPES["layers.0.self_attn.k_proj.weight"][0]
layers = 1 + max(int(name.split(".")[1]) for name in SHAPES if name.startswith("layers."))
vocabulary = SHAPES["embed_tokens.weight"][0]
width = 128
print(f"{layers} layers of {hidden}, feed-forward {inner}, keys {keys}, vocabulary {vocabulary}; {arguments.threads} threads")


def write(path, kind):
    """Random weights: one block of rows, repeated; distinct bytes in the file."""
    quant = gguf.GGMLQuantizationType[kind]
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(hidden // width)
    writer.add_head_count_kv(keys // width)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(vocabulary)
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    total = 0

    def matrix(name, rows, columns):
        nonlocal total
        block, size = gguf.GGML_QUANT_SIZES[quant]
        bytes_ = rng.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
        # Scales of f16 stand in the first two bytes, or four; small ones keep the values finite.
        bytes_[..., 0:2] = np.frombuffer(np.float16(1e-3).tobytes(), np.uint8)
        if kind.endswith("_K"):
            bytes_[..., 2:4] = np.frombuffer(np.float16(1e-3).tobytes(), np.uint8)
        if name != "token_embd.weight":
            total += bytes_.nbytes
        writer.add_tensor(name, bytes_.reshape(rows, -1), raw_dtype=quant)

    matrix("token_embd.weight", vocabulary, hidden)
    matrix("output.weight", vocabulary, hidden)
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for layer in range(layers):
        at = f"blk.{layer}."
        for name, rows, columns in (
            ("attn_q", hidden, hidden), ("attn_k", keys, hidden), ("attn_v", keys, hidden), ("attn_output", hidden, hidden),
            ("ffn_gate", inner, hidden), ("ffn_up", inner, hidden), ("ffn_down", hidden, inner)):
            matrix(at + name + ".weight", rows, columns)
        for name, count in (("attn_q", hidden), ("attn_k", keys), ("attn_v", keys)):
            writer.add_tensor(at + name + ".bias", np.zeros(count, np.float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(at + name + ".weight", np.ones(hidden, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return total


# Held as long as the library may call it.
QUIET = llama_cpp.llama_log_callback(lambda *_: None)


class Llama:
    def __init__(self, path, repacks):
        llama_cpp.llama_log_set(QUIET, None)
        parameters = llama_cpp.llama_model_default_params()
        parameters.use_extra_bufts = repacks
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch = 2048, 512, 512
        context.n_threads = context.n_threads_batch = arguments.threads
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        assert self.model and self.context

    def decode(self, count, past=0):
        batch = llama_cpp.llama_batch_init(count, 0, 1)
        batch.n_tokens = count
        for i in range(count):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = 100 + i, past + i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == count - 1
        start = time.perf_counter()
        assert llama_cpp.llama_decode(self.context, batch) == 0
        seconds = time.perf_counter() - start
        llama_cpp.llama_batch_free(batch)
        return seconds

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def prompt(self, count):
        self.clear()
        return self.decode(count)

    def token(self, past):
        self.clear()
        self.decode(past)
        return min(self.decode(1, past + i) for i in range(4))

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def ours(network, size, mode):
    text = subprocess.run(
        [BENCH, "network", arguments.model, network, str(size), "3", str(arguments.threads), mode], capture_output=True,
        text=True, check=True).stdout
    return int(re.search(r"median (\d+) ms", text)[1]) / 1000


prompts = [int(n) for n in arguments.prompts.split(",")]
work = [("decode", 512)] + [("llm", n) for n in prompts]
times = {}
peers = []
for kind in arguments.types.split(","):
    path = Path(arguments.scratch) / f"bantam-llama-{kind}.gguf"
    size = write(path, kind)
    for repacks in (False, True):
        peer = kind + (" repacked" if repacks else "")
        peers.append(peer)
        llama = Llama(path, repacks)
        for name, count in work:
            for repeat in range(arguments.repeats):
                theirs = llama.token(count) if name == "decode" else llama.prompt(count)
                times.setdefault((name, count, peer), []).append(theirs)
                for mode in arguments.modes.split(","):
                    times.setdefault((name, count, mode), []).append(ours(name, count, mode))
        llama.close()
    path.unlink()
    print(f"{kind}: {size / 1e9:.3f} GB of weights a token", flush=True)
for name, count in work:
    row = {k[2]: statistics.median(v) for k, v in times.items() if k[:2] == (name, count)}
    best = min(row[peer] for peer in peers)
    print(
        f"{name} {count}: " + ", ".join(f"{k} {v * 1000:.0f} ms" for k, v in row.items()) + "; best of llama.cpp / ours: "
        + ", ".join(f"{m} {best / row[m]:.2f}" for m in arguments.modes.split(",")), flush=True)
