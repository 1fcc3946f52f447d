"""Resized frames, compared with Pillow's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from centerclip.preprocessing import Preprocessing
from centerclip.video import fit

SIZES = [(360, 640), (640, 360), (224, 298), (225, 224), (48, 500), (1080, 1920), (31, 17), (100, 99)]
FILTERS = {name: Image.Resampling[name.upper()] for name in ("bicubic", "bilinear", "lanczos", "nearest")}


def noise(height: int, width: int, frames: int = 1) -> torch.Tensor:
    """[T, 3, H, W] uint8 with detail at every scale, channels last in memory, as decoded pictures are."""
    rng = np.random.default_rng(height * 10_000 + width)
    drawn = rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    drawn[:, : height // 2] //= 4
    drawn[:, :, : width // 3] |= 128
    return torch.from_numpy(drawn).permute(0, 3, 1, 2)


def by_pillow(frame: torch.Tensor, preprocessing: Preprocessing) -> np.ndarray:
    """Squash the whole frame, or scale it until it covers the size and crop the middle."""
    image = Image.fromarray(frame.permute(1, 2, 0).numpy())
    height, width = preprocessing.image_size
    resample = FILTERS[preprocessing.interpolation]
    if preprocessing.resize == "squash":
        return np.array(image.resize((width, height), resample))
    edge = preprocessing.shortest_edge
    scale = edge / min(image.size) if edge else max(height / image.height, width / image.width)
    covering = (math.floor(scale * image.width + 1e-9), math.floor(scale * image.height + 1e-9))
    image = image.resize(covering, resample)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.array(image.crop((left, top, left + width, top + height)))


@pytest.mark.parametrize("source", SIZES)
@pytest.mark.parametrize(
    "preprocessing",
    [
        *(Preprocessing(size) for size in [(224, 224), (112, 112), (60, 100)]),
        Preprocessing((112, 112), resize="squash"),
        Preprocessing((112, 112), resize="squash", interpolation="bilinear"),
        Preprocessing((112, 112), shortest_edge=128, interpolation="bilinear"),
        Preprocessing((112, 112), interpolation="lanczos"),
        Preprocessing((60, 100), resize="squash", interpolation="nearest"),
    ],
)
def test_within_one_level_of_pillow(source: tuple[int, int], preprocessing: Preprocessing) -> None:
    frames = noise(*source)
    resized = fit(frames, preprocessing)
    assert resized.shape == (1, 3, *preprocessing.image_size)
    assert resized.dtype == torch.uint8
    assert resized.is_contiguous()
    expected = by_pillow(frames[0], preprocessing).astype(int)
    # Both compute in fixed point, but round differently.
    assert np.abs(resized[0].permute(1, 2, 0).numpy() - expected).max() <= 1


def test_a_picture_of_the_right_size_is_not_resized() -> None:
    frames = noise(112, 112, frames=3)
    before = frames.clone()
    for resize in ("crop", "squash"):
        assert torch.equal(fit(frames, Preprocessing((112, 112), resize=resize)), frames)
    assert torch.equal(frames, before)
    assert torch.equal(fit(noise(112, 150), Preprocessing((112, 112))), noise(112, 150)[..., 19:131])


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos"])
def test_frames_are_resized_independently(interpolation: str) -> None:
    frames = noise(90, 160, frames=4)
    small = Preprocessing((32, 32), interpolation=interpolation)
    together = fit(frames, small)
    for number in range(4):
        assert torch.equal(together[number], fit(frames[number : number + 1], small)[0])
    assert torch.equal(together, fit(frames.contiguous(), small))


def test_without_antialiasing_thin_lines_disappear() -> None:
    lines = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    lines[..., ::8] = 240
    smooth = Preprocessing((16, 16), interpolation="bilinear")
    assert fit(lines, smooth).max() > 20
    assert fit(lines, replace(smooth, antialias=False)).max() == 0


@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_a_strip_needs_no_more_memory_than_a_picture(resize: str) -> None:
    frames = torch.full((1, 3, 2, 60_000), 7, dtype=torch.uint8)
    preprocessing = Preprocessing((224, 224), resize=resize)
    assert (fit(frames, preprocessing) == 7).all()
    assert (fit(frames.transpose(2, 3), preprocessing) == 7).all()
