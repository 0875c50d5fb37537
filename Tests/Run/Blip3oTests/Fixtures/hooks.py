"""What forward hooks see inside a language model: outputs of single modules, without what is added behind them.

    python hooks.py CHECKPOINT/ GOLDENS.safetensors OUT.safetensors

The text half of Qwen2.5-VL is Qwen2: with all three axes of the positions alike, M-RoPE is plain RoPE.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2Model

folder, goldens, out = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
config = json.loads((folder / "config.json").read_text())
names = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
         "rms_norm_eps", "rope_theta", "max_position_embeddings"]
model = Qwen2Model(Qwen2Config(**{name: config[name] for name in names if name in config})).float().eval()
stored = load_file(folder / "model.safetensors")
wanted = model.state_dict().keys()
missing = model.load_state_dict({n: stored["model." + n].float() for n in wanted}, strict=True)
with safe_open(goldens, "pt") as file:
    ids = file.get_tensor("llm.ids").reshape(1, -1).long()

found = {}


def keep(path, module):
    def hook(_, inputs, output):
        found[f"prompt/{path}"] = output[0].detach().clone().contiguous()
        found[f"input/{path}"] = inputs[0][0].detach().clone().contiguous()

    module.register_forward_hook(hook)


for number, layer in enumerate(model.layers):
    path = f"llm.layers.{number}"
    for name in ["self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"]:
        keep(f"{path}.{name}", layer.get_submodule(name))
with torch.no_grad():
    model(input_ids=ids)
save_file(found, out)
print(f"{len(found)} tensors, torch {torch.__version__}")
