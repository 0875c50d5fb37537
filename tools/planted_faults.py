"""Does `bantam diff` name the layer at fault, and is it silent where there is none?

    python3 tools/planted_faults.py BANTAM FOLDER WORK [--count 40] [--sound 60] [--seed 0]

Plants COUNT faults, one at a time, in copies of a small model's FOLDER: the sign of a block of 16 x 32 weights flipped, 16 groups of 32
weights times 6, two output channels swapped, a norm's weights zeroed; in turn, each at a random place. Each copy is quantized, to int4 and
int8 in turn, and held against the sound folder: by its weights, and at work on a prompt or a question, with --local and without. A quarter
as many lie where neither leads, such as in a tower that only encodes: there the weights alone are compared. Then SOUND files, quantized
without a fault, are held against the folder, with other prompts, questions, seeds and ways to compute. It prints how often the fault was
named first and how often nothing was named, and writes every answer to WORK/planted_faults.json. Needs numpy.
"""

import argparse
import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np

KINDS = ["sign", "scale", "swap", "norm"]
COMMANDS = ["weights", "local", "free"]
WORDS = {"BF16": np.uint16, "F16": np.uint16, "F32": np.uint32}
PROMPTS = ["a red circle", "Two squares, one blue.", "A green star left of a yellow ring on a grey background.", "nothing", "a cat"]
QUESTIONS = ["What is this?", "How many shapes are there?", "What colour is the background?", "Describe the picture."]


def bantam(*arguments):
    """The document that a command prints."""
    process = subprocess.run([options.bantam, *map(str, arguments), "--quiet", "--json"], capture_output=True)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{arguments}: {process.stderr.decode()}")
    return json.loads(process.stdout)


def picture(path, random):
    """A PNG of a few rectangles."""
    pixels = np.full((128, 128, 3), random.integers(0, 256, 3), np.uint8)
    for _ in range(3):
        (x, y), (width, height) = random.integers(0, 96, 2), random.integers(16, 64, 2)
        pixels[y : y + height, x : x + width] = random.integers(0, 256, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 128, 128, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def work(seed, question=None):
    """Options that set two models to work."""
    if question is None:
        return ["--prompt", PROMPTS[seed % len(PROMPTS)], "--seed", seed, "--steps", 4, "--decoder-steps", 3]
    return ["--image", options.work / "picture.png", "--question", question]


def places():
    """What can be spoiled: tensors with the run that reaches their operation, None where neither does."""
    paths = {}
    for name, subject in [("question", work(0, QUESTIONS[0])), ("prompt", work(0))]:
        for row in bantam("diff", options.folder, options.folder, *subject)["operations"]:
            paths[row["path"]] = name
    found = {"matrix": [], "norm": []}
    for tensor in bantam("inspect", options.folder, "--tensor", "*.weight")["tensors"]:
        path, shape = tensor["name"].removesuffix(".weight"), tensor["shape"]
        place = {"tensor": tensor["name"], "path": path, "subject": paths.get(path), "stored": tensor["stored"][0]}
        if len(shape) == 1 and "norm" in path:
            found["norm"].append(place)
        elif len(shape) >= 2 and shape[0] >= 16 and np.prod(shape[1:]) >= 32:
            found["matrix"].append(place)
    return found


def spoil(kind, words, sign, random):
    """Spoils a matrix of stored words in place."""
    rows, columns = words.shape
    if kind == "norm":
        words[:] = 0
    elif kind == "channel":
        words[random.integers(rows)] = 0
    elif kind == "sign":
        row, column = random.integers(rows - 15), random.integers(columns - 31)
        words[row : row + 16, column : column + 32] ^= sign
    elif kind == "swap":
        pair = random.choice(rows, 2, replace=False)
        words[pair] = words[pair[::-1]]
    else:
        groups = random.choice(rows * (columns // 32), 16, replace=False)
        for group in groups:
            row, column = group // (columns // 32), group % (columns // 32) * 32
            words[row, column : column + 32] = times6(words[row, column : column + 32])


def times6(words):
    """Six times the values of stored words, rounded down."""
    if words.dtype == np.uint32:
        return (words.view(np.float32) * 6).view(np.uint32)
    if options.dtype == "F16":
        return (words.view(np.float16) * 6).view(np.uint16)
    return ((words.astype(np.uint32) << 16).view(np.float32) * 6).view(np.uint32).__rshift__(16).astype(np.uint16)


def plant(kind, place, random):
    """A copy of the folder with a fault."""
    copy = options.work / "spoiled"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(options.folder, copy, copy_function=shutil.copyfile)
    path = copy / place["file"]
    header = struct.unpack("<Q", path.read_bytes()[:8])[0]
    tensor = json.loads(path.read_bytes()[8 : 8 + header])[place["name"]]
    options.dtype = tensor["dtype"]
    begin, end = tensor["data_offsets"]
    words = np.memmap(path, WORDS[options.dtype], "r+", 8 + header + begin, (end - begin) // np.dtype(WORDS[options.dtype]).itemsize)
    matrix = words.reshape(tensor["shape"][0], -1)
    spoil(kind, matrix, words.dtype.type(1 << (8 * words.dtype.itemsize - 1)), random)
    words.flush()
    return copy


def quantize(folder, encoding, name):
    path = options.work / f"{name}.bantam"
    path.unlink(missing_ok=True)
    subprocess.run([options.bantam, "quantize", folder, "-o", path, "--encoding", encoding, "--components", "all", "--quiet"], check=True, capture_output=True)
    return path


def suspects(name, other, command, subject):
    """Who is named, first first."""
    arguments = {"weights": [], "local": [*subject, "--local"], "free": subject}[command]
    document = bantam("diff", options.folder, other, *arguments)
    (options.work / "documents").mkdir(exist_ok=True)
    (options.work / "documents" / f"{name}-{command}.json").write_text(json.dumps(document))
    return [suspect["name"] for suspect in document["suspects"]]


def faults(random):
    found = places()
    print(f"places: {len(found['matrix'])} matrices, {len(found['norm'])} norms")
    rows = []
    for number in range(options.count + options.count // 4):
        kind, encoding = options.kinds[number % len(options.kinds)], ["int4", "int8"][number // len(options.kinds) % 2]
        is_reached = number < options.count
        choices = [p for p in found["norm" if kind in ("norm", "channel") else "matrix"] if (p["subject"] is not None) == is_reached]
        if not choices:
            continue
        place = choices[random.integers(len(choices))]
        file = quantize(plant(kind, place["stored"], random), encoding, "fault")
        subject = work(number, None if place["subject"] == "prompt" else QUESTIONS[number % len(QUESTIONS)])
        row = {"kind": kind if is_reached else "elsewhere", "encoding": encoding, "tensor": place["tensor"], "run": place["subject"]}
        commands = [command for command in options.commands if is_reached or command == "weights"]
        for command in commands:
            named = suspects(f"fault-{number}", file, command, subject)
            row[command] = {"right": named[:1] in ([place["tensor"]], [place["path"]]), "named": named[:5]}
        rows.append(row)
        if not all(row[command]["right"] for command in commands):
            print("missed:", json.dumps(row), flush=True)
    return rows


def sound(random):
    rows = []
    files = {encoding: quantize(options.folder, encoding, encoding) for encoding in ["int4", "int8"]}
    for number in range(options.sound):
        encoding, compute = ["int4", "int8"][number % 2], ["f32", "int8", "bf16"][number // 2 % 3]
        seed = int(random.integers(1 << 30))
        picture(options.work / "picture.png", random)
        subject = work(seed, QUESTIONS[seed % len(QUESTIONS)] if number // 6 % 2 else None) + ["--compute2", compute]
        row = {"encoding": encoding, "compute": compute, "subject": [str(word) for word in subject]}
        for command in options.commands:
            row[command] = suspects(f"sound-{number}", files[encoding], command, subject)[:5]
        rows.append(row)
        if any(row[command] for command in options.commands):
            print("not silent:", json.dumps(row), flush=True)
    return rows


def main():
    options.work.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    picture(options.work / "picture.png", random)
    rows, calm = faults(random), sound(random)
    print(f"\n{'named first':14}" + "".join(f"{command:>12}" for command in options.commands))
    for kind in options.kinds + ["all", "elsewhere"]:
        some = [row for row in rows if row["kind"] == kind or kind == "all" and row["kind"] != "elsewhere"]
        counts = [[row[command]["right"] for row in some if command in row] for command in options.commands]
        print(f"{kind:14}" + "".join(f"{sum(right):>6} of {len(right):2}" for right in counts))
    print(f"{'sound, silent':14}" + "".join(f"{sum(not row[c] for row in calm):>6} of {len(calm):2}" for c in options.commands))
    (options.work / "planted_faults.json").write_text(json.dumps({"seed": options.seed, "faults": rows, "sound": calm}, indent=1))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("bantam", type=lambda path: str(Path(path).absolute()))
parser.add_argument("folder", type=Path)
parser.add_argument("work", type=Path)
parser.add_argument("--count", type=int, default=40)
parser.add_argument("--sound", type=int, default=60)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS, help="of sign, scale, swap, norm, channel (of a norm)")
parser.add_argument("--commands", type=lambda text: text.split(","), default=COMMANDS, help="of weights, local, free")
options = parser.parse_args()
main()
