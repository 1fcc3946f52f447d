"""Recommended models. Any other CLIP or SigLIP works too."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEFAULT_MODEL", "NANO_FOLDER", "OPEN_CLIP_CONFIG", "TEMPORAL_FILE", "KnownModel", "models"]

DEFAULT_MODEL = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""Permissively licensed, and better than OpenAI's model of the same size, which the paper used."""

NANO_FOLDER = Path(__file__).with_name("nano")

OPEN_CLIP_CONFIG = "open_clip_config.json"
TEMPORAL_FILE = "temporal.safetensors"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that `centerclip models` lists.

    Attributes:
        name: hub name, or `nano`.
        license: of the weights, according to their publisher.
        image_size: side of a frame, in pixels.
        patch_size: side of a patch, in pixels.
        blocks: number of blocks of the vision tower.
        embed_size: E.
        parameters: in millions, both towers.
        note: what it is good for, in one line.
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
        """P, patch tokens per frame."""
        return (self.image_size // self.patch_size) ** 2


def models() -> list[KnownModel]:
    """List the known models, the default first and the bundled one last."""
    return [
        KnownModel(DEFAULT_MODEL, "MIT", 224, 32, 12, 512, 151, "the default: fast, good recall"),
        KnownModel("openai/clip-vit-base-patch32", "MIT", 224, 32, 12, 512, 151, "the paper's B/32"),
        KnownModel("openai/clip-vit-base-patch16", "MIT", 224, 16, 12, 512, 150, "the paper's B/16"),
        KnownModel("openai/clip-vit-large-patch14", "MIT", 224, 14, 24, 768, 428, "large"),
        KnownModel("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "MIT", 224, 16, 12, 512, 150, "finer patches"),
        KnownModel("google/siglip2-base-patch16-224", "Apache-2.0", 224, 16, 12, 768, 375, "many languages"),
        KnownModel(
            "google/siglip2-base-patch32-256", "Apache-2.0", 256, 32, 12, 768, 377, "many languages, fast"
        ),
        KnownModel(
            "google/siglip-base-patch16-224",
            "Apache-2.0",
            224,
            16,
            12,
            768,
            203,
            "English; needs sentencepiece",
        ),
        KnownModel(
            "nano", "Apache-2.0", 112, 16, 12, 128, 2, "bundled, no network; knows only the toy world"
        ),
    ]
