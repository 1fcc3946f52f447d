"""Videos and captions of a data set to embeddings; a batch is decoded once, whoever encodes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centerclip.datasets.frames import FrameSource
from centerclip.errors import VideoError
from centerclip.evaluation.cache import EmbeddingStore
from centerclip.model import CenterCLIP

__all__ = ["embed_captions", "embed_videos", "fill_captions", "fill_videos"]

_BATCH_FRAMES = 384
"""Frames encoded at once, 32 videos of 12: of B/32 a block's inner layer then takes 0.24 GB in float32."""
_BATCH_CAPTIONS = 256

_Decoded = tuple[Tensor, Tensor] | VideoError
"""A video's frames [1, T, 3, H, W] with their mask [1, T], or why there are none."""


def embed_videos(
    model: CenterCLIP, source: FrameSource, count: int, *, batch_size: int = 32
) -> NDArray[np.float32]:
    """Embeddings [count, E] of the first `count` videos of `source`, at the stride centers.

    Raises:
        VideoError: a file gives no frame.
    """
    embeddings = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            items = range(start, min(start + batch_size, count))
            frames, mask = source.batch(items, model.frames)
            embeddings.append(_encode(model, model.preprocess(frames.to(model.device)), mask))
    return np.concatenate(embeddings)


def embed_captions(
    model: CenterCLIP,
    captions: Sequence[str],
    *,
    batch_size: int = _BATCH_CAPTIONS,
    max_tokens: int | None = None,
) -> NDArray[np.float32]:
    """Embeddings [len(captions), E] of sentences.

    Args:
        max_tokens: what is beyond is cut off, as `Backbone.tokenize` does it; by default what is beyond
            the model's context.
    """
    model.eval()
    embeddings = []
    with torch.inference_mode():
        for start in range(0, len(captions), batch_size):
            ids = model.backbone.tokenize(captions[start : start + batch_size], max_tokens=max_tokens)
            embeddings.append(model.encode_text(ids).float().cpu().numpy())
    return np.concatenate(embeddings)


def fill_captions(
    model: CenterCLIP, store: EmbeddingStore, keys: Sequence[str], captions: Sequence[str], max_tokens: int
) -> NDArray[np.float32]:
    """Embeddings [len(captions), E]; those that `store` lacks are encoded and put there."""
    fresh = {key: text for key, text in zip(keys, captions, strict=True) if key not in store}
    if fresh:
        store.put(fresh, embed_captions(model, list(fresh.values()), max_tokens=max_tokens))
    return store.take(keys)


def fill_videos(
    models: Sequence[CenterCLIP],
    stores: Sequence[EmbeddingStore],
    keys: Sequence[str],
    source: FrameSource,
    *,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, VideoError]]:
    """Encode the videos that a store lacks by its model; each video is decoded once for all of them.

    The next batch is decoded while one is encoded. A video that can't be decoded ends nothing.

    Args:
        models: with the same backbone and number of frames.
        stores: one for each model.
        keys: one for each video of `source`, in order.
        source: asked for one video at a time, from several threads.
        workers: threads that decode.
        progress: called with (videos done, videos in all).

    Yields:
        The position of each video that can't be decoded, and why, as soon as it is known.
    """
    items = [
        item for item, key in enumerate(keys) if any(key not in store for store in stores)
    ]  # what is in every store needs no decoding
    frames = models[0].frames
    done = len(keys) - len(items)
    for model in models:
        model.eval()
    for group, decoded in _decode_ahead(source, items, frames, max(1, _BATCH_FRAMES // frames), workers):
        good: list[tuple[int, Tensor, Tensor]] = []
        for item, video in zip(group, decoded, strict=True):
            if isinstance(video, VideoError):
                yield item, video
            else:
                good.append((item, *video))
        if good:
            positions, clips, masks = zip(*good, strict=True)
            _encode_missing(models, stores, [keys[i] for i in positions], torch.cat(clips), torch.cat(masks))
        done += len(group)
        if progress is not None:
            progress(done, len(keys))


def _encode_missing(
    models: Sequence[CenterCLIP],
    stores: Sequence[EmbeddingStore],
    keys: Sequence[str],
    frames: Tensor,
    mask: Tensor,
) -> None:
    """Encode a decoded batch, frames [B, T, 3, H, W] uint8, by every model whose store lacks some of it."""
    with torch.inference_mode():
        pixels = models[0].preprocess(frames.to(models[0].device))
        for model, store in zip(models, stores, strict=True):
            rows = [row for row, key in enumerate(keys) if key not in store]
            if rows:
                whole = len(rows) == len(keys)  # then nothing is copied
                vectors = _encode(model, pixels if whole else pixels[rows], mask if whole else mask[rows])
                store.put([keys[row] for row in rows], vectors)


def _encode(model: CenterCLIP, pixels: Tensor, mask: Tensor) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = model.encode_video(pixels, mask.to(pixels.device)).float().cpu().numpy()
    return vectors


def _decode_ahead(
    source: FrameSource, items: Sequence[int], frames: int, batch_size: int, workers: int
) -> Iterator[tuple[Sequence[int], list[_Decoded]]]:
    """Groups of items with what they decode to, the next one under way while one is used."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    def begin(group: Sequence[int]) -> list[Future[_Decoded]]:
        return [pool.submit(_decode, source, item, frames) for item in group]

    groups = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    try:
        coming = begin(groups[0]) if groups else []
        for group, after in zip(groups, [*groups[1:], []], strict=False):
            decoded = [future.result() for future in coming]
            coming = begin(after)
            yield group, decoded
    finally:
        pool.shutdown(cancel_futures=True)


def _decode(source: FrameSource, item: int, frames: int) -> _Decoded:
    try:
        return source.batch([item], frames)
    except VideoError as error:
        return error
