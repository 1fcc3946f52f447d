"""How uint8 frames become a model's input: size, mean, standard deviation, interpolation.

Owns the constants of each model family and the reading and writing of `preprocessor_config.json`.
Resizing itself is the business of `centerclip.video`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centerclip.errors import ModelError

__all__ = ["CLIP_MEAN", "CLIP_STD", "Preprocessing", "read_preprocessing", "write_preprocessing"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of the pixels CLIP was trained on, red, green, blue, in 0..1 (OpenAI's constants)."""
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_FILE = "preprocessor_config.json"
_INTERPOLATIONS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # PIL's numbers


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What is done to a frame before the model sees it.

    Attributes:
        image_size: (height, width) in pixels.
        mean, std: per channel, of pixels in 0..1.
        interpolation: filter used for resizing: bicubic, bilinear, lanczos or nearest.
    """

    image_size: tuple[int, int]
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    interpolation: str = "bicubic"


def read_preprocessing(folder: Path, default: Preprocessing) -> Preprocessing:
    """Read a saved model's `preprocessor_config.json`.

    The size is always the model's own: its position embeddings admit no other.

    Args:
        folder: the saved model.
        default: stands in for the file, or for what the file leaves out.

    Raises:
        ModelError: the file is not JSON, or holds values of another form.
    """
    path = folder / _FILE
    if not path.is_file():
        return default
    try:
        saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Preprocessing(
            image_size=default.image_size,
            mean=_triple(saved.get("image_mean", default.mean)),
            std=_triple(saved.get("image_std", default.std)),
            interpolation=_INTERPOLATIONS[saved["resample"]]
            if "resample" in saved
            else default.interpolation,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} can't be read ({error}): restore it from the model's origin") from error


def write_preprocessing(preprocessing: Preprocessing, folder: Path, *, family: str) -> None:
    """Write `preprocessor_config.json` so that `transformers`' own processors read it.

    Args:
        preprocessing: what to write.
        folder: where the model is being saved.
        family: `clip` (short side, then center crop) or `siglip` (plain resize), as `transformers` does it.
    """
    height, width = preprocessing.image_size
    size = {"height": height, "width": width}
    saved: dict[str, Any] = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
        "resample": next(k for k, name in _INTERPOLATIONS.items() if name == preprocessing.interpolation),
        "rescale_factor": 1 / 255,
    }
    if family == "clip":
        saved |= {
            "image_processor_type": "CLIPImageProcessor",
            "processor_class": "CLIPProcessor",
            "size": {"shortest_edge": min(height, width)},
            "crop_size": size,
            "do_center_crop": True,
        }
    else:
        saved |= {
            "image_processor_type": "SiglipImageProcessor",
            "processor_class": "SiglipProcessor",
            "size": size,
        }
    (folder / _FILE).write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
