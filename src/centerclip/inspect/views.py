"""The frames of a window, and the result of each reduction, as arrays that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.model import CenterCLIP, Stage
from centerclip.records import Window
from centerclip.schedule import Reduction
from centerclip.video import VideoReader, fit, instants

__all__ = ["Footage", "View", "inspect_footage", "make_views", "read_footage"]

_PICTURE = 336
"""Pixels on the longer side of a drawn picture: a multiple of 7, 14, 16 and 24 patches."""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """The frames of a window that a model encodes.

    Attributes:
        name: name of the file.
        window: part of the file.
        seconds: [T], time of each frame from the start of the file.
        frames: [T, 3, H, W] uint8, as the model encodes them.
        pictures: [T, h, w, 3] uint8, the same part of each frame at a larger size.
    """

    name: str
    window: Window
    seconds: tuple[float, ...]
    frames: Tensor
    pictures: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The result of one reduction of the T * P patches of a window.

    Attributes:
        reducer: its name, with options that aren't the defaults.
        reduction: the stage of the schedule; None for the schedule `none`, which keeps everything.
        grid: (rows, columns) of a frame's P patches.
        tokens_before, tokens_after: numbers of the window's patch tokens before and after the stage.
        segments: [T], the segment of each frame.
        kept: [T, P] bool, which patches are kept; None if tokens are blended.
        labels: [T, P] int64, the cluster of each patch, from 0 in each segment; None if the reducer forms no
            clusters.
    """

    reducer: str
    reduction: Reduction | None
    grid: tuple[int, int]
    tokens_before: int
    tokens_after: int
    segments: tuple[int, ...]
    kept: NDArray[np.bool_] | None
    labels: NDArray[np.int64] | None

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Kept patches per frame [T]; None if tokens are blended."""
        return None if self.kept is None else tuple(self.kept.sum(axis=1).tolist())

    @property
    def summary(self) -> str:
        """One line about the reduction."""
        if self.reduction is None:
            return f"schedule none: all {self.tokens_before} patch tokens go through all blocks"
        if self.kept is None:
            return f"{self.reduction}: {self.tokens_before} patch tokens blended into {self.tokens_after}"
        return f"{self.reduction}: {self.tokens_after} of {self.tokens_before} patch tokens kept"


def read_footage(reader: VideoReader, window: Window, model: CenterCLIP) -> Footage:
    """Read the frames that `centerclip.video.read_window` would, also at a size for drawing.

    T is `model.frames`, or less if several instants show the same frame.

    Args:
        reader: an open file.
        window: a window of the file.
        model: decides the number of frames and their preprocessing.

    Raises:
        VideoError: none of the window's frames can be decoded.
    """
    rows, columns = model.backbone.grid
    patch = max(1, _PICTURE // max(rows, columns))
    drawn = model.preprocessing.at((rows * patch, columns * patch))
    seconds, frames, pictures = [], [], []
    shown = reader.frames_at(instants(window, model.frames))
    for time, same in groupby(shown, key=itemgetter(0)):
        upright = torch.from_numpy(next(same)[1]).permute(2, 0, 1)[None]  # [1, 3, h, w]
        seconds.append(time)
        frames.append(fit(upright, model.preprocessing))
        pictures.append(fit(upright, drawn))
    upright = torch.cat(pictures).permute(0, 2, 3, 1)  # [T, h, w, 3]
    return Footage(reader.path.name, window, tuple(seconds), torch.cat(frames), upright.numpy())


@torch.inference_mode()
def inspect_footage(model: CenterCLIP, footage: Footage) -> list[View]:
    """Encode the frames, and return one view per stage of the model's schedule.

    The schedule `none` has one view, in which all patches are kept.
    """
    frames = footage.frames[None].to(model.device)  # [1, T, 3, H, W]
    stages = model.encode(model.preprocess(frames), trace=True).stages
    return make_views(model.reducer.label, stages, frames=frames.shape[1], grid=model.backbone.grid)


def make_views(reducer: str, stages: Sequence[Stage], *, frames: int, grid: tuple[int, int]) -> list[View]:
    """Make one view per stage from the trace of one video (B = 1).

    Args:
        reducer: label of the reducer.
        stages: stages of an `Encoded` that was made with `trace=True`.
        frames: T, the number of frames.
        grid: (rows, columns) of a frame's patches.
    """
    patches = grid[0] * grid[1]
    present = frames * patches
    if not stages:
        everything = np.ones((frames, patches), dtype=np.bool_)
        return [View(reducer, None, grid, present, present, tuple(range(frames)), everything, None)]
    views = []
    for stage in stages:
        before, present = present, stage.reduction.segments * stage.reduction.tokens
        kept: NDArray[np.bool_] | None = None
        labels: NDArray[np.int64] | None = None
        if stage.kept is not None:
            kept = np.zeros((frames, patches), dtype=np.bool_)
            kept.reshape(-1)[stage.kept[0].flatten().cpu().numpy()] = True
        if stage.labels is not None:
            labels = stage.labels[0].cpu().numpy()  # [T, P]
        views.append(
            View(reducer, stage.reduction, grid, before, present, stage.frame_segments, kept, labels)
        )
    return views
