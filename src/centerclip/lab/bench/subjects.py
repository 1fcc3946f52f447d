"""What is measured: models and their input.

Speed doesn't depend on weights, so they are random and nothing is downloaded. It may depend on the input,
because clustering iterates until it converges, so the frames are those of the toy world, never zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from centerclip.lab.toy_world import captions, draw, sample_scene
from centerclip.model import CenterCLIP
from centerclip.model.pe_core import PECore, PECoreConfig, TextConfig, VisionConfig
from centerclip.schedule import TokenSchedule
from centerclip.training.config import Architecture
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["SEED", "Subject", "random_subject", "subject_of", "toy_batch"]

SEED = 0
"""Seed of everything random in the bench."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure.

    Attributes:
        name: as rows show it.
        model: with any weights.
        schedules: that it is measured under; the model's own is the first.
        parts: of the bench that measure it; all of them if empty.
    """

    name: str
    model: CenterCLIP
    schedules: tuple[TokenSchedule, ...]
    parts: tuple[str, ...] = ()


def _vit_b(patch_size: int) -> Architecture:
    return Architecture(
        image_size=224, patch_size=patch_size, vision_width=768, vision_blocks=12, vision_heads=12,
        vision_mlp_width=3072, text_width=512, text_blocks=12, text_heads=8, text_mlp_width=2048,
        embed_size=512, vocabulary=49408, context_length=77,
    )  # fmt: skip


_TINY = Architecture(
    image_size=32, patch_size=8, vision_width=32, vision_blocks=4, vision_heads=2, vision_mlp_width=48,
    text_width=16, text_blocks=1, text_heads=2, text_mlp_width=16, embed_size=16, vocabulary=300,
    context_length=32,
)  # fmt: skip

_GEOMETRIES: Mapping[str, tuple[Architecture, tuple[str, ...]]] = {
    "B/32": (_vit_b(32), ("B6-4,49", "B6-6,49", "B6-3,49", "B3-6,49;B9-3,49", "B3-3,49", "B2-3,49")),
    "B/16": (_vit_b(16), ("B6-4,160", "B6-3,160", "B3-6,160;B9-3,160", "B3-3,160")),
    "tiny": (_TINY, ("B2-4,16", "B1-3,16")),
}
"""The paper's towers and schedules, its main schedule first; and a small tower for tests."""


def _pe_core(width: int, heads: int, *, image_size: int, patch: int, blocks: int, embed: int) -> PECoreConfig:
    """The vision tower of a PE-Core, with a small text tower, which isn't measured."""
    side = image_size // patch
    vision = VisionConfig(width, blocks, heads, 4 * width, 4 * width, patch, image_size, True, side)
    return PECoreConfig(vision, TextConfig(64, 1, 1, 64, 512, 32), embed)


_PE_CORES: Mapping[str, PECoreConfig] = {
    "PE-Core S/16-384": _pe_core(384, 6, image_size=384, patch=16, blocks=12, embed=512),
    "PE-Core B/16-224": _pe_core(768, 12, image_size=224, patch=16, blocks=12, embed=1024),
    "PE-Core tiny": _pe_core(32, 4, image_size=32, patch=8, blocks=4, embed=16),
}
"""Measured under the presets, without the parts that need texts."""


def random_subject(name: str) -> Subject:
    """Make a model with random weights: `B/32`, `B/16` or `tiny`, a CLIP with a tokenizer for toy captions;
    or `PE-Core S/16-384`, `PE-Core B/16-224` or `PE-Core tiny`, without a tokenizer."""
    if name in _PE_CORES:
        torch.manual_seed(SEED)
        made = CenterCLIP(PECore(_PE_CORES[name]).eval(), "balanced")
        presets = tuple(made.with_(schedule=preset).schedule for preset in ("balanced", "best", "fast"))
        return Subject(name, made, presets, parts=("encoder",))
    architecture, schedules = _GEOMETRIES[name]
    rng = np.random.default_rng(SEED)
    sentences = [text for _ in range(100) for text in captions(sample_scene(rng), rng, 4)]
    tokenizer = fit_tokenizer(sentences, vocabulary=1024, context_length=architecture.context_length)
    torch.manual_seed(SEED)
    clip = make_clip(architecture, vocabulary=max(architecture.vocabulary, len(tokenizer))).eval()
    model = CenterCLIP(clip, schedules[0], tokenizer=tokenizer)
    return Subject(name, model, tuple(map(TokenSchedule.parse, schedules)))


def subject_of(
    name: str,
    model: CenterCLIP,
    schedules: Sequence[str | TokenSchedule] = (),
    *,
    parts: tuple[str, ...] = (),
) -> Subject:
    """Measure a model under the given schedules (notation or presets), by default under its own.

    Raises:
        ScheduleError: a schedule doesn't fit it.
    """
    models = [model.with_(schedule=schedule) for schedule in schedules] or [model]
    return Subject(name, models[0], tuple(made.schedule for made in models), parts)


def toy_batch(
    videos: int, *, frames: int, size: tuple[int, int], seed: int = SEED
) -> tuple[Tensor, list[str]]:
    """Draw toy videos with captions; every frame differs from the previous one.

    Args:
        videos: B.
        frames: T, at the centers of equal strides.
        size: (height, width) in pixels.

    Returns:
        [B, T, 3, height, width] uint8, and B sentences.
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((videos, frames, *size, 3), np.uint8)
    sentences: list[str] = []
    while len(sentences) < videos:
        scene = sample_scene(rng)
        video = drawn[len(sentences)]
        for place, frame in enumerate(video):
            frame[:] = np.asarray(draw(scene, (place + 0.5) * scene.seconds / frames, size))
        if (video[1:] != video[:-1]).any(axis=(1, 2, 3)).all():  # repeated frames are not encoded again
            sentences += captions(scene, rng, 1)
    return torch.from_numpy(drawn).movedim(-1, 2).contiguous(), sentences  # [B, T, 3, H, W]
