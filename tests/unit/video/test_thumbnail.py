"""The picture that represents a window."""

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


def size_of(jpeg: bytes) -> tuple[int, int]:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image.size


def test_dark_and_flat_pictures_are_not_telling() -> None:
    assert all(is_telling(picture) for picture in (busy(120), busy(50)))
    assert not any(is_telling(picture) for picture in (flat(120), flat(0), flat(255), busy(10) // 3))


def test_it_is_at_most_320_pixels_wide_and_never_enlarged() -> None:
    assert size_of(to_jpeg(busy(120, (1080, 1920)))) == (320, 180)
    assert size_of(to_jpeg(busy(120, (1080, 1920)), max_width=256)) == (256, 144)
    assert size_of(to_jpeg(busy(120, (1920, 1080)))) == (320, 569)
    assert size_of(to_jpeg(busy(120, (5000, 50))))[1] <= 640
    assert size_of(to_jpeg(np.full((1, 1, 3), 9, np.uint8))) == (1, 1)
