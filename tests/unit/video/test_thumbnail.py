"""The picture that stands for a window."""

import io

import numpy as np
from PIL import Image

from centerclip.video import thumbnail
from centerclip.video.thumbnail import is_telling


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


def level_of(jpeg: bytes) -> float:
    return float(np.asarray(opened(jpeg)).mean())


def test_dark_and_flat_pictures_tell_nothing() -> None:
    assert is_telling(busy(120))
    assert is_telling(busy(50))
    assert not is_telling(flat(120))
    assert not is_telling(flat(0))
    assert not is_telling(flat(255))
    assert not is_telling(busy(10) // 3)


def test_the_middle_one_is_taken() -> None:
    assert abs(level_of(thumbnail([busy(60), busy(120), busy(200)])) - 120) < 5


def test_the_nearest_telling_one_is_taken_where_the_middle_is_black_or_blank() -> None:
    pictures = [busy(60), busy(100), flat(0), flat(255), flat(130), busy(160), busy(200)]
    assert abs(level_of(thumbnail([*pictures[:3], flat(0), *pictures[3:]])) - 100) < 5


def test_without_a_telling_one_it_is_the_middle_one_all_the_same() -> None:
    assert abs(level_of(thumbnail([flat(10), flat(90), flat(10)])) - 90) < 5


def test_it_is_at_most_320_pixels_wide_and_never_enlarged() -> None:
    assert opened(thumbnail([busy(120, (1080, 1920))])).size == (320, 180)
    assert opened(thumbnail([busy(120, (90, 160))])).size == (160, 90)
    assert opened(thumbnail([busy(120, (1920, 1080))])).size == (320, 569)
    assert opened(thumbnail([busy(120, (5000, 50))])).height <= 640
    assert opened(thumbnail([np.full((1, 1, 3), 9, np.uint8)])).size == (1, 1)
