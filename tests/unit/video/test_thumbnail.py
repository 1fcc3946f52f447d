"""The picture that stands for a window."""

import io

import numpy as np
from PIL import Image

from centerclip.video.thumbnail import is_telling, to_jpeg


def busy(level: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """A checkerboard around a level."""
    checks = (np.add.outer(np.arange(size[0]) // 15, np.arange(size[1]) // 15) % 2) * 80 - 40
    return np.clip(checks[..., None] + level, 0, 255).astype(np.uint8).repeat(3, axis=2)


def flat(level: int) -> np.ndarray:
    return np.full((90, 160, 3), level, np.uint8)


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


def test_dark_and_flat_pictures_tell_nothing() -> None:
    assert is_telling(busy(120))
    assert is_telling(busy(50))
    assert not is_telling(flat(120))
    assert not is_telling(flat(0))
    assert not is_telling(flat(255))
    assert not is_telling(busy(10) // 3)


def test_it_is_at_most_320_pixels_wide_and_never_enlarged() -> None:
    assert opened(to_jpeg(busy(120, (1080, 1920)))).size == (320, 180)
    assert opened(to_jpeg(busy(120, (1080, 1920)), max_width=256)).size == (256, 144)
    assert opened(to_jpeg(busy(120, (90, 160)))).size == (160, 90)
    assert opened(to_jpeg(busy(120, (1920, 1080)))).size == (320, 569)
    assert opened(to_jpeg(busy(120, (5000, 50)))).height <= 640
    assert opened(to_jpeg(np.full((1, 1, 3), 9, np.uint8))).size == (1, 1)
