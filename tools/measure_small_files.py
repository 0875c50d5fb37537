"""Time and memory of small files that ask for much.

    BANTAM_KEEP_HOSTILE=FOLDER swift test -c release -Xswiftc -enable-testing --filter ArchiveHostile
    python3 tools/measure_small_files.py FOLDER
    python3 tools/measure_small_files.py --make FOLDER      only makes the files, as the tests do

Makes a config and a recipe of nothing, weights in zstd and npz that unpack to gigabytes, a vision tower that asks for pictures of
19,000 pixels a side, and a tokenizer with 200,000 added tokens of one beginning; adds the native files of FOLDER, whose texts overlap.
Memory is the largest resident size above that of `bantam --version`.
"""

import json
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

BANTAM = str(Path(os.environ.get("BANTAM", Path(__file__).parent.parent / ".build/release/bantam")))


def run(*arguments):
    """Exit code, seconds, peak resident bytes, last line of talk."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen([BANTAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=talk)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        talk.seek(0)
        text = talk.read().decode(errors="replace").strip().split("\n")[-1]
    return os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * 1024, text


def safetensors(tensors, end=None):
    header, data = {}, b""
    for name, dtype, shape, content in tensors:
        size = content if isinstance(content, int) else len(content)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += b"" if isinstance(content, int) else content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def zstd(path, size):
    start = safetensors([("w", "U8", [size], size)])
    block = lambda kind, count, last=0: (count << 3 | kind << 1 | last).to_bytes(3, "little")
    count = size // (128 << 10)
    blocks = b"".join(block(1, 128 << 10, n == count - 1) + b"\0" for n in range(count))
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\x78" + block(0, len(start)) + start + blocks)


def npz(path, size):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }" % size
    header += b" " * ((64 - (11 + len(header)) % 64) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("w.npy", "w") as entry:
        entry.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(size >> 20):
            entry.write(bytes(1 << 20))


def tower(folder, count):
    """The table of positions made so long, over zeros that take no room."""
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        for name, entry in list(header.items()):
            if not name.endswith("pos_embed") or len(entry["shape"]) != 3:
                continue
            begin, old = entry["data_offsets"]
            body = body[:begin] + body[old:]
            for other in header.values():
                if "data_offsets" in other and other["data_offsets"][0] >= old:
                    other["data_offsets"] = [place - (old - begin) for place in other["data_offsets"]]
            end = len(body)
            entry["shape"][1] = count
            entry["data_offsets"] = [end, end + 2 * count * entry["shape"][2]]
            text = json.dumps(header).encode()
            with open(path, "wb") as out:
                out.write(struct.pack("<Q", len(text)) + text + body)
                out.truncate(8 + len(text) + entry["data_offsets"][1])
            return
    raise SystemExit("the sample has no tower")


def make(work):
    run("sample", work / "tiny", "-q")
    nothing = "[" + ",".join(["{}"] * 10_000_000) + "]"
    (work / "config").mkdir()
    (work / "config/model.safetensors").write_bytes(safetensors([("w", "U8", [1], b"\1")]))
    (work / "config/config.json").write_text('{"a":' + nothing + "}")
    (work / "recipe.json").write_text('{"format":1,"encoding":"int8","rules":' + nothing + "}")
    zstd(work / "m.safetensors.zst", 6 << 30)
    npz(work / "m.npz", 1 << 30)
    for name, count in (("tower", 1369 * 1369 + 1), ("longest-tower", 1 << 24)):
        shutil.copytree(work / "tiny", work / name)
        tower(work / name, count)
    shutil.copytree(work / "tiny", work / "tokens")
    tokens = json.loads((work / "tokens/tokenizer.json").read_text())
    first = 1 + max(max(tokens["model"]["vocab"].values()), max(t["id"] for t in tokens["added_tokens"]))
    tokens["added_tokens"] += [
        dict(tokens["added_tokens"][0], id=first + n, content=f"<<<<<{n}") for n in range(200_000)
    ]
    (work / "tokens/tokenizer.json").write_text(json.dumps(tokens))
    (work / "text").write_text("<<<<<x" * 20_000)


if sys.argv[1:2] == ["--make"]:
    make(Path(sys.argv[2]))
    raise SystemExit

with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as work:
    work = Path(work)
    picture = Path(__file__).parent.parent / "Tests/Formats/PicturesTests/Fixtures/rgb.png"
    # In a process of its own: what this one holds would be counted as that of its children.
    maker = multiprocessing.Process(target=make, args=(work,))
    maker.start()
    maker.join()
    rows = [
        ("config of nothing, 30 MB", ["convert", work / "config", "-o", work / "x", "-q"]),
        ("recipe of nothing, 30 MB", ["quantize", work / "tiny", "--recipe", work / "recipe.json", "-o", work / "x", "-q"]),
        ("zstd to 6 GiB, 197 kB", ["convert", work / "m.safetensors.zst", "-o", work / "x", "-q"]),
        ("npz to 1 GiB, 1 MB", ["convert", work / "m.npz", "-o", work / "x", "-q"]),
        ("tower for 19,000 pixels", ["encode", work / "tower", picture, "-o", work / "f", "-q"]),
        ("200,000 added tokens", ["tokenize", work / "tokens", "--file", work / "text"]),
    ]
    if len(sys.argv) > 1:
        rows += [(f"texts that overlap, {p.stat().st_size} bytes", ["inspect", p]) for p in sorted(Path(sys.argv[1]).glob("*.bantam"))]
    base = min(run("--version")[2] for _ in range(3))
    for name, arguments in rows:
        code, seconds, peak, text = run(*arguments)
        print(f"{name:44} exit {code:3}  {seconds:6.2f} s  {(peak - base) / (1 << 20):8.1f} MiB  {text[:90]}")
