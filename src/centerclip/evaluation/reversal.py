"""Is a video told from its reverse? Compares each caption with both: the same frames, backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.datasets import Dataset
from centerclip.embedding import embed
from centerclip.embedding.decode import Decode, DecodedWindow, Decoder, Windows
from centerclip.errors import VideoError
from centerclip.model import CenterCLIP
from centerclip.records import Failed, Item
from centerclip.video import Decoders

__all__ = ["against_reverse"]

_TIE = 1e-5
"""Cosines closer than this count as equal: a model that ignores the order differs only by rounding."""


def against_reverse(
    models: Sequence[CenterCLIP],
    dataset: Dataset,
    captions: NDArray[np.float32],
    videos: Sequence[NDArray[np.float32]],
    *,
    decode: Decode | None = None,
    seed: int = 0,
) -> list[metrics.Estimate]:
    """Measure how often a caption is closer to its video than to the reversed video, in percent.

    Ties count half, so chance is 50. A model that encodes frames by themselves and averages them can't tell
    the two apart. Captions that fit both, such as "a man sits", keep any model near chance.

    Args:
        models: in evaluation mode, with equal preprocessing and number of frames.
        dataset: the videos, and the captions by number.
        captions: [C, E] embeddings.
        videos: [V, E] embeddings by each model.
        decode: returns the frames of videos in their order; None decodes the files.
        seed: seed of the bootstrap.

    Returns:
        One estimate per model; the bootstrap resamples whole videos.

    Raises:
        VideoError: a file can't be decoded.
    """
    decoders = Decoders()
    first = models[0]
    forward = decode or Decoder(first.frames, first.preprocessing, decoders=decoders)
    backward: list[list[NDArray[np.float32]]] = []
    try:
        for result in embed(dataset.videos, models, decode=lambda item: _reversed(forward, item)):
            if isinstance(result, Failed):
                raise VideoError(f"{result.path}: {result.reason}")
            backward.append([video.windows[0].vector for video in result])
    finally:
        decoders.stop()
    owner = dataset.video_of_caption()
    estimates = []
    for own, reverse in zip(videos, map(np.stack, zip(*backward, strict=True)), strict=True):
        closer = np.einsum("ce,ce->c", captions, own[owner] - reverse[owner])
        share = np.where(np.abs(closer) <= _TIE, 50.0, np.where(closer > 0, 100.0, 0.0))
        estimates.append(metrics.mean(share, groups=owner, seed=seed))
    return estimates


def _reversed(decode: Decode, item: Item) -> Windows:
    for window in decode(item):
        if isinstance(window, DecodedWindow):
            ends = window.bounds[0] + window.bounds[-1]
            yield replace(window, frames=window.frames.flip(0), bounds=ends - window.bounds[::-1])
        else:
            yield window
