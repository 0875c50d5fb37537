"""What rounding activations to 8 bits in groups of 32 costs the outputs of linear layers, beside what the weights' encoding costs.

    python3 benchmarks/activations.py MODEL [GGUF-FILE]      a transformers folder, or one with a GGUF file in it

Weights are rounded as ggml's Q8_0 and Q4_0 would be, whose errors are those of int8-g32 and int4-g32 or above. For every linear layer,
over some sentences: output SQNR of the activations' rounding alone, and by how many dB it lowers that of the weights. For every
attention: output SQNR with queries, keys and values in 8 bits, powers too.
"""

import statistics
import sys

import torch
import transformers

TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "In 1905 Albert Einstein published four papers that changed physics; one of them was on the photoelectric effect.",
    "def fibonacci(n):\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "A small red house stands on a green hill under a blue sky with two white clouds.",
    "Breathe in, count to four, hold, and breathe out again: that is all there is to it.",
]


def groups(values):
    width = -(-values.shape[-1] // 32) * 32
    return torch.nn.functional.pad(values, (0, width - values.shape[-1])).unflatten(-1, (-1, 32))


def rounded(values, levels):
    cut = groups(values)
    scale = cut.abs().amax(-1, keepdim=True) / levels
    codes = (cut / torch.where(scale == 0, 1, scale)).round().clamp(-levels - 1, levels)
    return (codes * scale).flatten(-2)[..., : values.shape[-1]]


def decibels(exact, other):
    noise = (exact - other).square().sum()
    return float("inf") if noise == 0 else float(10 * torch.log10(exact.square().sum() / noise))


folder, gguf = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
kind = transformers.AutoModelForCausalLM if gguf else transformers.AutoModel
options = {"gguf_file": gguf} if gguf else {}
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
model = kind.from_pretrained(folder, dtype=torch.float32, **options).eval()
inputs = {}


def hook(name):
    def keep(_, args):
        inputs.setdefault(name, []).append(args[0].detach().reshape(-1, args[0].shape[-1]))

    return keep


attentions = []


def watch(attend):
    def watched(query, key, value, attn_mask=None, is_causal=False, scale=None, enable_gqa=False, **options):
        attentions.append((query.double(), key.double(), value.double(), attn_mask, is_causal, scale))
        options |= {"enable_gqa": True} if enable_gqa else {}
        return attend(query, key, value, attn_mask=attn_mask, is_causal=is_causal, scale=scale, **options)

    return watched


EVERYTHING = ("queries and keys", "powers", "values")


def attention_decibels(query, key, value, mask, is_causal, scale, parts=EVERYTHING):
    """Groups of 32 channels of queries and keys, of 32 keys of values and powers, which are relative to their group's largest."""
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    hidden = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).triu(1) if is_causal else None
    if mask is not None:
        hidden = ~mask if mask.dtype == torch.bool else mask < -1e30

    def scores(q, k):
        found = q @ k.transpose(-1, -2) * scale
        return found if hidden is None else found.masked_fill(hidden, float("-inf"))

    exact = scores(query, key).softmax(-1) @ value
    if "queries and keys" in parts:
        query, key = rounded(query, 127), rounded(key, 127)
    small = scores(query, key)
    powers = (small - small.amax(-1, keepdim=True)).exp()
    if "powers" in parts:
        powers = rounded(powers, 127)
    if "values" in parts:
        value = rounded(value.transpose(-1, -2), 127).transpose(-1, -2)
    return decibels(exact, powers @ value / powers.sum(-1, keepdim=True))


torch.nn.functional.scaled_dot_product_attention = watch(torch.nn.functional.scaled_dot_product_attention)
layers = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
for name, module in layers.items():
    module.register_forward_pre_hook(hook(name))
with torch.no_grad():
    for text in TEXTS:
        model(**{k: v for k, v in tokenizer(text, return_tensors="pt").items() if k != "token_type_ids" or not gguf})
rows, peaks = [], 0
with torch.no_grad():
    for name, module in layers.items():
        if name not in inputs:
            continue
        x, w = torch.cat(inputs[name]).double(), module.weight.double()
        exact, small = x @ w.T, rounded(x, 127)
        peaks += int((x.abs().amax(-1) > 64 * x.square().mean(-1).sqrt()).sum())
        alone = decibels(exact, small @ w.T)
        losses = []
        for levels in (127, 7):
            q = rounded(w, levels)
            losses.append((decibels(exact, x @ q.T), decibels(exact, small @ q.T)))
        rows.append((alone, losses[0], losses[1], name))
rows.sort()
print(f"{folder}: {len(rows)} linear layers, {sum(len(t) for t in inputs[next(iter(inputs))])} rows each")
print(f"rows whose largest activation is over 64 times their rms: {peaks}")
print(f"activations alone: lowest {rows[0][0]:.2f} dB ({rows[0][3]}), median {statistics.median(r[0] for r in rows):.2f} dB")
for title, place in (("8-bit weights", 1), ("4-bit weights", 2)):
    lowered = sorted((r[place][0] - r[place][1], r[place][1], r[3]) for r in rows)
    outputs = [r[place][1] for r in rows]
    print(
        f"{title}: lowered by {statistics.median(row[0] for row in lowered):.2f} dB in the median, {lowered[-1][0]:.2f} at most "
        f"({lowered[-1][2]}, to {lowered[-1][1]:.2f} dB); output lowest {min(outputs):.2f}, median {statistics.median(outputs):.2f} dB; "
        f"layers under 38 dB that lose over 1 dB: {sum(row[0] > 1 and row[1] < 38 for row in lowered)}"
    )
kinds = {}
for alone, eight, four, name in rows:
    kinds.setdefault(name.rsplit(".", 1)[-1], []).append((eight[1], alone))
for kind, found in sorted(kinds.items()):
    print(
        f"  {kind:12} {len(found):3} layers, 8-bit weights and activations: lowest {min(found)[0]:.2f} dB, "
        f"median {statistics.median(f[0] for f in found):.2f} dB, under 38 dB: {sum(f[0] < 38 for f in found)}"
    )
for parts in (EVERYTHING, *((part,) for part in EVERYTHING)):
    with torch.no_grad():
        found = sorted(attention_decibels(*one, parts) for one in attentions)
    print(
        f"attention, 8 bits for {', '.join(parts)}: {len(found)} seen, lowest {found[0]:.2f} dB, "
        f"median {statistics.median(found):.2f} dB, under 38 dB: {sum(one < 38 for one in found)}"
    )
