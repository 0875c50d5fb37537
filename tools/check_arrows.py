#!/usr/bin/env python3
"""The arrows of the house, from the manifest and the imports: every import is declared, every declared arrow is used, and none points up.

Floors are the folders of Sources, lowest first; a target may stand on its own floor and on those below. Run it in the project's root.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

FLOORS = ["System", "Base", "Formats", "Weights", "Run", "Look", "Bantam", "BantamCLI"]
IMPORT = re.compile(r"^(?:@\w+(?:\(\w+\))?\s+)*(?:public |package |internal )?import (?:\w+ )?(\w+)", re.M)


def floor(path: str) -> int | None:
    parts = Path(path).parts
    return FLOORS.index(parts[1]) if parts[0] == "Sources" and parts[1] in FLOORS else None


def main() -> int:
    text = subprocess.run(["swift", "package", "dump-package"], check=True, capture_output=True, text=True).stdout
    targets = {target["name"]: target for target in json.loads(text)["targets"]}
    faults = []
    for name, target in targets.items():
        path = target.get("path") or ("Tests/" if target["type"] == "test" else "Sources/") + name
        declared = {next(iter(d.values()))[0] for d in target["dependencies"]}
        sources = list(Path(path).rglob("*.swift"))
        imported = set().union(*(IMPORT.findall(source.read_text()) for source in sources)) if sources else set()
        for other in sorted(imported & targets.keys() - declared - {name}):
            faults.append(f"{name} imports {other}, which the manifest does not say")
        for other in sorted(declared & targets.keys() - imported):
            # A test may run a program without importing it; C is declared where its header is imported.
            if sources and targets[other]["type"] != "executable":
                faults.append(f"{name} declares {other} and never imports it")
        own = floor(path)
        for other in sorted(declared & targets.keys()):
            below = floor(targets[other].get("path") or "Sources/" + other)
            if own is not None and below is not None and below > own:
                faults.append(f"{name} ({FLOORS[own]}) stands on {other} ({FLOORS[below]}), which is above it")
        if target["type"] not in ("test",) and path.startswith("Sources/") and own is None:
            faults.append(f"{name} lies on no floor: {path}")
    for fault in faults:
        print(fault)
    print(f"{len(targets)} targets, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
