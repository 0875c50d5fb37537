#!/usr/bin/env python3
"""Random strings through the tokenizers library and through bantam tokenize: are all ids and decodings equal?

usage: compare_tokenizer.py MODEL [COUNT]     MODEL: a folder with tokenizer.json. Needs the PyPI package tokenizers.
"""
import json, os, random, subprocess, sys
from tokenizers import Tokenizer

BANTAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/bantam")
RANGES = [(0x20, 0x7E)] * 8 + [(0x09, 0x0D), (0x20, 0x20), (0xA0, 0x24F), (0x250, 0x3FF), (0x400, 0x52F), (0x530, 0x6FF),
          (0x700, 0xDFF), (0xE00, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF),
          (0x2E80, 0x30FF), (0x3100, 0x9FFF), (0xA000, 0xD7FF), (0xF900, 0xFFFD), (0x10000, 0x10FFF), (0x11000, 0x12FFF),
          (0x16000, 0x18FFF), (0x1B000, 0x1FFFF), (0x300, 0x36F), (0xFE00, 0xFE0F), (0x200B, 0x200F), (0x1F300, 0x1FAFF)]
WORDS = ["'s", "'T", "'re", "'\u017f", "'LL", "the", " harbour", "\n", "\r\n", "  ", "\t", " ", "123", "...", "é", "e\u0301", "한국", "नमस्ते"]


def text(rng, special):
    parts = []
    for _ in range(rng.randint(0, 12)):
        kind = rng.random()
        if kind < 0.15:
            parts.append(rng.choice(special))
        elif kind < 0.5:
            parts.append(rng.choice(WORDS))
        else:
            low, high = rng.choice(RANGES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))))
    return "".join(parts)


def main():
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    library = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    special = [token.content for token in library.get_added_tokens_decoder().values()]
    rng = random.Random(7)
    texts = [text(rng, special) for _ in range(count)]
    lines = "\n".join(json.dumps(t) for t in texts)
    out = subprocess.run([BANTAM, "tokenize", os.path.join(folder, "tokenizer.json"), "--lines", "--json"], input=lines,
                         capture_output=True, text=True, check=True).stdout.rstrip("\n").split("\n")
    different = 0
    for t, line in zip(texts, out, strict=True):
        ours, ids = json.loads(line), library.encode(t, add_special_tokens=False).ids
        if ours["ids"] != ids or ours["decoded"] != library.decode(ids, skip_special_tokens=False) \
                or ours["decoded_skip_special"] != library.decode(ids, skip_special_tokens=True):
            different += 1
            if different <= 5:
                print("different:", json.dumps(t), ours["ids"], ids)
    print(f"{count} strings, {different} different")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
