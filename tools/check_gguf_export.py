#!/usr/bin/env python3
"""Exports of a model to GGUF, beside llama.cpp and gguf-py: equal ids, logits and greedy tokens; equal values, bit for bit.

usage: check_gguf_export.py MODEL [BANTAM]     MODEL: a release folder; BANTAM: the program, by default the one of make build.
Needs the PyPI packages numpy, safetensors, gguf and llama-cpp-python. Exits with 1 where something differs.
"""
import json, os, subprocess, sys, tempfile
import llama_cpp, numpy
from gguf import GGUFReader, dequantize
from llama_cpp import Llama
from safetensors.numpy import load_file

BANTAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/bantam")
QUESTIONS = ["Describe a red circle.", "What colour is the square to the left of the blue star?", "Count: 1, 2, 3", "héllo wörld ☃"]
# Sums run in another order there; logits are of the order of 10.
LOGIT_TOLERANCE = 1e-3
TOKENS = 32
EPSILON = 1e-30
# Names of the file, names of the release.
NAMES = [("token_embd.", "model.embed_tokens."), ("output_norm.", "model.norm."), ("output.", "lm_head."),
         ("blk.", "model.layers."), (".attn_norm.", ".input_layernorm."), (".attn_q.", ".self_attn.q_proj."),
         (".attn_k.", ".self_attn.k_proj."), (".attn_v.", ".self_attn.v_proj."), (".attn_output.", ".self_attn.o_proj."),
         (".ffn_norm.", ".post_attention_layernorm."), (".ffn_gate.", ".mlp.gate_proj."), (".ffn_up.", ".mlp.up_proj."),
         (".ffn_down.", ".mlp.down_proj.")]
differences = 0


def report(what, holds, detail=""):
    global differences
    differences += not holds
    print(("equal    " if holds else "DIFFERENT"), what, detail)


def bantam(*arguments):
    return subprocess.run([BANTAM, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def ids_of(model, text):
    return json.loads(bantam("tokenize", model, "--text", text, "--json"))["ids"]


def release_name(name):
    for ours, theirs in NAMES:
        if name.startswith(ours) or (ours[0] == "." and ours in name):
            name = name.replace(ours, theirs, 1)
    return name


def template(question):
    return ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")


def opened(path):
    """The file in llama.cpp: weights multiplied as they lie in it, keys and values in f32, as bantam has them."""
    return Llama(path, n_ctx=1024, logits_all=True, type_k=0, type_v=0, flash_attn=False, verbose=False)


def without_repacking():
    # Other orders of the blocks are for speed; the one for AMX ends the program on some virtual machines.
    standard = llama_cpp.llama_cpp.llama_model_default_params

    def parameters():
        parameters = standard()
        parameters.use_extra_bufts = False
        return parameters

    llama_cpp.llama_cpp.llama_model_default_params = parameters


def greedy(llama, ids):
    llama.reset()
    llama.eval(ids)
    written = []
    for _ in range(TOKENS):
        written.append(int(llama.scores[llama.n_tokens - 1].argmax()))
        llama.eval(written[-1:])
    return written


def with_epsilon(model, folder, epsilon):
    """The same release with another epsilon of its norms: links to all files but config.json."""
    for place, _, names in os.walk(model):
        below = os.path.join(folder, os.path.relpath(place, model))
        os.makedirs(below, exist_ok=True)
        for name in names:
            if os.path.relpath(os.path.join(place, name), model) != "config.json":
                os.symlink(os.path.abspath(os.path.join(place, name)), os.path.join(below, name))
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(dict(config, rms_norm_eps=epsilon), file)
    return folder


def logits(model, folder, question, llama):
    """Those of a prompt by both, `[positions, vocabulary]`."""
    trace = os.path.join(folder, "trace.safetensors")
    bantam("trace", model, "--prompt", question, "--only", "llm.ids", "--only", "llm.logits", "--compute", "f32",
           "-o", trace, "-q")
    activations = load_file(trace)
    llama.reset()
    llama.eval([int(i) for i in activations["llm.ids"].reshape(-1)])
    return activations["llm.logits"].reshape(llama.n_tokens, -1), llama.scores[:llama.n_tokens]


def check_tokens(model, folder):
    path = os.path.join(folder, "f32.gguf")
    bantam("export", model, "--to", "gguf", "-o", path, "--dtype", "f32", "-q")
    llama = opened(path)
    for question in QUESTIONS:
        text = template(question)
        ids = ids_of(model, text)
        report(f"ids of {question!r}", llama.tokenize(text.encode(), add_bos=False, special=True) == ids, f"{len(ids)}")
        ours = json.loads(bantam("chat", model, question, "--greedy", "--ignore-eos", "--max-tokens", str(TOKENS),
                                 "--compute", "f32", "--json", "-q"))["ids"]
        theirs = greedy(llama, ids)
        report(f"greedy tokens after {question!r}", ours == theirs, f"{len(ours)}: {ours[:8]}")
        expected, found = logits(model, folder, question, llama)
        first = int((expected.argmax(1) == found.argmax(1)).sum())
        report(f"first choices in the prompt {question!r}", first == len(expected),
               f"{first} of {len(expected)}; logits differ by up to {numpy.abs(expected - found).max():.1e}")


def check_logits(model, folder):
    # Some versions of llama.cpp (that of llama-cpp-python 0.3.36) do not read this architecture's epsilon and take 0. One
    # that is nothing beside any norm makes both compute the same.
    model = with_epsilon(model, os.path.join(folder, "model"), EPSILON)
    path = os.path.join(folder, "epsilon.gguf")
    bantam("export", model, "--to", "gguf", "-o", path, "--dtype", "f32", "-q")
    llama = opened(path)
    for question in QUESTIONS:
        expected, found = logits(model, folder, question, llama)
        error = float(numpy.abs(expected - found).max())
        report(f"logits of the prompt {question!r}, epsilon {EPSILON}", error <= LOGIT_TOLERANCE,
               f"largest difference {error:.1e}, logits up to {numpy.abs(expected).max():.1f}")


def check_values(model, folder, encoding):
    stored = os.path.join(folder, encoding + ".bantam")
    bantam("quantize", model, "-o", stored, "--encoding", encoding, "-q")
    path, plain = os.path.join(folder, encoding + ".gguf"), os.path.join(folder, encoding)
    bantam("export", stored, "--to", "gguf", "-o", path, "-q")
    bantam("export", stored, "--to", "safetensors", "-o", plain, "--components", "llm", "--dtype", "f32", "-q")
    expected = {}
    for name in os.listdir(plain):
        if name.endswith(".safetensors"):
            expected.update(load_file(os.path.join(plain, name)))
    counts, wrong = {}, []
    for tensor in GGUFReader(path).tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        other = expected.pop(release_name(tensor.name))
        kind = tensor.tensor_type.name
        counts[kind] = counts.get(kind, 0) + 1
        if not numpy.array_equal(values.reshape(-1).view(numpy.uint32), other.reshape(-1).view(numpy.uint32)):
            wrong.append(tensor.name)
    report(f"values of {encoding}", not wrong and not expected, f"{counts} {wrong[:3]} {sorted(expected)[:3]}")
    llama = opened(path)
    written = greedy(llama, ids_of(model, template(QUESTIONS[0])))
    print("          llama.cpp runs it:", repr(llama.detokenize(written).decode(errors="replace")[:70]))


def main():
    global BANTAM
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    BANTAM = sys.argv[2] if len(sys.argv) == 3 else BANTAM
    with tempfile.TemporaryDirectory() as folder:
        without_repacking()
        check_tokens(sys.argv[1], folder)
        check_logits(sys.argv[1], folder)
        for encoding in ("int4", "int8"):
            check_values(sys.argv[1], folder, encoding)
    sys.exit(1 if differences else 0)


main()
