"""Which instants of a window to look at. Knows seconds only: no files and no frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centerclip.records import Window

__all__ = ["instants"]


def instants(window: Window, frames: int, *, rng: np.random.Generator | None = None) -> NDArray[np.float64]:
    """Choose the instants at which a window is looked at, one in each of `frames` equal strides.

    Args:
        window: the stretch of the file, in seconds.
        frames: T >= 1.
        rng: None takes the middle of each stride, the rule for testing; a generator draws one instant
            uniformly from each stride, the rule for training.

    Returns:
        [T] float64, seconds from the file's first frame, ascending, inside the window.

    Raises:
        ValueError: `frames` below 1, or a window that is empty or not finite.

    Source: TSN (arXiv 1608.00859) section 3.1, as CLIP4Clip and CenterCLIP sample.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}, but at least one instant is needed")
    length = window.end_seconds - window.start_seconds
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"{window} has no length: its end must come after its start")
    offsets = np.full(frames, 0.5) if rng is None else rng.random(frames)
    return window.start_seconds + (np.arange(frames) + offsets) * (length / frames)
