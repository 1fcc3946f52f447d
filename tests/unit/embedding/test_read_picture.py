"""Pictures as frames: upright, at the model's size, and errors that say what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from centerclip.embedding.pictures import read_picture
from centerclip.errors import VideoError
from centerclip.preprocessing import Preprocessing

INPUT = Preprocessing((16, 16))


def save(path: Path, picture: Image.Image, *, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)
    return path


@pytest.fixture
def quarters() -> Image.Image:
    """Four quarters of different colors, so that every rotation shows."""
    corner = np.arange(4, dtype=np.uint8).reshape(2, 2).repeat(16, 0).repeat(16, 1) * 60
    return Image.fromarray(np.stack([corner, 255 - corner, corner // 2], axis=2))


def test_a_picture_is_one_frame_of_the_model_s_size(tmp_path: Path, quarters: Image.Image) -> None:
    frames = read_picture(save(tmp_path / "a.png", quarters), INPUT)
    assert frames.shape == (1, 3, 16, 16)
    assert frames.dtype == torch.uint8
    assert frames[0, :, 3, 12].tolist() == [60, 195, 30]  # the upper right quarter


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_the_exif_orientation_is_applied(
    tmp_path: Path, quarters: Image.Image, orientation: int, stored: Image.Transpose
) -> None:
    turned = save(tmp_path / "turned.png", quarters.transpose(stored), orientation=orientation)
    upright = save(tmp_path / "upright.png", quarters)
    assert torch.equal(read_picture(turned, INPUT), read_picture(upright, INPUT))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_kind_of_pixels_becomes_rgb(tmp_path: Path, quarters: Image.Image, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    quarters.convert(mode).save(path)
    assert read_picture(path, INPUT).shape == (1, 3, 16, 16)


def test_a_file_that_is_not_a_picture_is_an_error(tmp_path: Path, quarters: Image.Image) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    whole = save(tmp_path / "whole.png", quarters).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) * 2 // 3])
    damaged = "not a picture, or damaged"
    for name, reason in (("gone.png", "No such file"), ("text.png", damaged), ("cut.png", damaged)):
        with pytest.raises(VideoError, match=rf"{name}: can't be opened as a picture \({reason}"):
            read_picture(tmp_path / name, INPUT)


# The picture has 1024 pixels; Pillow warns above its limit, and refuses above twice as many.
@pytest.mark.parametrize("side", [8200, 15000])  # Pillow refuses the second one itself
def test_a_huge_picture_is_refused(tmp_path: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "huge.png")
    with pytest.raises(VideoError, match="has more than .* pixels; make it smaller"):
        read_picture(tmp_path / "huge.png", INPUT)
