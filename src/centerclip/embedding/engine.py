"""`embed`, the only way from files to embeddings: decode, batch, encode by one model or several."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import accumulate
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.embedding.decode import Decode, DecodedWindow, Decoder
from centerclip.embedding.device import Cores
from centerclip.embedding.pipeline import File, run_pipeline
from centerclip.errors import VideoError
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo, EncodedWindow, Failed, Item, Window

__all__ = ["Embedded", "embed", "embed_all", "encode_frames"]

Embedded = tuple[EncodedVideo, ...]
"""A file's embeddings by each of the models."""

_AHEAD = 256
"""Files that may be finished, and held in memory, before an earlier long one."""
_BATCH_FRAMES = {"cpu": 24, "cuda": 384}
"""Frames per batch: two windows of 12 for a core, whose caches a larger batch would leave; 32 for a GPU."""
_PICTURES = 6
"""Most pictures per window; more segments share them."""
_TICK_SECONDS = 0.5


def embed(
    items: Iterable[Item],
    models: Sequence[CenterCLIP],
    *,
    window_seconds: float = inf,
    pictures: bool = False,
    decode: Decode | None = None,
    cores: Cores | None = None,
    batch_size: int | None = None,
    ordered: bool = True,
    on_step: Callable[[Sequence[Window]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Generator[Embedded | Failed, None, None]:
    """Embed files, each decoded once for all models.

    Files are decoded in threads while windows of several files go through the models in others. In memory are
    the frames of a few windows, however long a film is, and in order the embeddings of at most 256 files that
    wait for an earlier one. Close the iterator (`contextlib.closing`) to stop early.

    Args:
        items: taken shortly before their turn; may be endless.
        models: at least one, in evaluation mode on one device, as `prepare` returns them; they share
            preprocessing and number of frames.
        window_seconds: a longer file is cut into windows of at most about this length.
        pictures: whether windows get pictures.
        decode: where frames come from, by default the files.
        cores: how the processor's cores are shared.
        batch_size: windows that go through a model at a time.
        ordered: yield in the order of the items; otherwise as soon as each file is finished.
        on_step: called in the consumer's thread with the windows that were encoded, at least twice a second
            (then perhaps with none).
        should_stop: asked as often; once it returns true, the iteration ends.

    Yields:
        An `EncodedVideo` by each model, or `Failed` for a file that can't be decoded.
    """
    if not models:
        return  # nobody wants anything
    first = models[0]
    cores = cores or Cores.share(first)
    steps = run_pipeline(
        items,
        decode
        or Decoder(
            first.frames,
            first.preprocessing,
            window_seconds,
            pictures=min(first.segments, _PICTURES) if pictures else 0,
            parts=cores.decoders,
        ),
        partial(_encode_windows, models, cores),
        workers=cores.decoders,
        encoders=cores.encoders,
        batch_size=batch_size or max(1, _BATCH_FRAMES.get(first.device.type, 24) // first.frames),
        ahead=_AHEAD if ordered else None,
        tick_seconds=_TICK_SECONDS,
    )
    waiting: dict[int, Embedded | Failed] = {}
    place = 0
    try:
        for step in steps:
            if on_step is not None:
                on_step(step.windows)
            if not ordered:
                yield from map(_result, step.files)
            else:
                waiting.update((file.number, _result(file)) for file in step.files)
                while place in waiting:
                    yield waiting.pop(place)
                    place += 1
            if should_stop is not None and should_stop():
                return
    finally:
        steps.close()


def embed_all(
    items: Iterable[Item], model: CenterCLIP, *, decode: Decode | None = None
) -> NDArray[np.float32]:
    """Embed every item as one video.

    Args:
        items: at least one.
        model, decode: as for `embed`.

    Returns:
        [items, E] float32, unit length.

    Raises:
        VideoError: a file can't be decoded.
    """
    vectors = []
    with closing(embed(items, [model], decode=decode)) as results:
        for result in results:
            if isinstance(result, Failed):
                raise VideoError(f"{result.path}: {result.reason}")
            vectors.append(result[0].windows[0].vector)
    return np.stack(vectors)


def encode_frames(model: CenterCLIP, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Encode videos that have equally many frames.

    Args:
        frames: [B, V, 3, H, W] uint8 at the model's size.

    Returns:
        Vectors [B, E] and segments [B, S, E], float32 on the CPU, unit length.
    """
    if model.device.type == "cuda":
        frames = frames.pin_memory().to(model.device, non_blocking=True)
    with torch.inference_mode():
        encoded = model.encode(model.preprocess(frames))
        return encoded.video.float().cpu(), encoded.segments.float().cpu()


def _encode_windows(
    models: Sequence[CenterCLIP], cores: Cores, windows: Sequence[DecodedWindow], alone: bool
) -> list[tuple[EncodedWindow, ...]]:
    """Encode a batch, the windows with equally many frames together; one `EncodedWindow` by each model."""
    cores.enter(alone=alone)
    places_by_count: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        places_by_count.setdefault(len(window.frames), []).append(place)
    encoded: dict[int, tuple[EncodedWindow, ...]] = {}
    for places in places_by_count.values():
        frames = torch.stack([windows[place].frames for place in places])  # [b, V, 3, H, W]
        by_model = [encode_frames(model, frames) for model in models]
        for row, place in enumerate(places):
            encoded[place] = tuple(
                _encoded_window(windows[place], model, vectors[row], segments[row])
                for model, (vectors, segments) in zip(models, by_model, strict=True)
            )
    return [encoded[place] for place in range(len(windows))]


def _encoded_window(of: DecodedWindow, model: CenterCLIP, vector: Tensor, segments: Tensor) -> EncodedWindow:
    schedule = model.schedule.fit(frames=len(of.frames), patches=model.backbone.patches)
    ends = [0, *accumulate(schedule.frames_per_segment(len(of.frames)))]
    return EncodedWindow(of.window, vector.numpy(), segments.numpy(), of.bounds[ends], of.pictures)


def _result(file: File[tuple[EncodedWindow, ...]]) -> Embedded | Failed:
    result = file.result()
    if isinstance(result, Failed):
        return result
    info, windows = result
    return tuple(EncodedVideo(info, by_model) for by_model in zip(*windows, strict=True))
