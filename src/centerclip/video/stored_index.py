"""A stream's packets as the container's own index lists them, without reading the packets.

What it says is confirmed by the last packets, and by every packet that is read later. Knows MP4 and
QuickTime; other containers list key frames at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from centerclip.video.mp4 import read_composition_offsets
from centerclip.video.packet_index import MAX_PACKETS, PacketIndex, pts_of

__all__ = ["has_stored_index", "read_stored_index"]

_TAIL = 40
"""How many packets are read to confirm the index. A frame is stored at most 32 packets from its place in
display order, so the last one shown is among them."""

_Demux = Callable[[], "Iterator[Packet[VideoStream]]"]


def has_stored_index(container: InputContainer) -> bool:
    """Whether the container's format has an index of all packets that is known here."""
    return container.format.name.startswith("mov,")


def read_stored_index(
    path: Path, container: InputContainer, stream: VideoStream, demux: _Demux
) -> PacketIndex | None:
    """Read the container's index.

    Args:
        path: the file that is open in `container`, of a format that has one.
        stream: of the container.
        demux: continues reading the stream's packets where the container is.

    Returns:
        None if this file's index isn't simple or complete, or the last packets contradict it.
    """
    entries = stream.index_entries
    if not 0 < len(entries) <= MAX_PACKETS:
        return None
    offsets = read_composition_offsets(path, stream.id, len(entries))
    if offsets is None:
        return None
    listed: NDArray[np.int64] = np.array(
        [(each.timestamp, each.pos, each.size, each.is_keyframe, each.is_discard) for each in entries]
    )  # [N, 5]
    dts, _, sizes, is_key, is_hidden = listed.T
    start = max(0, len(listed) - _TAIL)
    container.seek(int(dts[start]), any_frame=True, stream=stream)
    tail = list(islice(demux(), _TAIL + 2 * 32))
    first = len(listed) - len(tail)
    if not tail or not 0 <= first <= start:
        return None
    pts = dts + offsets
    pts += pts_of(tail[0]) - pts[first]
    for number, packet in enumerate(tail, first):
        seen = (packet.pts, packet.dts, packet.pos, packet.size, packet.is_keyframe, packet.is_discard)
        if seen != (pts[number], *listed[number]):
            return None
    return PacketIndex(
        pts=pts,
        shown=(sizes > 0) & (is_hidden == 0),
        keys=np.flatnonzero(is_key),
        key_dts=dts[is_key != 0],
        last_duration=tail[int(pts[first:].argmax())].duration or 0,
        constant=True,  # a single description of samples
        confirmed=False,
    )
