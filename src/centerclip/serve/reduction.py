"""See the reduction: a window as the model of the index keeps it, drawn by `centerclip.inspect`."""

from __future__ import annotations

import io
from pathlib import Path

from centerclip.inspect import draw_sheet, inspect_footage, read_footage
from centerclip.model import CenterCLIP
from centerclip.records import Window
from centerclip.video import VideoReader

__all__ = ["draw_reduction"]


def draw_reduction(model: CenterCLIP, path: Path, window: Window) -> bytes:
    """Draw what the model keeps of a window.

    Args:
        model: with its schedule; where that is `none`, all patches are kept.
        path: of the file.
        window: the stretch of it.

    Returns:
        A PNG file.

    Raises:
        VideoError: the file can't be decoded.
    """
    with VideoReader(path) as reader:
        footage = read_footage(reader, window, model)
    file = io.BytesIO()
    draw_sheet(footage, inspect_footage(model, footage)).save(file, "PNG")
    return file.getvalue()
