"""Pictures at a model's size and scale, against Pillow and against `transformers`' own preprocessing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor

from centerclip.video import normalize, resize_crop

SIZES = [
    (360, 640),
    (640, 360),
    (224, 224),
    (224, 298),
    (225, 224),
    (48, 500),
    (1080, 1920),
    (31, 17),
    (100, 99),
]


def noise(height: int, width: int, frames: int = 1) -> torch.Tensor:
    """[T, 3, H, W] uint8 with detail at every scale, channels last in memory, as decoded pictures are."""
    rng = np.random.default_rng(height * 10_000 + width)
    drawn = rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    drawn[:, : height // 2] //= 4
    drawn[:, :, : width // 3] |= 128
    return torch.from_numpy(drawn).permute(0, 3, 1, 2)


def by_pillow(frame: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Short side to cover, bicubic; then the middle."""
    image = Image.fromarray(frame.permute(1, 2, 0).numpy())
    height, width = size
    scale = max(height / image.height, width / image.width)
    covering = (math.floor(scale * image.width + 1e-9), math.floor(scale * image.height + 1e-9))
    image = image.resize(covering, Image.Resampling.BICUBIC)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.array(image.crop((left, top, left + width, top + height)))


@pytest.mark.parametrize("source", SIZES)
@pytest.mark.parametrize("size", [(224, 224), (112, 112), (60, 100)])
def test_within_one_level_of_pillow(source: tuple[int, int], size: tuple[int, int]) -> None:
    frames = noise(*source)
    resized = resize_crop(frames, size)
    assert resized.shape == (1, 3, *size)
    assert resized.dtype == torch.uint8
    expected = by_pillow(frames[0], size).astype(int)
    # Both compute in fixed point with a rounding of their own.
    assert np.abs(resized[0].permute(1, 2, 0).numpy() - expected).max() <= 1


@pytest.mark.parametrize("source", SIZES)
def test_the_input_is_that_of_transformers(source: tuple[int, int]) -> None:
    processor = CLIPImageProcessor(size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112})
    frames = noise(*source)
    image = Image.fromarray(frames[0].permute(1, 2, 0).numpy())
    expected = torch.as_tensor(np.asarray(processor(image, return_tensors="pt")["pixel_values"]))
    ours = normalize(resize_crop(frames, (112, 112)), processor.image_mean, processor.image_std)
    one_level = 1 / 255 / min(processor.image_std)
    torch.testing.assert_close(ours, expected.float(), atol=1.01 * one_level, rtol=0)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    frames = noise(112, 112, frames=3)
    before = frames.clone()
    assert torch.equal(resize_crop(frames, (112, 112)), frames)
    assert torch.equal(frames, before)
    assert torch.equal(resize_crop(noise(112, 150), (112, 112)), noise(112, 150)[..., 19:131])


def test_frames_are_resized_one_like_another() -> None:
    frames = noise(90, 160, frames=4)
    together = resize_crop(frames, (32, 32))
    for number in range(4):
        assert torch.equal(together[number], resize_crop(frames[number : number + 1], (32, 32))[0])
    assert torch.equal(together, resize_crop(frames.contiguous(), (32, 32)))


def test_a_strip_costs_no_more_than_a_picture() -> None:
    frames = torch.full((1, 3, 2, 60_000), 7, dtype=torch.uint8)
    assert (resize_crop(frames, (224, 224)) == 7).all()
    assert (resize_crop(frames.transpose(2, 3), (224, 224)) == 7).all()


def test_normalize_computes_what_it_says() -> None:
    frames = torch.tensor([0, 127, 255], dtype=torch.uint8).reshape(1, 1, 3, 1, 1).expand(2, 4, 3, 5, 5)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    normalized = normalize(frames, mean, std)
    assert normalized.dtype == torch.float32
    assert normalized.shape == frames.shape
    expected = [(level / 255 - m) / s for level, m, s in zip([0, 127, 255], mean, std, strict=True)]
    np.testing.assert_allclose(normalized[1, 3, :, 2, 2], expected, rtol=1e-5, atol=1e-6)
