"""What an upload is follows from its first bytes; nothing else of it is looked at."""

from __future__ import annotations

import io

import pytest
from fastapi import HTTPException
from PIL import Image

from centerclip.serve.uploads import kind_of


class Watched(io.BytesIO):
    """Counts the bytes that are read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_pictures_are_recognized(kind: str) -> None:
    assert kind_of(io.BytesIO(picture(kind))) == ".jpg"


@pytest.mark.parametrize(
    "content", [b"\xff\xd8" + b"\xff\xfe\x00\x02" * 10_000, picture("PNG"), b"\0\0\0\x18ftypmp42" * 9999]
)
def test_only_the_first_bytes_are_read(content: bytes) -> None:
    file = Watched(content)
    kind_of(file)
    assert file.taken == 16
    assert file.tell() == 0


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P6 9 9 255 ", b"8BPS", b"#EXTM3U\n", b"RIFF____WAVE"]
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(HTTPException, match="picture or video"):
        kind_of(io.BytesIO(content))
