"""The models known by name, and where a name leads. A name is a suggestion: any CLIP or SigLIP works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEFAULT_MODEL", "NANO_FOLDER", "OPEN_CLIP_CONFIG", "TEMPORAL_FILE", "KnownModel", "models"]

DEFAULT_MODEL = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""Permissive, and stronger than OpenAI's of the same size, which stays the choice for the paper's figures."""

NANO_FOLDER = Path(__file__).with_name("nano")

OPEN_CLIP_CONFIG = "open_clip_config.json"
TEMPORAL_FILE = "temporal.safetensors"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that `centerclip models` lists.

    Attributes:
        name: of the hub, or `nano`.
        license: of the weights, as their publisher states it.
        image_size: pixels on a side.
        patch_size: pixels on a side of a patch.
        blocks: of the vision tower.
        embed_size: E.
        parameters: in millions, both towers.
        note: one line: what it is good for.
    """

    name: str
    license: str
    image_size: int
    patch_size: int
    blocks: int
    embed_size: int
    parameters: int
    note: str

    @property
    def patches(self) -> int:
        """P, the patch tokens of a frame."""
        return (self.image_size // self.patch_size) ** 2


def models() -> list[KnownModel]:
    """List the known models, the default first and the bundled one last."""
    return list(_MODELS)


_MODELS = (
    KnownModel(DEFAULT_MODEL, "MIT", 224, 32, 12, 512, 151, "the default: quick, good recall"),
    KnownModel("openai/clip-vit-base-patch32", "MIT", 224, 32, 12, 512, 151, "the paper's B/32"),
    KnownModel("openai/clip-vit-base-patch16", "MIT", 224, 16, 12, 512, 150, "the paper's B/16"),
    KnownModel("openai/clip-vit-large-patch14", "MIT", 224, 14, 24, 768, 428, "large"),
    KnownModel(
        "laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        "MIT",
        224,
        16,
        12,
        512,
        150,
        "finer patches than the default",
    ),
    KnownModel("google/siglip2-base-patch16-224", "Apache-2.0", 224, 16, 12, 768, 375, "many languages"),
    KnownModel(
        "google/siglip2-base-patch32-256", "Apache-2.0", 256, 32, 12, 768, 377, "many languages, quick"
    ),
    KnownModel(
        "google/siglip-base-patch16-224", "Apache-2.0", 224, 16, 12, 768, 203, "English; needs sentencepiece"
    ),
    KnownModel("nano", "Apache-2.0", 112, 16, 12, 128, 2, "bundled, no network; knows only the toy world"),
)
