"""Choose the frame of each stride that costs least to decode.

Any frame of a stride represents it: evaluation looks at its center, training at a random frame. Decoding
starts at a key frame, and a later frame needs those before it. Knows the timestamps of frames, not their
content.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centerclip.video.packet_index import PacketIndex
from centerclip.video.timeline import TOLERANCE_SECONDS, Timeline

__all__ = ["choose_instants"]


def choose_instants(
    timeline: Timeline, index: PacketIndex, edges: NDArray[np.float64], *, borrow: bool = False
) -> NDArray[np.float64]:
    """Choose an instant in each stride of a window.

    In each stride it is the time of the key frame nearest to the center. A stride without one gets the frame
    that is stored soonest after its key frame: a decoder needs at most the frames stored between them. A
    stride in which no frame begins shows only one, at its center.

    Args:
        timeline: of the file; exact.
        index: its packets.
        edges: [T + 1], in seconds, ascending: where the strides begin and end.
        borrow: a stride without a key frame takes the nearest one of the stride before or after it, unless a
            scene cut or the end of the window lies between them.

    Returns:
        [T] seconds, not descending.
    """
    centers = (edges[:-1] + edges[1:]) / 2  # [T]
    bounds = np.searchsorted(timeline.seconds, edges - TOLERANCE_SECONDS)  # [T + 1]
    frames = np.arange(bounds[0], bounds[-1])
    costs = _costs(timeline, index, frames)
    seconds = timeline.seconds[frames]
    keys = seconds[costs == 0]
    cuts = np.array(timeline.scene_cuts(index.keys) if borrow else [])
    chosen = centers.copy()
    for stride, (first, end) in enumerate(zip(bounds[:-1] - bounds[0], bounds[1:] - bounds[0], strict=True)):
        found = None
        if borrow and not (costs[first:end] == 0).any():
            found = _borrowed(keys, cuts, edges, stride)
        if found is None and first < end:
            own = costs[first:end]
            cheapest = first + np.flatnonzero(own == own.min())
            found = seconds[cheapest[np.abs(seconds[cheapest] - centers[stride]).argmin()]]
        if found is not None:
            chosen[stride] = found
    return chosen


def _costs(timeline: Timeline, index: PacketIndex, frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many packets lie between each frame's and the key at which decoding it starts; 0 for key frames."""
    packets = timeline.packets[frames]
    return packets - index.starts_of(packets)


def _borrowed(
    keys: NDArray[np.float64], cuts: NDArray[np.float64], edges: NDArray[np.float64], stride: int
) -> float | None:
    """Return the time of the key frame in a neighboring stride that is nearest to a stride's center."""
    start, end = edges[stride], edges[stride + 1]
    before, after = edges[max(0, stride - 1)], edges[min(len(edges) - 1, stride + 2)]
    cut = cuts[cuts >= end - TOLERANCE_SECONDS]  # what it shows begins after the stride
    after = min(after, cut[0]) if len(cut) else after
    near = keys[(keys >= before - TOLERANCE_SECONDS) & (keys < after - TOLERANCE_SECONDS)]
    if not len(near):
        return None
    return float(near[np.abs(near - (start + end) / 2).argmin()])
