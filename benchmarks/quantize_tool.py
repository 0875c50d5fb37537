#!/usr/bin/env python3
"""Whole-tool rate: bantam quantize beside llama.cpp's own quantizer, the same bf16 matrices, one thread, file to file, in turn.

usage: quantize_tool.py [REPEATS]

Needs numpy, and the PyPI packages llama-cpp-python and gguf. Writes about 3 GB below the temporary folder.
"""
import ctypes, json, os, statistics, subprocess, sys, tempfile, time
import gguf, llama_cpp
import numpy as np

BANTAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/bantam")
WIDTH, FEED, LAYERS = 2048, 11008, 8


def tensors():
    random = np.random.default_rng(7)
    for layer in range(LAYERS):
        for name, shape in (("ffn_up", (FEED, WIDTH)), ("ffn_gate", (FEED, WIDTH)), ("ffn_down", (WIDTH, FEED))):
            values = random.standard_normal(shape, np.float32) / WIDTH ** 0.5
            yield f"blk.{layer}.{name}.weight", (values.view(np.uint32) >> 16).astype(np.uint16)


def write(folder):
    plain, packed = os.path.join(folder, "m.safetensors"), os.path.join(folder, "m.gguf")
    writer = gguf.GGUFWriter(packed, "qwen2")
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(16)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(32)
    head, at, parts = {}, 0, []
    for name, x in tensors():
        writer.add_tensor(name, x.view(np.uint8).reshape(x.shape[0], -1), raw_dtype=gguf.GGMLQuantizationType.BF16)
        head[name] = {"dtype": "BF16", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
        parts.append(x)
    raw = json.dumps(head).encode()
    with open(plain, "wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for x in parts:
            file.write(x.tobytes())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return plain, packed, at


def llama(source, target, kind):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype, parameters.pure = 1, kind, True
    start = time.perf_counter()
    failed = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters))
    if failed:
        raise SystemExit("llama_model_quantize failed")
    return time.perf_counter() - start


def bantam(source, target, encoding):
    start = time.perf_counter()
    subprocess.run([BANTAM, "quantize", source, "-o", target, "--encoding", encoding, "--threads", "1", "-q"], check=True,
                   capture_output=True)
    return time.perf_counter() - start


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, None)
    with tempfile.TemporaryDirectory() as folder:
        plain, packed, size = write(folder)
        target = os.path.join(folder, "out")
        jobs = {"int8": lambda: bantam(plain, target, "int8"), "q8_0": lambda: llama(packed, target, llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0),
                "int4": lambda: bantam(plain, target, "int4"), "q4_K": lambda: llama(packed, target, llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_S),
                "q4_0": lambda: llama(packed, target, llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0)}
        rates = {name: [] for name in jobs}
        for _ in range(repeats):
            for name, job in jobs.items():
                rates[name].append(size / job() / 1e6)
                os.sync()
    print(f"{size / 1e6:.0f} MB of bf16, one thread, MB/s of input, median of {repeats}")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"  {name:<6} {rate:8.1f}")
    for a, b in (("int8", "q8_0"), ("int4", "q4_K"), ("int4", "q4_0")):
        print(f"  {a} against {b}: {medians[a] / medians[b]:.2f} times")


if __name__ == "__main__":
    main()
