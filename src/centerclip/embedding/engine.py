"""`embed`, the only way from files to embeddings: decode, batch, encode with one or several models."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import accumulate
from math import inf
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.embedding.decode import Decode, DecodedWindow, Decoder
from centerclip.embedding.device import Cores, own_stream
from centerclip.embedding.pipeline import File, Pipeline
from centerclip.errors import VideoError
from centerclip.model import CenterCLIP
from centerclip.records import EncodedVideo, EncodedWindow, Failed, Item, Sampling, VideoInfo, Window
from centerclip.remote import as_place
from centerclip.video import Decoders

__all__ = ["Embedded", "embed", "embed_all", "encode_frames", "windows_per_batch"]

Embedded = tuple[EncodedVideo, ...]
"""A file's embeddings, one per model."""

_AHEAD = 256
"""Maximum number of finished files that wait in memory for an earlier one."""
_BATCH_FRAMES = {"cpu": 24, "cuda": 384}
"""Frames per batch: two windows of 12 fit into the caches of a CPU core; a GPU gets 32."""
_PICTURES = 6
"""Maximum number of pictures per window; more segments share them."""
_TICK_SECONDS = 0.2


def embed(
    items: Iterable[Item],
    models: Sequence[CenterCLIP],
    *,
    window_seconds: float = inf,
    pictures: bool = False,
    sampling: Sampling = "center",
    decode: Decode | None = None,
    gpu: int | None = None,
    cores: Cores | None = None,
    batch_size: int | None = None,
    ordered: bool = True,
    on_step: Callable[[Sequence[tuple[VideoInfo, Window]]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    locate: Callable[[Path], Path] = as_place,
) -> Generator[Embedded | Failed, None, None]:
    """Embed files, each decoded once for all models.

    Some threads decode files while others encode windows of several files together. Memory holds the frames
    of a few windows, however long a video is, and with `ordered` the embeddings of up to 256 files that wait
    for an earlier one. Close the iterator (`contextlib.closing`) to stop early.

    Args:
        items: consumed shortly before their turn; may be endless.
        models: in evaluation mode on one device, as `prepare` returns them, with equal preprocessing and
            number of frames. Without models nothing is decoded.
        window_seconds: longer files are cut into windows of at most about this length.
        pictures: whether windows get pictures.
        sampling: which frame represents each of a window's strides.
        decode: the source of frames; by default the files.
        gpu: number of the GPU that decodes the files; None for the CPU.
        cores: how decoding and encoding share the processor's cores.
        batch_size: windows per batch.
        ordered: yield in the order of the items; otherwise as soon as each file is finished.
        on_step: called in the consumer's thread with the windows just encoded (maybe none), each with its
            file, at least twice per second.
        should_stop: called as often; once it returns true, the iteration ends.
        locate: returns where a file can be read; called in a decoding thread, where it may wait.

    Yields:
        One `EncodedVideo` per model, or `Failed` for a file that can't be decoded.
    """
    if not models:
        return
    first = models[0]
    cores = cores or Cores.share(first)
    decoders = Decoders(gpu)
    if decode is None:
        album = min(first.segments, _PICTURES) if pictures else 0
        decode = Decoder(
            first.frames,
            first.preprocessing,
            window_seconds,
            album,
            sampling,
            parts=cores.decoders,
            decoders=decoders,
            locate=locate,
        )
    steps = Pipeline(
        items,
        decode,
        partial(_encode_windows, models, cores),
        workers=cores.decoders,
        encoders=cores.encoders,
        batch_size=batch_size or windows_per_batch(first),
        ahead=_AHEAD if ordered else None,
        tick_seconds=_TICK_SECONDS,
    ).steps()
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
        decoders.stop()  # nobody wants to wait for a decoder that hangs
        steps.close()


def embed_all(
    items: Iterable[Item], model: CenterCLIP, *, decode: Decode | None = None
) -> NDArray[np.float32]:
    """Embed every item, at least one, as one video: [items, E] float32, unit length.

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


def windows_per_batch(model: CenterCLIP) -> int:
    """Number of windows that are encoded together on the model's device."""
    return max(1, _BATCH_FRAMES.get(model.device.type, 24) // model.frames)


def encode_frames(model: CenterCLIP, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Encode videos with equally many frames: [B, V, 3, H, W] uint8 at the model's size.

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
    """Encode a batch; return one `EncodedWindow` per window and model."""
    cores.enter(alone=alone)
    with own_stream(models[0].device):
        return _encode_by_count(models, windows)


def _encode_by_count(
    models: Sequence[CenterCLIP], windows: Sequence[DecodedWindow]
) -> list[tuple[EncodedWindow, ...]]:
    """Encode windows with equally many frames together."""
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
