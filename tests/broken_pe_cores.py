"""Broken and forged PE-Cores in both layouts, each with a part of the error that refuses it."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pe_core_models import official, pe_core, save_official, save_open_clip
from safetensors.torch import load_file, save_file


class Calls:
    """Runs code when unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def change(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = save_official(pe_core(), folder / "PE-Core-X4-16.pt")
        weights = official(pe_core())
        edit(weights)
        torch.save(weights, path)
        return path

    return write


def configured(**vision: Any) -> Callable[[Path], Path]:
    return lambda folder: save_open_clip(pe_core(), folder, **vision)


def stated(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = save_official(pe_core(), folder / "PE-Core-X4-16.pt")
        settings = json.loads(path.with_suffix(".json").read_text())
        edit(settings)
        path.with_suffix(".json").write_text(json.dumps(settings))
        return path

    return write


def truncated(folder: Path) -> Path:
    path = save_official(pe_core(), folder / "PE-Core-X4-16.pt")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def calling(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "PE-Core-X4-16.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"visual.attn_pool.probe": Calls()}, 2))
        archive.writestr("archive/version", "3")
    return folder / "PE-Core-X4-16.pt"


def instead(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "PE-Core-X4-16.pt"
        path.write_bytes(content)
        return path

    return write


def saved(content: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "PE-Core-X4-16.pt"
        torch.save(content() if callable(content) else content, path)
        return path

    return write


def unpooled(folder: Path) -> Path:
    save_open_clip(pe_core(), folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["visual.trunk.attn_pool.latent"]
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def scrambled(folder: Path) -> Path:
    save_open_clip(pe_core(), folder)
    (folder / "open_clip_config.json").write_text("{")
    return folder


PROJECTION = "transformer.resblocks.0.attn.in_proj_weight"
BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated": (truncated, "PE-Core-X4-16.pt"),
    "empty": (instead(b""), "PE-Core-X4-16.pt"),
    "a pointer": (
        instead(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        "PE-Core-X4-16.pt",
    ),
    "a page": (instead(b"<!doctype html><title>Sign in</title>"), "PE-Core-X4-16.pt"),
    "no weights": (saved({"epoch": 3}), "has no weights"),
    "a whole model": (saved(pe_core), "could run code"),
    "calls": (calling, "could run code"),
    "missing": (change(lambda w: w.pop("visual.ln_post.bias")), "visual.trunk.norm.bias.* is missing"),
    "missing block": (
        change(lambda w: w.pop("visual.transformer.resblocks.0.mlp.c_fc.weight")),
        "is missing",
    ),
    "unknown": (change(lambda w: w.update({"visual.extra": torch.ones(2)})), "visual.extra.*isn't part of"),
    "unknown text": (change(lambda w: w.update(extra=torch.ones(2))), "text.extra.*isn't part of a PE-Core"),
    "shape": (change(lambda w: w.update({PROJECTION: torch.ones(5, 32)})), "must have.*96, 32"),
    "scalar": (change(lambda w: w.update({"visual.class_embedding": torch.ones(())})), "cls_token"),
    "probe": (change(lambda w: w.update({"visual.attn_pool.attn.in_proj_bias": torch.ones(7)})), "missing"),
    "whole numbers": (change(lambda w: w.update(logit_scale=torch.tensor(1))), "must be floats"),
    "infinite": (change(lambda w: w["visual.proj"].fill_(torch.inf)), "damaged"),
    "positions": (
        change(lambda w: w.update({"visual.positional_embedding": torch.ones(12, 32)})),
        "1 \\+ a square number",
    ),
    "trunk": (configured(timm_model_name="vit_pe_core_huge_patch16_224"), "vit_pe_core_huge_patch16_224"),
    "other trunk": (configured(timm_model_name="eva02_base_patch16_clip_224"), "eva02_base"),
    "no pooling": (unpooled, "weights beside this configuration aren't a PE-Core's"),
    "pooling": (configured(timm_pool="avg"), "vision_cfg.timm_pool to 'avg'"),
    "setting": (configured(image_std=3), "vision_cfg.image_std, which is not supported"),
    "image size": (configured(image_size=32), "frames of 32 pixels, but the weights are for 16"),
    "heads": (configured(head_width=5), "isn't a multiple of its head width 5"),
    "odd heads": (configured(head_width=2), "heads of a multiple of 4"),
    "no number": (configured(head_width="many"), "head_width is 'many'"),
    "configuration": (scrambled, "open_clip_config.json can't be read"),
    "stated heads": (stated(lambda s: s["vision"].update(heads=5)), "32 wide with 5 heads"),
    "stated kind": (stated(lambda s: s["vision"].update(use_rope2d=False)), "vision.use_rope2d to False"),
    "stated other": (stated(lambda s: s["text"].update(causal=False)), "text.causal, which is not supported"),
    "blocks": (
        change(
            lambda w: w.update({f"transformer.resblocks.{i}.ln_1.bias": torch.ones(1) for i in range(99)})
        ),
        "99 blocks, but only",
    ),
    "stated badly": (stated(lambda s: s.update(vision=3)), "PE-Core-X4-16.json can't be read"),
}
