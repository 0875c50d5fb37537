"""The networks of a BLIP3-o in plain PyTorch, every parameter under its name in the release.

Sizes come from the release folder's own JSON files. UNet and VAE are diffusers' classes.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def turn_halves(x, angles):
    """Rotary places, halves convention: component i turns with component i + width / 2. Angles: (..., n, width / 2)."""
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def turn_pairs(x, angles):
    """Rotary places, pairs convention: components 2i and 2i + 1 turn together."""
    a, b = x[..., 0::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)


def names(**children):
    """A module that only holds others."""
    module = nn.Module()
    for name, child in children.items():
        setattr(module, name, child)
    return module


# Vision tower


class VisionBlock(nn.Module):
    def __init__(self, width, middle, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.attn = names(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width))
        self.mlp = names(
            gate_proj=nn.Linear(width, middle), up_proj=nn.Linear(width, middle), down_proj=nn.Linear(middle, width))

    def forward(self, x, angles, mask):
        q, k, v = (split_heads(part, self.heads) for part in self.attn.qkv(self.norm1(x)).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(turn_halves(q, angles), turn_halves(k, angles), v, attn_mask=mask)
        x = x + self.attn.proj(join_heads(mixed))
        y = self.norm2(x)
        return x + self.mlp.down_proj(F.silu(self.mlp.gate_proj(y)) * self.mlp.up_proj(y))


class VisionTower(nn.Module):
    """Qwen2.5-VL's tower for square pictures of one size: all pictures of a batch run together."""

    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        self.patch, self.merge, frames = (
            config["patch_size"], config["spatial_merge_size"], config["temporal_patch_size"])
        self.window = config["window_size"] // self.merge // self.patch
        self.everywhere = set(config["fullatt_block_indexes"])
        self.head_width = width // config["num_heads"]
        kernel = (frames, self.patch, self.patch)
        self.patch_embed = names(proj=nn.Conv3d(3, width, kernel, stride=kernel, bias=False))
        self.blocks = nn.ModuleList(
            VisionBlock(width, config["intermediate_size"], config["num_heads"]) for _ in range(config["depth"]))
        wide = width * self.merge ** 2
        self.merger = names(
            ln_q=nn.RMSNorm(width, eps=1e-6),
            mlp=nn.Sequential(nn.Linear(wide, wide), nn.GELU(), nn.Linear(wide, config["out_hidden_size"])))

    def rows(self, x):
        """Normalised pictures (b, 3, s, s) as rows of patches, the patches of a token beside each other."""
        m, p = self.merge, self.patch
        side = x.shape[-1] // (m * p)
        x = x.view(len(x), 3, side, m, p, side, m, p).permute(0, 2, 5, 3, 6, 1, 4, 7)
        return x.reshape(len(x), side * side * m * m, -1)

    def places(self, side):
        """Row and column of every patch, and the window it lies in, in the order of `rows`."""
        m = self.merge
        row, column, y, x = torch.meshgrid(*(torch.arange(n) for n in (side, side, m, m)), indexing="ij")
        window = (row // self.window) * side + column // self.window
        return (row * m + y).flatten(), (column * m + x).flatten(), window.flatten()

    def forward(self, pictures):
        """Normalised pictures (b, 3, s, s) to tokens (b, (s / 28)^2, width of the language model)."""
        # A still picture fills all frames of the kernel, which therefore act as their sum.
        x = F.linear(self.rows(pictures), self.patch_embed.proj.weight.sum(2).flatten(1))
        row, column, window = self.places(pictures.shape[-1] // (self.merge * self.patch))
        half = self.head_width // 2
        speeds = 10000.0 ** (-torch.arange(0, half, 2) / half)
        angles = torch.cat([row[:, None] * speeds, column[:, None] * speeds], -1)
        inside = window[:, None] == window[None, :]
        for number, block in enumerate(self.blocks):
            x = block(x, angles, None if number in self.everywhere else inside)
        return self.merger.mlp(self.merger.ln_q(x).unflatten(1, (-1, self.merge ** 2)).flatten(2))


# Language model


class LanguageLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, middle, eps = config["hidden_size"], config["intermediate_size"], config["rms_norm_eps"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        narrow = width // self.heads * self.kv_heads
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width, eps=eps), nn.RMSNorm(width, eps=eps)
        self.self_attn = names(
            q_proj=nn.Linear(width, width), k_proj=nn.Linear(width, narrow), v_proj=nn.Linear(width, narrow),
            o_proj=nn.Linear(width, width, bias=False))
        self.mlp = names(
            gate_proj=nn.Linear(width, middle, bias=False), up_proj=nn.Linear(width, middle, bias=False),
            down_proj=nn.Linear(middle, width, bias=False))

    def forward(self, x, angles):
        y = self.input_layernorm(x)
        a = self.self_attn
        q, k, v = (split_heads(proj(y), heads) for proj, heads in (
            (a.q_proj, self.heads), (a.k_proj, self.kv_heads), (a.v_proj, self.kv_heads)))
        q, k = turn_halves(q, angles), turn_halves(k, angles)
        k, v = (part.repeat_interleave(self.heads // self.kv_heads, 1) for part in (k, v))
        x = x + a.o_proj(join_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True)))
        y = self.post_attention_layernorm(x)
        return x + self.mlp.down_proj(F.silu(self.mlp.gate_proj(y)) * self.mlp.up_proj(y))


# Diffusion transformer


class DiTAttention(nn.Module):
    """Projections of one attention, normed across all heads."""

    def __init__(self, width, heads, with_output):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.norm_q, self.norm_k = nn.LayerNorm(width, eps=1e-5), nn.LayerNorm(width, eps=1e-5)
        if with_output:
            self.to_out = nn.ModuleList([nn.Linear(width, width, bias=False)])

    def forward(self, x, context, angles, turn_keys):
        q = turn_pairs(split_heads(self.norm_q(self.to_q(x)), self.heads), angles)
        k = split_heads(self.norm_k(self.to_k(context)), self.heads)
        k = turn_pairs(k, angles) if turn_keys else k
        return F.scaled_dot_product_attention(q, k, split_heads(self.to_v(context), self.heads))


class DiTLayer(nn.Module):
    """Attention among the features and to the condition, gated head by head, then a gated feed-forward."""

    def __init__(self, config):
        super().__init__()
        width, heads, eps = config["dim"], config["n_heads"], config["norm_eps"]
        middle = config["multiple_of"] * math.ceil(int(8 * width / 3) / config["multiple_of"])
        self.gate = nn.Parameter(torch.full((heads,), 0.5))
        self.attn1, self.attn2 = DiTAttention(width, heads, False), DiTAttention(width, heads, True)
        self.feed_forward = names(
            linear_1=nn.Linear(width, middle, bias=False), linear_2=nn.Linear(middle, width, bias=False),
            linear_3=nn.Linear(width, middle, bias=False))
        self.norm1 = names(linear=nn.Linear(min(width, 1024), 4 * width), norm=nn.RMSNorm(width, eps=eps))
        self.ffn_norm1, self.norm2, self.ffn_norm2, self.norm1_context = (nn.RMSNorm(width, eps=eps) for _ in range(4))
        # Both gates half open from the start: with gates of zero the first steps would teach nothing else.
        nn.init.zeros_(self.norm1.linear.bias)
        self.norm1.linear.bias.data.view(4, width)[[1, 3]] = 0.5

    def forward(self, x, context, moment, angles):
        scale, gate, scale_ffn, gate_ffn = self.norm1.linear(F.silu(moment))[:, None].chunk(4, -1)
        y = self.norm1.norm(x) * (1 + scale)
        own = self.attn1(y, y, angles, True)
        cross = self.attn2(y, self.norm1_context(context), angles, False)
        mixed = join_heads(own + cross * self.gate.tanh()[:, None, None])
        x = x + gate.tanh() * self.norm2(self.attn2.to_out[0](mixed))
        y = self.ffn_norm1(x) * (1 + scale_ffn)
        f = self.feed_forward
        return x + gate_ffn.tanh() * self.ffn_norm2(f.linear_2(F.silu(f.linear_1(y)) * f.linear_3(y)))


def pair(a, b, c):
    return names(linear_1=nn.Linear(a, b), linear_2=nn.Linear(b, c))


def sinusoids(t, channels=256):
    """Cosines, then sines, of times in thousandths."""
    half = channels // 2
    angles = t.float()[:, None] * torch.exp(-math.log(10000.0) * torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], -1)


class DiT(nn.Module):
    """Velocity of noisy features (b, channels, h, w), given a time and the states of the queries."""

    def __init__(self, config, condition_width):
        super().__init__()
        width, channels = config["dim"], config["in_channels"]
        moment = min(width, 1024)
        self.head_width = width // config["n_heads"]
        self.caption_projection = pair(condition_width, width, width)
        self.patch_embedder = names(proj=nn.Linear(channels, width))
        self.time_caption_embed = names(
            timestep_embedder=pair(256, moment, moment),
            caption_embedder=nn.Sequential(nn.LayerNorm(width), nn.Linear(width, moment)))
        self.layers = nn.ModuleList(DiTLayer(config) for _ in range(config["n_layers"]))
        self.norm_out = pair(moment, width, channels)

    def angles(self, height, width):
        """Rows turn the even pairs of a head, columns the odd ones."""
        quarter = self.head_width // 4
        speeds = 10000.0 ** (-torch.arange(quarter) / quarter)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        return torch.stack([y.reshape(-1, 1) * speeds, x.reshape(-1, 1) * speeds], -1).flatten(1)

    def forward(self, features, t, condition):
        height, width = features.shape[2:]
        x = self.patch_embedder.proj(features.flatten(2).transpose(1, 2))
        c, e = self.caption_projection, self.time_caption_embed
        context = c.linear_2(F.gelu(c.linear_1(condition), approximate="tanh"))
        moment = e.timestep_embedder.linear_2(F.silu(e.timestep_embedder.linear_1(sinusoids(t))))
        moment = moment + e.caption_embedder(context.mean(1))
        angles = self.angles(height, width)
        for layer in self.layers:
            x = layer(x, context, moment, angles)
        x = F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + self.norm_out.linear_1(F.silu(moment))[:, None])
        return self.norm_out.linear_2(x).transpose(1, 2).unflatten(2, (height, width))


# EVA-CLIP tower


class EvaBlock(nn.Module):
    def __init__(self, width, heads, middle):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = names(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width))
        self.mlp = names(fc1=nn.Linear(width, middle), fc2=nn.Linear(middle, width))

    def forward(self, x):
        q, k, v = (split_heads(part, self.heads) for part in self.attn.qkv(x).chunk(3, -1))
        x = x + self.norm1(self.attn.proj(join_heads(F.scaled_dot_product_attention(q, k, v))))
        return x + self.norm2(self.mlp.fc2(F.gelu(self.mlp.fc1(x))))


class EvaTower(nn.Module):
    """The tower whose features the flow paints: norms behind the branches, and no norm at the end."""

    def __init__(self, config):
        super().__init__()
        width, patch = config["width"], config["patch_size"]
        self.side = config["image_size"] // patch
        self.image_size = config["image_size"]
        self.cls_token = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.1 * torch.randn(1, self.side ** 2 + 1, width))
        self.patch_embed = names(proj=nn.Conv2d(3, width, patch, patch))
        self.blocks = nn.ModuleList(
            EvaBlock(width, width // config["head_width"], int(width * config["mlp_ratio"]))
            for _ in range(config["layers"]))

    def forward(self, pictures):
        """Normalised pictures (b, 3, s, s) to features (b, width, 8, 8): the patches' states, pooled four by four."""
        x = self.patch_embed.proj(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = x[:, 1:].transpose(1, 2).unflatten(2, (self.side, self.side))
        return F.avg_pool2d(x, self.side // 8)


# The whole


class Blip3o(nn.Module):
    """Everything in the release's shards; `state_dict` has the release's names."""

    def __init__(self, config):
        super().__init__()
        width, words = config["hidden_size"], config["vocab_size"]
        self.config = config
        self.visual = VisionTower(config["vision_config"])
        self.model = names(
            # Small at first: what the queries gather by attention must outweigh what they are.
            latent_queries=nn.Parameter(0.03 * torch.randn(1, config["n_query"], width)),
            embed_tokens=nn.Embedding(words, width),
            layers=nn.ModuleList(LanguageLayer(config) for _ in range(config["num_hidden_layers"])),
            norm=nn.RMSNorm(width, eps=config["rms_norm_eps"]),
            gen_vision_tower=names(vision_tower=names(model=EvaTower(config["eva_config"]))),
            dit=names(model=DiT(config["dit_config"], width)))
        self.lm_head = nn.Linear(width, words, bias=False)
        nn.init.normal_(self.model.embed_tokens.weight, std=0.02)

    @property
    def eva(self):
        return self.model.gen_vision_tower.vision_tower.model

    @property
    def dit(self):
        return self.model.dit.model

    def language_parameters(self):
        """What reads and writes words, and the queries."""
        m = self.model
        return [m.latent_queries, self.lm_head.weight, *m.embed_tokens.parameters(), *m.layers.parameters(),
                *m.norm.parameters()]

    def states(self, embeddings, positions):
        """Last states, normed, of embeddings (b, n, width) at positions (3, n): time, row and column."""
        half = self.config["hidden_size"] // self.config["num_attention_heads"] // 2
        speeds = self.config["rope_theta"] ** (-torch.arange(half) / half)
        sections = self.config["rope_scaling"]["mrope_section"]
        axis = torch.repeat_interleave(torch.arange(3), torch.tensor(sections))
        angles = positions[axis].T * speeds
        for layer in self.model.layers:
            embeddings = layer(embeddings, angles)
        return self.model.norm(embeddings)


def make_unet(config):
    from diffusers import UNet2DConditionModel
    return UNet2DConditionModel(**{k: v for k, v in config.items() if not k.startswith("_")})


def make_vae(config):
    from diffusers import AutoencoderKL
    return AutoencoderKL(**{k: v for k, v in config.items() if not k.startswith("_")})
