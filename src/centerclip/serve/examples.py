"""Example queries: from a fixed list of ordinary sentences, those that this library answers best.

The same sentences tell a strong match from a weak one. They give the library a scale: from what an unrelated
window scores (the median of their backgrounds) to what the best-answered of them scores. A hit of a sentence
is weak below `_STRONG` of that scale, so no cosine is compared with a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from centerclip.embedding import VideoEncoder
from centerclip.index import Matches, VideoIndex
from centerclip.model.registry import models
from centerclip.search.hits import KNOWN_BACKGROUND
from centerclip.search.searcher import best_score

__all__ = ["Examples", "is_nano"]

_COUNT = 6
_STRONG = 0.6
_WINDOWS = 20
"""Windows to look for a sentence's best segment in."""
_TOY_WORLD = (
    "a red car drives through the city",
    "a white rocket rises in the night sky",
    "a pink ice cream spins in a room",
    "a yellow balloon",
    "a green apple getting bigger",
    "a blue ball moves over the sand",
    "a purple butterfly circles",
    "a tent in a sandy desert",
    "a big orange tree",
    "a fish swims under water",
    "a boat on the sea",
    "a cat in a room",
    "a yellow sun going up",
    "a red flower on the grass",
    "a robot spins",
    "a snowman in the snow",
    "a train",
    "a bird in the sky",
    "a ghost at night",
    "a house in the meadow",
)
_REAL_WORLD = (
    "a person talking to the camera",
    "children playing outside",
    "a dog running",
    "a cat",
    "waves on a beach",
    "a sunset",
    "a car driving on a road",
    "a birthday cake with candles",
    "people dancing",
    "a band playing on a stage",
    "someone cooking in a kitchen",
    "snow in the mountains",
    "a football match",
    "a city street at night",
    "a forest",
    "a river",
    "a boat on the water",
    "someone riding a bicycle",
    "a close-up of a flower",
    "fireworks",
    "a train",
    "a cartoon",
    "text on a screen",
    "an aerial view of a landscape",
)


class Examples:
    """Chooses example queries, and chooses again when the index has changed.

    Args:
        index: the library.
        encoder: encodes the sentences.
    """

    def __init__(self, index: VideoIndex, encoder: VideoEncoder) -> None:
        self._index = index
        self._encoder = encoder
        self._stock = _TOY_WORLD if is_nano(encoder) else _REAL_WORLD
        self._lock = Lock()
        self._vectors: NDArray[np.float32] | None = None
        self._known: tuple[object, list[str], float | None] | None = None

    def choose(self) -> list[str]:
        """The six queries whose best hits stand out most from the background, each in a different video."""
        return self._look()[0]

    def ordinary_score(self) -> float | None:
        """The score from which a hit isn't weak; None if the index has too few windows to tell."""
        return self._look()[1]

    def _look(self) -> tuple[list[str], float | None]:
        with self._lock:
            state = self._index.id, self._index.version
            if self._known is None or self._known[0] != state:
                self._known = (state, *self._search())
            return self._known[1:]

    def _search(self) -> tuple[list[str], float | None]:
        if not len(self._index):
            return list(self._stock[:_COUNT]), None
        if self._vectors is None:
            self._vectors = self._encoder.encode_text(self._stock)
        found = self._index.search(self._vectors, top=_WINDOWS)
        scores = [best_score(match, vector) for match, vector in zip(found, self._vectors, strict=True)]
        low, high = float(np.median([match.background for match in found])), max(scores)
        known = found[0].sampled >= KNOWN_BACKGROUND
        return _best_of(self._stock, found), low + _STRONG * (high - low) if known else None


def _best_of(stock: Sequence[str], found: Sequence[Matches]) -> list[str]:
    gaps = {text: match.windows[0].score - match.background for text, match in zip(stock, found, strict=True)}
    best = {text: match.windows[0].video_id for text, match in zip(stock, found, strict=True)}
    ranked = sorted(stock, key=lambda text: -gaps[text])
    first: dict[str, str] = {}
    for text in ranked:
        first.setdefault(best[text], text)
    own = list(first.values())
    return (own + [text for text in ranked if text not in own])[:_COUNT]


def is_nano(encoder: VideoEncoder) -> bool:
    """Whether this is the toy model or a relative of it, which has a geometry that no real model has."""
    nano = models()[-1]
    backbone = encoder.model.backbone
    return encoder.name == nano.name or (
        backbone.image_size == (nano.image_size, nano.image_size) and backbone.patch_size == nano.patch_size
    )
