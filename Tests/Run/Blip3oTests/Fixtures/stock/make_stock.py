"""Writes the configurations that transformers and diffusers themselves write for a stock Qwen2.5-VL and the parts of a stock SDXL,
with every key that their classes know.

    python make_stock.py OUTPUT_FOLDER       transformers 5.23.0, diffusers 0.42.1
"""

import inspect
import json
import sys
from pathlib import Path

from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import GenerationConfig, Qwen2_5_VLConfig

OUT = Path(sys.argv[1])


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1, default=str) + "\n")


def known(kind, **values):
    defaults = {k: v.default for k, v in inspect.signature(kind.__init__).parameters.items() if k != "self"}
    return {"_class_name": kind.__name__, "_diffusers_version": "0.42.1"} | defaults | values


write("qwen2.5-vl.json", Qwen2_5_VLConfig().to_dict())
write("generation.json", GenerationConfig().to_dict())
write("sdxl-unet.json", known(
    UNet2DConditionModel, sample_size=128, down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], block_out_channels=[320, 640, 1280],
    attention_head_dim=[5, 10, 20], transformer_layers_per_block=[1, 2, 10], cross_attention_dim=2048,
    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
    # SDXL's pooled text is 1280 wide; here it is the mean of the tokens, as in BLIP3-o.
    projection_class_embeddings_input_dim=2048 + 6 * 256))
write("sdxl-vae.json", known(
    AutoencoderKL, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
    block_out_channels=[128, 256, 512, 512], layers_per_block=2, sample_size=1024, scaling_factor=0.13025))
write("sdxl-scheduler.json", known(
    EulerDiscreteScheduler, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading",
    steps_offset=1) | {"clip_sample": False, "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True})
