"""Reads and writes the image processor configuration of `transformers`."""

import json
import math
from pathlib import Path
from typing import Any

from centerclip.model.reading import read_json, reading
from centerclip.preprocessing import INTERPOLATIONS, Preprocessing

__all__ = ["read_preprocessing", "write_preprocessing"]

_FILE = "preprocessor_config.json"
_PROCESSOR_FILE = "processor_config.json"
"""Contains the image processor if `transformers` 5 saved it together with the tokenizer."""

# Switches of transformers that can't be changed here.
_FIXED = {"do_resize": True, "do_rescale": True, "do_pad": False}
# The image processor and the processor of each family in transformers.
_NAMES = {
    "clip": ("CLIP", "CLIP"),
    "siglip": ("Siglip", "Siglip"),
    "metaclip_2": ("CLIP", "CLIP"),
    "chinese_clip": ("ChineseCLIP", "ChineseCLIP"),
    "altclip": ("CLIP", "AltCLIP"),
}


def read_preprocessing(folder: Path, default: Preprocessing) -> Preprocessing:
    """Read the preprocessing saved with a model.

    As in `transformers`, `processor_config.json` has precedence over `preprocessor_config.json`.

    Args:
        folder: the saved model.
        default: for missing files and values. Its image size is the model's, which the position embeddings
            fix.

    Raises:
        ModelError: the file is damaged, or its settings aren't supported.
    """
    for name in (_PROCESSOR_FILE, _FILE):
        path = folder / name
        if not path.is_file():
            continue
        with reading(path, "correct it, or remove it to use the family's defaults"):
            saved: Any = read_json(path, missing="")
            if name == _PROCESSOR_FILE:
                saved = saved.get("image_processor")
            if saved is not None:
                return _parse({key: value for key, value in saved.items() if value is not None}, default)
    return default


def write_preprocessing(preprocessing: Preprocessing, folder: Path, *, family: str) -> None:
    """Write `preprocessor_config.json` so that the processors of `transformers` do the same.

    They always antialias; only `read_preprocessing` notices if it is switched off.

    Args:
        preprocessing: what to write.
        folder: of the saved model.
        family: of the backbone, which selects the processor.
    """
    image_processor, processor = _NAMES[family]
    height, width = preprocessing.image_size
    size = {"height": height, "width": width}
    crops = preprocessing.resize == "crop"
    saved: dict[str, Any] = {
        "image_processor_type": f"{image_processor}ImageProcessor",
        "processor_class": f"{processor}Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": preprocessing.shortest_edge or max(height, width)} if crops else size,
        "resample": INTERPOLATIONS.index(preprocessing.interpolation),
        "do_center_crop": crops,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    }
    if crops:
        saved["crop_size"] = size
    if not preprocessing.antialias:
        saved["antialias"] = False
    (folder / _FILE).write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")
    # transformers would prefer a leftover file of a model saved here before.
    (folder / _PROCESSOR_FILE).unlink(missing_ok=True)


def _parse(saved: dict[str, Any], default: Preprocessing) -> Preprocessing:
    for key, needed in _FIXED.items():
        if bool(saved.get(key, needed)) != needed:
            raise ValueError(f"{key} is {saved[key]}, but only {needed} is supported")
    factor = saved.get("rescale_factor", 1 / 255)
    if not math.isclose(factor, 1 / 255, rel_tol=1e-3):
        raise ValueError(f"rescale_factor is {factor}, but only 1/255 is supported")
    resample = saved.get("resample", INTERPOLATIONS.index(default.interpolation))
    if resample not in range(len(INTERPOLATIONS)):
        raise ValueError(
            f"resample is {resample}, but only 0 to 3 ({', '.join(INTERPOLATIONS)}) are supported"
        )
    normalizes = saved.get("do_normalize", True)
    resize, edge = _geometry(saved, default)
    return Preprocessing(
        image_size=default.image_size,
        mean=_triple(saved.get("image_mean", default.mean)) if normalizes else (0.0, 0.0, 0.0),
        std=_triple(saved.get("image_std", default.std)) if normalizes else (1.0, 1.0, 1.0),
        interpolation=INTERPOLATIONS[resample],
        resize=resize,
        shortest_edge=edge,
        antialias=bool(saved.get("antialias", True)),
    )


def _geometry(saved: dict[str, Any], default: Preprocessing) -> tuple[str, int | None]:
    """Read how frames are resized, and the short side before cropping if saved."""
    crops = saved.get("do_center_crop", default.resize == "crop")
    size = saved.get("size")
    if isinstance(size, int):  # before transformers 4.23
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    needed = dict(zip(("height", "width"), default.image_size, strict=True))
    if crops:
        crop = saved.get("crop_size", needed)
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        if crop != needed:
            raise ValueError(f"crop_size is {crop}, but the model needs {needed}")
    if size is None:
        return ("crop" if crops else "squash"), None
    if size == needed:
        return "squash", None
    if crops and size.keys() == {"shortest_edge"}:
        return "crop", int(size["shortest_edge"])
    raise ValueError(
        f"size is {size} with do_center_crop {crops}, but the model needs {needed}: only that size, or a "
        "shortest_edge with do_center_crop, is supported"
    )


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
