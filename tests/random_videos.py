"""Encoded videos with random embeddings, indexes of them, and a query encoder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from centerclip.index import ModelCard, VideoIndex
from centerclip.records import EncodedVideo, EncodedWindow, Failed, Recorded, VideoInfo, Window

EMBED_SIZE = 16
WINDOW_SECONDS = 12.0
CARD = ModelCard(
    fingerprint="0123abcd",
    name="tiny",
    schedule="B6-4,49",
    reducer="kmedoids",
    frames=12,
    embed_size=EMBED_SIZE,
    window_seconds=WINDOW_SECONDS,
    precision="float",
)


def random_units(seed: int, *shape: int) -> np.ndarray:
    """Draw [*shape, E] float32 of unit length."""
    values = np.random.default_rng(seed).standard_normal((*shape, EMBED_SIZE)).astype(np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def random_video(
    path: str | Path,
    *,
    windows: int = 2,
    segments: int = 4,
    seed: int | None = None,
    modified: float = 1.5,
    recorded: Recorded | None = None,
) -> EncodedVideo:
    """Make a file with embeddings from `seed`, by default from its path; equal seeds mean equal content."""
    number = sum(os.fsencode(path)) if seed is None else seed
    video_id = f"id-{path}" if seed is None else f"id-{seed}"
    duration = windows * WINDOW_SECONDS
    info = VideoInfo(
        Path(path), video_id, duration, 640, 360, 25.0, "h264", 1000 + number, modified, recorded
    )
    vectors = random_units(number, windows).astype(np.float16).astype(np.float32)  # stored without a change
    parts = random_units(number + 1, windows, segments)
    return EncodedVideo(
        info,
        tuple(
            EncodedWindow(
                Window(at * WINDOW_SECONDS, (at + 1) * WINDOW_SECONDS),
                vectors[at],
                parts[at],
                np.linspace(at * WINDOW_SECONDS, (at + 1) * WINDOW_SECONDS, segments + 1),
                tuple((at * WINDOW_SECONDS + s, os.fsencode(f"jpeg {path} {at} {s}")) for s in (0, 5)),
            )
            for at in range(windows)
        ),
    )


def new_index(location: str | Path, *results: EncodedVideo | Failed, card: ModelCard = CARD) -> VideoIndex:
    """Make an index of these files."""
    index = VideoIndex(location)
    index.bind(card)
    if results:
        with index.writer() as writer:
            writer.add(results)
    return index


def rows_of(index: VideoIndex) -> dict[tuple[str, float], np.ndarray]:
    """Return every window's vector and segments, by file name and start."""
    done = index.videos("state = 'done'")
    windows = [window for video in done for window in index.windows(video.info.video_id)]
    return {(w.path.name, w.window.start_seconds): np.vstack([w.vector, w.segments]) for w in windows}


class WordEncoder:
    """Encodes each sentence or file name to its own direction: a random one, unless set in `directions`."""

    def __init__(self, fingerprint: str = CARD.fingerprint) -> None:
        self.fingerprint = fingerprint
        self.directions: dict[str, np.ndarray] = {}
        self.asked: list[str] = []

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.stack([self._direction(text) for text in texts])

    def encode_picture(self, path: Path) -> np.ndarray:
        return self._direction(f"picture {path.name}")

    def encode_file(self, path: Path) -> np.ndarray:
        return self._direction(f"clip {path.name}")

    def _direction(self, name: str) -> np.ndarray:
        return self.directions.setdefault(name, random_units(sum(name.encode()) + 7))
