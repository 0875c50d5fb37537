"""The bytes of native files, pinned: a small source, and for each encoding the SHA-256 of the file that is made of it and of every
tensor as the reader in plain Python decodes it.

    python3 make_golden.py .       after `make build`; an intended change of the bytes changes golden.json, nothing else does
"""

import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(sys.argv[1])
ROOT = Path(__file__).resolve().parents[5]


def numbers(count, seed):
    """Sums of four uniform numbers, which are close to normal; a linear congruential generator."""
    state, values = seed, []
    for _ in range(count):
        total = 0
        for _ in range(4):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += state >> 40
        values.append((total - 2**25) / 2**24)
    return values


def f32(values):
    return struct.pack(f"<{len(values)}f", *values)


def bf16(values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


tensors = [
    ("wide.weight", "BF16", [40, 70], bf16(numbers(2800, 1))),
    ("square.weight", "F32", [32, 64], f32(numbers(2048, 2))),
    ("conv.weight", "F32", [20, 7, 3, 3], f32(numbers(1260, 3))),
    ("kernel.weight", "BF16", [18, 44, 3, 3], bf16(numbers(7128, 7))),
    ("tiny.weight", "F32", [16, 32], f32([value * 1e-6 for value in numbers(512, 4)])),
    ("strange.weight", "F32", [3, 33], f32([0.0, float("inf"), float("-inf"), float("nan"), 3e38, -1e-40] + numbers(93, 5))),
    ("norm.weight", "F32", [13], f32(numbers(13, 6))),
]
header, data = {}, b""
for name, dtype, shape, content in tensors:
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
    data += content
text = json.dumps(header, separators=(",", ":")).encode()
source = OUT / "source.safetensors"
source.write_bytes(struct.pack("<Q", len(text)) + text + data)

golden = {}
with tempfile.TemporaryDirectory() as folder:
    for encoding in ("plain", "int8", "int4", "even8", "book6", "book5", "book4-g16", "book4", "book3"):
        path = Path(folder) / encoding
        work = ["convert"] if encoding == "plain" else ["quantize", "--encoding", encoding]
        command = [ROOT / ".build/release/bantam", work[0], source, "-o", path, "-q", *work[1:]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        read = subprocess.run(
            [sys.executable, ROOT / "examples/bantam_reader.py", path], check=True, capture_output=True, text=True)
        golden[encoding] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "tensors": {tensor["name"]: tensor["sha256"] for tensor in json.loads(read.stdout)["tensors"]},
        }
(OUT / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
