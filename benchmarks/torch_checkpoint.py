"""Writes a PyTorch checkpoint of about 4 GB for convert.sh: random bf16 matrices in one file of the zip form.

    python3 benchmarks/torch_checkpoint.py FOLDER && bash benchmarks/convert.sh FOLDER/model.bin
"""

import sys
from pathlib import Path

import torch

torch.manual_seed(1)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
# Random bits in the lower half of the exponent: no NaN, no infinity.
state = {
    f"layers.{i}.weight": torch.randint(-(2**14), 2**14, (8192, 4096), dtype=torch.int16).view(torch.bfloat16)
    for i in range(60)
}
torch.save({"state_dict": state, "step": 1}, folder / "model.bin")
