#!/usr/bin/env python3
"""A copy of a release's folder whose weights are what a type of ggml makes of them, to be compared as any model is.

usage: peer_weights.py FOLDER NATIVE TYPE OUT

NATIVE is a native file made of the folder: the tensors that it has in 4 bits are replaced, so that both say the same of which layers
are quantized. Rows that the type's blocks do not divide are regrouped to its favour. Needs what quantize.py needs.
"""
import json, os, shutil, subprocess, sys
import numpy as np
from quantize import BANTAM, GGML, TYPES, ggml, start_ggml


def bf16_of(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def replaced(x, name):
    block = TYPES[name][1]
    flat = x.reshape(-1)
    whole = flat.size // block * block
    out = flat.copy()
    if whole:
        out[:whole] = ggml(name, np.ascontiguousarray(flat[:whole].reshape(-1, block)))[0].reshape(-1)
    return out.reshape(x.shape)


def main():
    folder, native, name, out = sys.argv[1:]
    start_ggml()
    shutil.copytree(folder, out)
    run = lambda *words: json.loads(subprocess.run([BANTAM, *words, "--json"], check=True, capture_output=True).stdout)
    files, count = {}, 0
    for tensor in run("inspect", native, "--tensor", "*")["tensors"]:
        if "4-g" in tensor["encoding"] and tensor["provenance"]:
            files.setdefault(tensor["provenance"]["file"], {})[tensor["provenance"]["name"]] = tensor["provenance"]
    for file, tensors in files.items():
        path = os.path.join(out, file)
        data = bytearray(open(path, "rb").read())
        for place in tensors.values():
            begin, end = place["begin"], place["end"]
            if place["dtype"] == "BF16":
                x = (np.frombuffer(data[begin:end], np.uint16).astype(np.uint32) << 16).view(np.float32)
                data[begin:end] = bf16_of(replaced(x, name)).tobytes()
            elif place["dtype"] == "F16":
                x = np.frombuffer(data[begin:end], np.float16).astype(np.float32)
                data[begin:end] = replaced(x, name).astype(np.float16).tobytes()
            else:
                x = np.frombuffer(data[begin:end], np.float32)
                data[begin:end] = replaced(x, name).tobytes()
            count += 1
        open(path, "wb").write(data)
    print(f"{count} tensors as {name}")


if __name__ == "__main__":
    main()
