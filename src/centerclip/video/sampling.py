"""Choose the frame of each stride that costs least to decode.

Any frame of a stride represents it: evaluation looks at its center, training at a random frame. Decoding
starts at a key frame, and a later frame needs those before it. Knows the timestamps of frames, not their
content.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from centerclip.records import Sampling
from centerclip.video.packet_index import PacketIndex
from centerclip.video.timeline import TOLERANCE_SECONDS, Timeline

__all__ = ["BUDGET_PIXELS", "choose_instants"]

BUDGET_PIXELS = 30_000_000
"""How much `budget` decodes to give a stride a frame of its own: 32 frames of 720p, 14 of 1080p, 3 of 4K. In
H.264 and HEVC that takes about as long as encoding a frame with ViT-B/32, 35 ms on a core of an AMD EPYC."""


def choose_instants(
    timeline: Timeline,
    index: PacketIndex,
    edges: NDArray[np.float64],
    sampling: Sampling,
    *,
    pixels: int,
    cuts: Sequence[float],
) -> NDArray[np.float64]:
    """Choose an instant in each stride of a window.

    `cheapest` takes the time of the key frame nearest to the stride's center. A stride without one gets the
    frame that is stored soonest after its key frame: a decoder needs at most the frames stored between them.
    A stride in which no frame begins shows only one, at its center.

    With `keys`, a stride without a key frame takes the nearest one of the stride before or after it instead,
    unless a scene cut or the end of the window lies between them. With `budget`, it does so only if that
    saves decoding more than `BUDGET_PIXELS`. Frames that the next strides need anyway save nothing.

    Args:
        timeline: of the file; exact.
        index: its packets.
        edges: [T + 1], in seconds, ascending: where the strides begin and end.
        sampling: any but `center`.
        pixels: of a frame.
        cuts: the file's scene cuts in seconds, ascending.

    Returns:
        [T] seconds, not descending.
    """
    count = len(edges) - 1
    centers = (edges[:-1] + edges[1:]) / 2  # [T]
    bounds = np.searchsorted(timeline.seconds, edges - TOLERANCE_SECONDS)  # [T + 1]
    frames = slice(bounds[0], bounds[-1])
    packets, seconds = timeline.packets[frames], timeline.seconds[frames]
    starts = index.starts_of(packets)
    costs = packets - starts  # 0 for key frames
    chosen, own_starts, own_costs = centers.copy(), np.full(count, -1), np.zeros(count, np.int64)
    for stride, (first, end) in enumerate(pairwise(bounds - bounds[0])):
        if first < end:
            own = costs[first:end]
            cheapest = first + np.flatnonzero(own == own.min())
            best = cheapest[np.abs(seconds[cheapest] - centers[stride]).argmin()]
            chosen[stride], own_starts[stride], own_costs[stride] = seconds[best], starts[best], costs[best]
        elif stride:  # it shows a frame of a stride before
            own_starts[stride], own_costs[stride] = own_starts[stride - 1], own_costs[stride - 1]
    if sampling == "cheapest":
        return chosen
    keys = seconds[costs == 0]
    keyless = np.diff(np.searchsorted(keys, edges - TOLERANCE_SECONDS)) == 0  # [T]
    needed: set[int] = set()  # keys after which a later stride needs all frames up to its own
    for stride in np.flatnonzero(keyless)[::-1].tolist():
        start, before = int(own_starts[stride]), max(0, stride - 1)
        shared = int(own_costs[before]) if stride and own_starts[before] == start else 0
        saved = 0 if start in needed else (int(own_costs[stride]) - shared) * pixels
        found = None
        if sampling == "keys" or saved > BUDGET_PIXELS:
            found = _borrowed(keys, np.array(cuts), edges, stride)
        if found is None:
            needed.add(start)
        else:
            chosen[stride] = found
    return chosen


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
