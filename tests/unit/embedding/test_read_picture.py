"""Pictures as frames: upright, at the model's size, and errors that say what is wrong."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from centerclip.embedding import pictures
from centerclip.embedding.pictures import read_picture
from centerclip.errors import VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.video import fit

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


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_huge_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"strip.{suffix}"
    Image.new("1" if suffix == "png" else "L", (60_000, 1500)).save(path)  # Pillow warns above 89.5 million
    with pytest.raises(VideoError, match=r"has more than 67,108,864 pixels; make it smaller"):
        read_picture(path, INPUT)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = b"\x00\x00\xff\xff\x00\x00\xff\xff\x08\x02\x00\x00\x00"  # 65,535 x 65,535
    chunk = b"IHDR" + header
    crc = zlib.crc32(chunk).to_bytes(4)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + chunk + crc + b"\0\0\0\1IDAT")
    with pytest.raises(VideoError, match="has more than 67,108,864 pixels"):
        read_picture(tmp_path / "bomb.png", INPUT)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_large_picture_is_reduced_while_it_is_read(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.arange(6000, dtype=np.float32) * 255 / 6000
    drawn = np.stack([np.tile(ramp, (4000, 1)), np.full((4000, 6000), 90), np.zeros((4000, 6000))], axis=2)
    Image.fromarray(drawn.astype(np.uint8)).save(tmp_path / f"a.{suffix}")
    seen: list[tuple[int, ...]] = []

    def watch(frames: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
        seen.append(tuple(frames.shape))
        return fit(frames, preprocessing)

    monkeypatch.setattr(pictures, "fit", watch)
    frames = read_picture(tmp_path / f"a.{suffix}", INPUT).float()
    assert max(seen[0][2:]) <= 3000
    expected = fit(torch.from_numpy(drawn.astype(np.uint8)).permute(2, 0, 1)[None], INPUT).float()
    assert (frames - expected).abs().max() <= 3


_SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00\x02" * 8000, "more than 2000 segments"),  # empty comments
        (b"\xff" * 8000, "more than 2000 segments"),
        (b"\x00" * 8000, "more than 2000 segments"),
        (b"\xff\xd0" * 8000, "more than 2000 segments"),
        (_SCAN * 200, "has 199 scans"),
    ],
    ids=["comments", "padding", "between", "bare", "scans"],
)
def test_a_jpeg_that_takes_minutes_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + content)
    with pytest.raises(VideoError, match=rf"a\.jpg: has {reason.removeprefix('has ')}.*save it again"):
        read_picture(tmp_path / "a.jpg", INPUT)


def test_formats_that_other_programs_read_are_refused(tmp_path: Path, quarters: Image.Image) -> None:
    quarters.save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(VideoError, match="not a picture"):
        read_picture(tmp_path / "a.jpg", INPUT)
