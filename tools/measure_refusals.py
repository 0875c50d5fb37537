"""Time and memory of refusing hostile files.

    BANTAM_KEEP_HOSTILE=FOLDER swift test -c release -Xswiftc -enable-testing --filter Hostile
    python3 tools/measure_refusals.py FOLDER

Runs `bantam inspect` on each file and prints the slowest and the largest. Memory is what a run's anonymous memory rises to
above that of a tiny sound file, less the size of the file itself, which is the header that is really there.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BANTAM = Path(__file__).parent.parent / ".build/release/bantam"


def run(path):
    """Exit code, seconds, peak resident bytes."""
    start = time.monotonic()
    process = subprocess.Popen([BANTAM, "inspect", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - start, usage.ru_maxrss * 1024


with tempfile.NamedTemporaryFile(suffix=".safetensors") as small:
    text = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    small.write(len(text).to_bytes(8, "little") + text + b"x")
    small.flush()
    base = min(run(small.name)[2] for _ in range(3))

rows = []
for path in sorted(Path(sys.argv[1]).iterdir()):
    code, seconds, peak = run(path)
    rows.append((path.name, code, seconds, max(0, peak - base - path.stat().st_size)))
odd = [row for row in rows if row[1] != 65]
print(f"{len(rows)} files, {len(rows) - len(odd)} refused with exit code 65")
for name, code, *_ in odd:
    print(f"  exit code {code}: {name}")
for title, key, show in [
    ("slowest", 2, lambda row: f"{row[2]:.2f} s"), ("largest beyond the file", 3, lambda row: f"{row[3] / 2**20:.1f} MiB")
]:
    print(title)
    for row in sorted(rows, key=lambda row: -row[key])[:5]:
        print(f"  {show(row):>10}  {row[0]}")
