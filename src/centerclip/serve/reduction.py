"""Draws a window with the patches that the model drops dimmed, by `centerclip.inspect`."""

from __future__ import annotations

import io

from centerclip.inspect import draw_sheet, inspect_footage, read_footage
from centerclip.model import CenterCLIP
from centerclip.records import VideoInfo, Window
from centerclip.video import VideoReader

__all__ = ["draw_reduction"]


def draw_reduction(model: CenterCLIP, info: VideoInfo, window: Window) -> bytes:
    """Draw which patches of a window the model keeps.

    Args:
        model: with its schedule; `none` keeps all patches.
        info: the file.
        window: of that file.

    Returns:
        A PNG file.

    Raises:
        VideoError: the file can't be decoded.
    """
    with VideoReader(info.path) as reader:
        footage = read_footage(reader, window, model)
    file = io.BytesIO()
    draw_sheet(footage, inspect_footage(model, footage)).save(file, "PNG")
    return file.getvalue()
