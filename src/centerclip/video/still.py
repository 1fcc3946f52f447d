"""Open a picture file in this process; see `centerclip.video.read_still`."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from centerclip.errors import VideoError
from centerclip.video.packets import MAX_PIXELS
from centerclip.video.pictures import Place

__all__ = ["open_still"]

# What Pillow raises on damaged files, apart from its own classes, which are OSErrors.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)


def open_still(path: Path, place: Place) -> None:
    """Write a picture, upright, into the array that `place` returns for its size.

    Raises:
        VideoError: it can't be read, or has more than `MAX_PIXELS`.
    """
    too_large = VideoError(f"{path}: has more than {MAX_PIXELS} pixels; make it smaller")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is stricter
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise too_large
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except Image.DecompressionBombError as error:
        raise too_large from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or "not a picture, or damaged"
        raise VideoError(f"{path}: can't be opened as a picture ({reason})") from error
    np.copyto(place(upright.height, upright.width), np.asarray(upright))
