"""Known models: what is published about them, and what they cost. Any other CLIP or SigLIP works too."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from centerclip.schedule import PRESETS, TokenSchedule, resolve_schedule

__all__ = [
    "CPU_MODEL",
    "FRAMES",
    "GEOMETRY",
    "GPU_MODEL",
    "MULTILINGUAL_MODEL",
    "NANO_FOLDER",
    "OPEN_CLIP_CONFIG",
    "TEMPORAL_FILE",
    "KnownModel",
    "default_model",
    "find_known",
    "models",
    "presets",
]

GPU_MODEL = "timm/PE-Core-B-16"
"""The best published recall for its cost, where the time per window hardly matters."""
CPU_MODEL = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""The fastest with good recall; docs/models.md explains the choice."""
MULTILINGUAL_MODEL = "google/siglip2-base-patch16-224"
"""Recommended for queries in other languages than English."""

NANO_FOLDER = Path(__file__).with_name("nano")

OPEN_CLIP_CONFIG = "open_clip_config.json"
TEMPORAL_FILE = "temporal.safetensors"

FRAMES = 12
"""T, frames per window, for which costs are stated: what models use by default."""

GEOMETRY = (
    "image_size", "patch_size", "blocks", "width", "mlp_width", "heads", "class_token", "embed_size",
    "text_width", "text_blocks", "text_heads", "text_mlp_width", "vocabulary",
)  # fmt: skip
"""The facts that share a source."""

_FACTS = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A model that `centerclip models` lists.

    Attributes:
        name: on the hub, or `nano`.
        aliases: hub names of the same model in other layouts.
        about: what it is good for, in a few words.
        family: of its architecture: `clip`, `siglip` or `pe_core`.
        license: of the weights, according to their publisher.
        languages: codes of the languages it was trained on, or `many`.
        recall: published zero-shot R@1 in percent, text to video on MSR-VTT 1k-A; None if there is none.
        parameters: of both towers.
        download_bytes: of the weights; 0 for the bundled model.
        context_length: maximum number of tokens in a text.
        image_size: side of a frame, in pixels.
        patch_size: side of a patch, in pixels.
        blocks, width, mlp_width, heads, class_token: geometry of the vision tower, as of a `Backbone`.
        text_width, text_blocks, text_heads, text_mlp_width, vocabulary: geometry of the text tower.
        embed_size: E.
        sources: where each fact comes from; `geometry` stands for all sizes of the towers.
    """

    name: str
    about: str
    family: str
    license: str
    languages: tuple[str, ...]
    parameters: int
    download_bytes: int
    context_length: int
    image_size: int
    patch_size: int
    blocks: int
    width: int
    mlp_width: int
    heads: int
    class_token: bool
    text_width: int
    text_blocks: int
    text_heads: int
    text_mlp_width: int
    vocabulary: int
    embed_size: int
    sources: dict[str, str]
    aliases: tuple[str, ...] = ()
    recall: float | None = None

    @property
    def patches(self) -> int:
        """P, patch tokens per frame."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def only_english(self) -> bool:
        return self.languages == ("en",)

    def schedule(self, preset: str) -> TokenSchedule:
        """The model's schedule for a preset, or `none`."""
        return resolve_schedule(preset, blocks=self.blocks, patches=self.patches, frames=FRAMES)

    def multiply_adds(self, preset: str) -> int:
        """The vision tower's multiply-adds for a window of 12 frames, as `Backbone.multiply_adds`."""
        return self.schedule(preset).multiply_adds(
            blocks=self.blocks,
            frames=FRAMES,
            patches=self.patches,
            width=self.width,
            mlp_width=self.mlp_width,
            patch_pixels=3 * self.patch_size**2,
            class_token=self.class_token,
            whole_last_block=self.family != "clip",  # the others pool all tokens by attention
            pooling={"clip": 0, "pe_core": 4 * self.width}.get(self.family, self.mlp_width),
        )


@cache
def models() -> tuple[KnownModel, ...]:
    """List the known models in the order of the file, the bundled one last."""
    with _FACTS.open("rb") as file:
        facts = tomllib.load(file)
    return tuple(
        KnownModel(
            **entry
            | {name: tuple(entry.get(name, ())) for name in ("languages", "aliases")}
            | {"sources": _sources(entry, facts["sources"])}
        )
        for entry in facts["models"]
    )


def _sources(entry: dict[str, Any], texts: dict[str, str]) -> dict[str, str]:
    own = {"hub": f"the page of {entry['name']} on the hub"}
    return {fact: (texts | own)[source] for fact, source in entry["sources"].items()}


def presets() -> tuple[str, ...]:
    """The schedules for which costs are stated: all presets, and `none`."""
    return (*PRESETS, "none")


def find_known(name: str) -> KnownModel | None:
    """The known model with this name on the hub, in any of its layouts; None if there is none."""
    return next((model for model in models() if name in (model.name, *model.aliases)), None)


def default_model(*, gpu: bool) -> str:
    """The name of the model that is used if the user names none.

    Args:
        gpu: whether the model runs on a GPU.
    """
    return GPU_MODEL if gpu else CPU_MODEL
