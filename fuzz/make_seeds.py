"""Writes the seeds of the fuzz targets: small sound files of each layout. Run once; the result is committed.

    python make_seeds.py PATH_TO_BANTAM

Needs torch, gguf and numpy. PATH_TO_BANTAM is the built program, which makes the native files.
"""

import io
import json
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import gguf
import numpy as np
import torch

ROOT = Path(__file__).parent / "seeds"


def write(target, name, data):
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def safetensors(header, data=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def compact(data):
    """A native file without its padding and payload: the fields of its first superblock, its index, its metadata."""
    index, metadata = [struct.unpack_from("<QQ", data, place) for place in (32, 80)]
    return data[:144] + b"".join(data[offset : offset + size] for offset, size in (index, metadata))


def torch_file(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


texts = {
    "config": '{"architectures":["a"],"hidden_size":64,"rope":{"theta":1e6,"sections":[16,24,24]},"tied":false,"x":null}',
    "escapes": '["\\u00e9\\ud83d\\ude00\\n\\t\\\\\\"\\/", "é☃", "", {"a":{"a":[]}}]',
    "numbers": '[0,-0,1.5,-2e-3,9223372036854775807,1E+2,0.1]',
}
for name, text in texts.items():
    write("json", name, text.encode())

f32 = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
write("safetensors", "two", safetensors(
    {"__metadata__": {"format": "pt"}, "a": f32, "b.weight": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}}, bytes(22)))
write("safetensors", "empty", safetensors({"a": {"dtype": "I64", "shape": [0, 3], "data_offsets": [0, 0]}}))
write("safetensors", "scalar", safetensors({"s": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}}, b"x"))
write("index", "two", json.dumps({"metadata": {"total_size": 8}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}).encode())
write("index", "torch", json.dumps({"weight_map": {"a": "pytorch_model.bin"}}).encode())

base = torch.arange(6.0).view(2, 3)
state = OrderedDict(a=base, b=base.t(), c=torch.nn.Parameter(base[0]), d=base.bfloat16(), e=base.to(torch.float8_e5m2))
for name, value in {"state": state, "wrapped": {"model": state, "epoch": 1}, "list": [base, {"x": base}]}.items():
    packed = torch_file(value)
    write("zip", name, packed)
    old = torch_file(value, _use_new_zipfile_serialization=False)
    # The fuzz target puts the three pickles before the object itself.
    write("pickle", name, old[old.index(b".", old.index(b"type_sizes")) + 1 :])
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        write("pickle", name + "-alone", archive.read("archive/data.pkl"))
for protocol in range(6):
    value = {"k": [1, -2, 2**40, 2**70, 1.5, None, True, "é\n", b"bytes", (1, (2,)), {3}, frozenset([4])], "o": OrderedDict(a=1)}
    write("pickle", f"protocol{protocol}", pickle.dumps(value, protocol))
for name, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for entry in ("a.npy", "folder/b.npy"):
            array = io.BytesIO()
            np.save(array, np.arange(4, dtype=np.float32))
            with archive.open(entry, "w", force_zip64=entry == "a.npy") as file:
                file.write(array.getvalue())
    write("zip", name, buffer.getvalue())

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "x.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.tokens", ["a", "bc", "é"])
    writer.add_array("numbers", [1, 2, 3, 4, 5, 6])
    writer.add_bool("flag", True)
    writer.add_float64("f", 0.5)
    for kind in [gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q4_K, gguf.GGMLQuantizationType.IQ4_XS]:
        size, width = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor(kind.name, np.zeros((1, width), np.uint8), raw_dtype=kind)
    writer.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    write("gguf", "types", path.read_bytes())
    writer = gguf.GGUFWriter(path, "x")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    write("gguf", "no-tensors", path.read_bytes())

    source = Path(folder) / "x.safetensors"
    for name, shape in [("small", [2, 2]), ("matrix", [16, 32])]:
        count = shape[0] * shape[1] * 4
        source.write_bytes(safetensors({"m.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, count]}}, bytes(count)))
        for command, extra in [("convert", []), ("quantize", ["--encoding", "int8"])]:
            target = Path(folder) / "x.bantam"
            done = subprocess.run([sys.argv[1], command, str(source), "-o", str(target), *extra], capture_output=True)
            done.check_returncode()
            write("native", f"{name}-{command}", compact(target.read_bytes()))
