"""Frames become upright pictures in the right colors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from videos import probe

from centerclip.video import VideoReader

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 240)


def corners(picture: np.ndarray) -> list[str]:
    """The nearest colors at the middles of the four quarters, row by row."""
    height, width = picture.shape[:2]
    names = dict(zip("RGBW", (RED, GREEN, BLUE, WHITE), strict=True))
    seen = [picture[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return [min(names, key=lambda name: np.abs(np.subtract(names[name], color)).sum()) for color in seen]


def write(path: Path, **settings: Any) -> Path:
    """Write a frame of four colored quarters: red and green above, blue and white below."""
    drawn = np.zeros((32, 64, 3), np.uint8)
    drawn[:16, :32], drawn[:16, 32:], drawn[16:, :32], drawn[16:, 32:] = RED, GREEN, BLUE, WHITE
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=10, options={"qp": "4", "x264-params": "log-level=-1"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 32, settings.get("pixel_format", "yuv444p")
        stream.set_display_rotation(settings.get("rotation", 0), hflip=settings.get("mirrored", False))
        for name in ("colorspace", "color_range"):
            setattr(stream.codec_context, name, settings.get(name, 2 if name == "colorspace" else 1))
        frame = av.VideoFrame.from_ndarray(drawn, format="rgb24").reformat(
            format=stream.pix_fmt,
            dst_colorspace=settings.get("colorspace", 5),
            dst_color_range=settings.get("color_range", 1),
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, "RGBW"),
        (0, True, "GRWB"),
        (90, False, "GWRB"),
        (90, True, "WGBR"),
        (180, False, "WBGR"),
        (180, True, "BWRG"),
        (270, False, "BRWG"),
        (270, True, "RBGW"),
    ],
)
def test_pictures_are_upright(rotation: int, mirrored: bool, expected: str, tmp_path: Path) -> None:
    """Turned counterclockwise, then mirrored left to right: all eight ways a camera may be held."""
    path = write(tmp_path / "turned.mp4", rotation=rotation, mirrored=mirrored)
    with VideoReader(path) as reader:
        ((_, picture),) = reader.frames_at([0.0])
    assert corners(picture) == list(expected)
    assert picture.shape == ((32, 64, 3) if rotation % 180 == 0 else (64, 32, 3))
    assert picture.flags.c_contiguous
    assert (probe(path).height, probe(path).width) == picture.shape[:2]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"])
@pytest.mark.parametrize("colorspace", [1, 5], ids=["BT.709", "BT.601"])
@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
def test_colors_are_the_stored_ones(
    pixel_format: str, colorspace: int, color_range: int, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "colors.mp4", pixel_format=pixel_format, colorspace=colorspace, color_range=color_range
    )
    with VideoReader(path) as reader:
        ((_, picture),) = reader.frames_at([0.0])
    # Away from the edges, where subsampled color bleeds. Two conversions and a quantizer of 4 may each
    # change a color by a level or two; the wrong matrix or range changes it by at least 15.
    for y, x, color in ((6, 12, RED), (6, 52, GREEN), (26, 12, BLUE), (26, 52, WHITE)):
        np.testing.assert_allclose(picture[y, x].astype(int), color, atol=6)
