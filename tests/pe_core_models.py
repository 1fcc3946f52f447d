"""PE-Cores with random weights, their files in both published layouts, and a reference in float64.

The names and the reference are written independently of `centerclip`, from the official layout.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from centerclip.model.pe_core import PECore, PECoreConfig, TextConfig, VisionConfig

POOLING_HEADS = 8
TRUNK = "vit_pe_core_tiny_patch16_384"
TRUNK_SIDE = 24
"""Patches per side of the tower that has this name: timm stretches rotary positions of other grids to it."""


@dataclass(frozen=True)
class Size:
    """Geometry of a small PE-Core; `side` counts the patches of a row."""

    width: int = 32
    heads: int = 4
    blocks: int = 4
    mlp_width: int = 48
    pooling_width: int = 40
    side: int = 4
    patch: int = 4
    text_width: int = 32
    text_heads: int = 2
    text_blocks: int = 2
    text_mlp_width: int = 48
    context: int = 12
    embed: int = 24

    @property
    def image(self) -> int:
        """Side of a frame, in pixels."""
        return self.side * self.patch


TINY = Size()
HEADS, SIDE = TINY.heads, TINY.side

Place = tuple[float, float] | None
"""Row and column of a patch token; None for the class token."""


def pe_core(
    seed: int = 0, *, class_token: bool = True, rotary_grid: int | None = None, size: Size = TINY
) -> PECore:
    """Make a PE-Core of 4 blocks, 32 wide, 16 patches of 4 x 4 pixels, and a context of 12 tokens."""
    config = PECoreConfig(
        VisionConfig(
            hidden_size=size.width,
            num_hidden_layers=size.blocks,
            num_attention_heads=size.heads,
            intermediate_size=size.mlp_width,
            pooling_size=size.pooling_width,
            patch_size=size.patch,
            image_size=size.image,
            class_token=class_token,
            rotary_grid=rotary_grid or size.side,
        ),
        TextConfig(
            hidden_size=size.text_width,
            num_hidden_layers=size.text_blocks,
            num_attention_heads=size.text_heads,
            intermediate_size=size.text_mlp_width,
            vocab_size=514,
            max_position_embeddings=size.context,
        ),
        projection_dim=size.embed,
    )
    model = PECore(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if name == "logit_scale":
                continue
            scale = 0.5 if parameter.numel() == parameter.shape[-1] else 1.5 * parameter[0].numel() ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            if "norm" in name.split(".")[-2] or ".ln_" in name:
                parameter.add_(name.endswith("weight"))
        model.trunk.head.bias.zero_()  # the official layout has none
    return model


def official(model: PECore) -> dict[str, Tensor]:
    """List a model's weights by the official names."""
    ours = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    trunk = "visual.trunk."
    out = {
        "visual.positional_embedding": ours[f"{trunk}pos_embed"][0],
        "visual.conv1.weight": ours[f"{trunk}patch_embed.proj.weight"],
        "visual.proj": ours[f"{trunk}head.weight"].T.contiguous(),
        "visual.attn_pool.probe": ours[f"{trunk}attn_pool.latent"],
        "logit_scale": ours["logit_scale"],
    }
    if f"{trunk}cls_token" in ours:
        out["visual.class_embedding"] = ours[f"{trunk}cls_token"][0, 0]
    out |= {name.removeprefix("text."): ours[name] for name in ours if name.startswith("text.")}
    modules = {"visual.ln_pre": "norm_pre", "visual.ln_post": "norm"}
    for i in range(len(model.trunk.blocks)):
        old = f"visual.transformer.resblocks.{i}"
        names = ("attn.in_proj", "attn.qkv"), ("attn.out_proj", "attn.proj"), ("ln_1", "norm1")
        names += ("ln_2", "norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")
        modules |= {f"{old}.{a}": f"blocks.{i}.{b}" for a, b in names}
    for a, b in (
        ("attn.out_proj", "proj"), ("layernorm", "norm"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")
    ):  # fmt: skip
        modules[f"visual.attn_pool.{a}"] = f"attn_pool.{b}"
    for part in ("weight", "bias"):
        for name, own in modules.items():
            dot = "_" if name.endswith("in_proj") else "."
            out[f"{name}{dot}{part}"] = ours[f"{trunk}{own}.{part}"]
        query, rest = (ours[f"{trunk}attn_pool.{name}.{part}"] for name in ("q", "kv"))
        out[f"visual.attn_pool.attn.in_proj_{part}"] = torch.cat((query, rest))
    return out


def save_official(model: PECore, path: Path) -> Path:
    """Write the official `.pt`, and the JSON beside it that states the heads."""
    torch.save(official(model), path)
    vision, text = model.config.vision_config, model.config.text_config
    settings = {
        "vision": {
            "heads": vision.num_attention_heads,
            "image_size": vision.image_size,
            "use_rope2d": True,
            "pool_type": "attn",
        },
        "text": {"heads": text.num_attention_heads},
    }
    path.with_suffix(".json").write_text(json.dumps(settings))
    return path


def open_clip_config(size: Size = TINY, **vision: Any) -> dict[str, Any]:
    """Make the content of an `open_clip_config.json`; `vision` overrides its `vision_cfg`."""
    return {
        "model_cfg": {
            "embed_dim": size.embed,
            "vision_cfg": {
                "image_size": size.image,
                "timm_model_name": TRUNK,
                "timm_model_pretrained": False,
                "timm_pool": "map",
                "timm_proj": None,
                "head_width": size.width // size.heads,
                **vision,
            },
            "text_cfg": {
                "context_length": size.context,
                "vocab_size": 514,
                "width": size.text_width,
                "heads": size.text_heads,
                "layers": size.text_blocks,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "interpolation": "bilinear",
            "resize_mode": "squash",
        },
    }


def save_open_clip(model: PECore, folder: Path, size: Size = TINY, **vision: Any) -> Path:
    """Write a folder of open_clip's."""
    folder.mkdir(exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config(size, **vision)))
    return folder


# The reference: token by token, in float64, from weights by their official names.


class Reference:
    """A PE-Core step by step.

    Args:
        weights: by the official names; computed in float64.
        stretch: factor of the rotary positions.
        size: of the model.
    """

    def __init__(self, weights: dict[str, Tensor], *, stretch: float = 1.0, size: Size = TINY) -> None:
        self.weights = {name: tensor.double() for name, tensor in weights.items()}
        self.stretch = stretch
        self.size = size

    def frame(self, pixels: Tensor) -> tuple[list[Tensor], list[Place]]:
        """Embed a frame [3, H, W]: its tokens, the class token first, and their places."""
        tokens: list[Tensor] = []
        places: list[Place] = []
        if "visual.class_embedding" in self.weights:
            tokens, places = [self.weights["visual.class_embedding"]], [None]
        side, pixel = self.size.side, self.size.patch
        for row in range(side):
            for column in range(side):
                top, left = row * pixel, column * pixel
                patch = pixels.double()[:, top : top + pixel, left : left + pixel]
                tokens.append((self.weights["visual.conv1.weight"] * patch).sum(dim=(1, 2, 3)))
                places.append((row, column))
        table = self.weights["visual.positional_embedding"]
        return [self.norm("visual.ln_pre", t + p) for t, p in zip(tokens, table, strict=True)], places

    def block(
        self, index: int, tokens: Sequence[Tensor], places: Sequence[Place], sizes: Sequence[float]
    ) -> list[Tensor]:
        """Run a block of the vision tower; attention is weighted by the tokens' sizes."""
        name = f"visual.transformer.resblocks.{index}"
        normed = [self.norm(f"{name}.ln_1", token) for token in tokens]
        queries, keys, values = self.projected(f"{name}.attn", normed, self.size.heads)
        queries, keys = (
            [[self.rotated(head, places[i]) for head in heads] for i, heads in enumerate(parts)]
            for parts in (queries, keys)
        )
        out = []
        for token, query in zip(tokens, queries, strict=True):
            mixed = [self.seen(query[h], keys, values, h, sizes) for h in range(self.size.heads)]
            token = token + self.linear(f"{name}.attn.out_proj", torch.cat(mixed))
            out.append(token + self.mlp(f"{name}.mlp", self.norm(f"{name}.ln_2", token)))
        return out

    def pooled(self, tokens: Sequence[Tensor], sizes: Sequence[float]) -> Tensor:
        """Pool a sequence to an embedding [E], not normalized."""
        name = "visual.attn_pool"
        tokens = [self.norm("visual.ln_post", token) for token in tokens]
        (query, *_), _, _ = self.projected(
            f"{name}.attn", [self.weights[f"{name}.probe"][0, 0]], POOLING_HEADS
        )
        _, keys, values = self.projected(f"{name}.attn", tokens, POOLING_HEADS)
        mixed = [self.seen(query[h], keys, values, h, sizes) for h in range(POOLING_HEADS)]
        x = self.linear(f"{name}.attn.out_proj", torch.cat(mixed))
        return (x + self.mlp(f"{name}.mlp", self.norm(f"{name}.layernorm", x))) @ self.weights["visual.proj"]

    def text(self, ids: Sequence[int]) -> Tensor:
        """Encode a sentence: [E], not normalized."""
        table, positions = self.weights["token_embedding.weight"], self.weights["positional_embedding"]
        tokens = [table[token] + positions[place] for place, token in enumerate(ids)]
        for index in range(self.size.text_blocks):
            name = f"transformer.resblocks.{index}"
            normed = [self.norm(f"{name}.ln_1", token) for token in tokens]
            queries, keys, values = self.projected(f"{name}.attn", normed, self.size.text_heads)
            done = []
            for place, token in enumerate(tokens):
                before = slice(0, place + 1)
                mixed = [
                    self.seen(queries[place][h], keys[before], values[before], h, [1.0] * (place + 1))
                    for h in range(self.size.text_heads)
                ]
                token = token + self.linear(f"{name}.attn.out_proj", torch.cat(mixed))
                done.append(token + self.mlp(f"{name}.mlp", self.norm(f"{name}.ln_2", token)))
            tokens = done
        end = max(range(len(ids)), key=lambda place: ids[place])
        return self.norm("ln_final", tokens[end]) @ self.weights["text_projection"]

    def rotated(self, head: Tensor, place: Place) -> Tensor:
        """Rotate the pairs of a head: the first half by the column, the second by the row, from 1 on."""
        if place is None:
            return head
        turned = head.clone()
        quarter = len(head) // 4
        for half, position in enumerate((place[1], place[0])):
            for pair in range(quarter):
                angle = self.stretch * (position + 1) * 10_000.0 ** (-pair / quarter)
                first = half * len(head) // 2 + 2 * pair
                a, b = head[first], head[first + 1]
                turned[first] = a * math.cos(angle) - b * math.sin(angle)
                turned[first + 1] = b * math.cos(angle) + a * math.sin(angle)
        return turned

    def seen(
        self, query: Tensor, keys: Sequence[Any], values: Sequence[Any], head: int, sizes: Sequence[float]
    ) -> Tensor:
        scores = torch.stack([query @ key[head] for key in keys]) / math.sqrt(len(query))
        weights = torch.exp(scores - scores.max()) * torch.tensor(sizes, dtype=torch.float64)
        return (weights / weights.sum()) @ torch.stack([value[head] for value in values])

    def projected(self, name: str, tokens: Sequence[Tensor], heads: int) -> Any:
        """Queries, keys and values of tokens, each split into heads."""
        weights = self.weights[f"{name}.in_proj_weight"].chunk(3)
        biases = self.weights[f"{name}.in_proj_bias"].chunk(3)
        return [
            [(weight @ token + bias).chunk(heads) for token in tokens]
            for weight, bias in zip(weights, biases, strict=True)
        ]

    def norm(self, name: str, token: Tensor) -> Tensor:
        centered = token - token.mean()
        scale = torch.sqrt((centered**2).mean() + 1e-5)
        return centered / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def linear(self, name: str, x: Tensor) -> Tensor:
        return self.weights[f"{name}.weight"] @ x + self.weights[f"{name}.bias"]

    def mlp(self, name: str, x: Tensor) -> Tensor:
        hidden = self.linear(f"{name}.c_fc", x)
        return self.linear(f"{name}.c_proj", hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2)

    def video(
        self,
        frames: Tensor,
        stages: dict[int, int],
        blend: Callable[[list[Tensor]], list[list[float]]],
        *,
        weighted: bool = False,
    ) -> Tensor:
        """Encode a video [T, 3, H, W] to its segments' embeddings [S, E], not normalized.

        Args:
            frames: normalized.
            stages: segments by the block before which they are formed.
            blend: the weights [K][N] of a segment's tokens in those that remain.
            weighted: whether a remaining token counts as the patches that it stands for.
        """
        sequences = [self.frame(frame) for frame in frames]
        first = sequences[0][1][0] is None
        sizes = [[1.0] * len(tokens) for tokens, _ in sequences]
        for index in range(self.size.blocks):
            if index in stages:
                groups = _groups(len(sequences), stages[index])
                joined = [_reduced([sequences[i] for i in own], [sizes[i] for i in own], first, blend)
                          for own in groups]  # fmt: skip
                sequences = [(tokens, places) for tokens, places, _ in joined]
                sizes = [size if weighted else [1.0] * len(size) for _, _, size in joined]
            sequences = [
                (self.block(index, tokens, places, size), places)
                for (tokens, places), size in zip(sequences, sizes, strict=True)
            ]
        pairs = zip(sequences, sizes, strict=True)
        return torch.stack([self.pooled(tokens, size) for (tokens, _), size in pairs])


def _groups(count: int, segments: int) -> list[list[int]]:
    return [[t for t in range(count) if t * segments // count == segment] for segment in range(segments)]


def _reduced(
    own: list[tuple[list[Tensor], list[Place]]],
    sizes: list[list[float]],
    first: bool,
    blend: Callable[[list[Tensor]], list[list[float]]],
) -> tuple[list[Tensor], list[Place], list[float]]:
    patches = [token for tokens, _ in own for token in tokens[first:]]
    where = [place for _, places in own for place in places[first:]]
    counts = [size for part in sizes for size in part[first:]]
    tokens, places, out = [], [], []
    if first:
        tokens, places, out = [torch.stack([t[0] for t, _ in own]).mean(dim=0)], [None], [1.0]
    for weights in blend(patches):
        present = [i for i, weight in enumerate(weights) if weight]
        tokens.append(sum(weights[i] * patches[i] for i in present))
        places.append(tuple(sum(weights[i] * where[i][axis] for i in present) for axis in (0, 1)))
        out.append(sum(counts[i] for i in present))
    return tokens, places, out
