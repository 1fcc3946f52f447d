"""`VideoEncoder`: a model at work on files and sentences.

Owns device, precision, batches and threads. What a model computes is the business of `centerclip.model`,
what frames there are of `centerclip.video`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from centerclip.clustering.reducers import reducer_config
from centerclip.encoder.decoding import DecodedWindow, Windows, decode_windows
from centerclip.encoder.device import available_cores, choose_device, prepare, use_threads
from centerclip.encoder.indexing import FileResult, Progress, index_files
from centerclip.encoder.pictures import read_picture
from centerclip.encoder.pipeline import Pipeline, Step, in_order
from centerclip.errors import ConfigError
from centerclip.index import ModelCard, Summary, VideoIndex
from centerclip.model import CenterCLIP
from centerclip.model.text import probe
from centerclip.records import EncodedVideo, EncodedWindow, Failed

__all__ = ["VideoEncoder"]

_AHEAD = 256
"""Files that may be finished, and held in memory, before an earlier long one."""
_SIDE_BY_SIDE = 8
"""Batches at most that a CPU encodes at once: each takes memory."""
_TEXTS = 256
"""Sentences a batch."""


class VideoEncoder:
    """Turns videos, pictures and sentences into embeddings of one space.

    The model given is never changed. Where it is in training mode, on another device or of another
    precision, the encoder works with a copy, which later changes of the original don't reach. Queries
    may be encoded from several threads at once.

    Args:
        model: with its schedule, its reducer and T frames a window.
        device: `cpu`, `cuda`, `cuda:1`...; `auto` takes a GPU where there is one.
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 where the processor has instructions for it. On
            a CPU also `int8`, in which the blocks of the vision tower multiply in 8 bits.
        window_seconds: a longer video is cut into windows of about this length at most.
        workers: threads that decode; by default half the cores for a CPU, all up to 16 for a GPU.
        batch_size: windows the model takes at a time; by default 2 on a CPU, where up to 8 such batches are
            encoded side by side, and 32 on a GPU.
        name: of the model, as its user knows it; what an index remembers it by.
        backend: `torch`, or `openvino`: the vision tower by OpenVINO's kernels, on a CPU. What they give
            differs by rounding only, so one index may hold embeddings of both.

    Raises:
        ConfigError: a device or backend that isn't there, an unknown precision, or a number below its
            minimum.
    """

    def __init__(
        self,
        model: CenterCLIP,
        *,
        device: str | torch.device = "auto",
        precision: str = "auto",
        window_seconds: float = 12.0,
        workers: int | None = None,
        batch_size: int | None = None,
        name: str | None = None,
        backend: str = "torch",
    ) -> None:
        self.device = choose_device(device)
        on_cpu = self.device.type == "cpu"
        cores = available_cores()
        self.workers = _at_least_one("workers", workers, max(1, cores // 2) if on_cpu else min(16, cores))
        self.batch_size = _at_least_one("batch_size", batch_size, 2 if on_cpu else 32)
        if not window_seconds > 0:
            raise ConfigError(f"window_seconds is {window_seconds}, but a window needs a length above zero")
        self.window_seconds = float(window_seconds)
        self.model = prepare(model, self.device, precision, backend)
        self._shares_cores = on_cpu and backend == "torch"
        self.name = name or model.backbone.model.config.name_or_path or "unnamed model"

    @property
    def fingerprint(self) -> str:
        """The model's: embeddings may be compared where it is the same."""
        return self.model.fingerprint()

    def card(self) -> ModelCard:
        """What an index remembers of the model."""
        return ModelCard(
            fingerprint=self.fingerprint,
            name=self.name,
            schedule=str(self.model.schedule),
            reducer=str(reducer_config(self.model.reducer)["name"]),
            frames=self.model.frames,
            embed_size=self.model.embed_size,
            window_seconds=self.window_seconds,
            probe=probe(self.encode_text) if self.model.backbone.tokenizer is not None else "",
        )

    def encode(self, paths: Iterable[str | os.PathLike[str]]) -> Generator[EncodedVideo | Failed, None, None]:
        """Encode video files, each cut into windows.

        Files are decoded in threads while windows, of several files together, go through the model in
        others. In memory are the frames of a few windows, whatever the length of a film, and the
        embeddings of files that wait for their turn, at most 256. Close the iterator
        (`contextlib.closing`) to stop before its end.

        Args:
            paths: may be endless; taken a little ahead.

        Yields:
            A result a path, in the order given: `Failed` for what can't be decoded.
        """
        return in_order(self._run(map(Path, paths), ahead=_AHEAD))

    def encode_clip(self, path: str | os.PathLike[str]) -> NDArray[np.float32]:
        """Encode a video file, whatever its length, as one video of T frames.

        Returns:
            [E] float32, unit length.

        Raises:
            VideoError: no frames can be had.
        """
        (window,) = self._decoder(float("inf"))(Path(path))
        assert isinstance(window, DecodedWindow), "one window is one part"
        return self._embed_one(window.frames)

    def encode_picture(self, path: str | os.PathLike[str]) -> NDArray[np.float32]:
        """Encode a picture as a video of one frame.

        Returns:
            [E] float32, unit length.

        Raises:
            VideoError: it can't be opened.
        """
        return self._embed_one(read_picture(Path(path), self.model.image_size))

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode sentences.

        Args:
            texts: Q sentences; what is beyond the model's context is cut off.

        Returns:
            [Q, E] float32, unit length.

        Raises:
            ModelError: the model has no tokenizer.
        """
        texts = [texts] if isinstance(texts, str) else texts
        batches = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
        rows = [self.model.encode_text(batch).float().cpu().numpy() for batch in batches]
        return np.concatenate([np.empty((0, self.model.embed_size), np.float32), *rows])

    def index(
        self,
        paths: Iterable[str | os.PathLike[str]],
        index: VideoIndex,
        *,
        prune: bool = False,
        retry_failed: bool = False,
        wait_seconds: float = 0.0,
        on_progress: Callable[[Progress], None] | None = None,
        on_finish: Callable[[Summary], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generator[FileResult, None, None]:
        """Bring an index up to date with files and folders.

        Stopped, interrupted or closed (`contextlib.closing`), it writes what is encoded and gives the index
        free; the next run goes on from there. A killed run loses about 15 seconds of work.

        Args:
            paths: files, and folders to walk.
            index: a new one, or one of the same model.
            prune: forget indexed files below `paths` that are no longer there.
            retry_failed: encode only files that failed before, and leave all others alone.
            wait_seconds: how long to wait for another writer; negative for ever.
            on_progress: called after each batch and each file, in the consumer's thread.
            on_finish: called at the end with what the index holds now, read back from it; not when stopped.
            should_stop: asked after each batch; once it says so, what is written is yielded, and no more.

        Yields:
            A result a file, each when it is on the disk: unchanged and skipped ones, moved, removed, and
            then those that had to be encoded, in the order of the walk.

        Raises:
            VideoError: one of `paths` does not exist.
            FingerprintError: the index belongs to another model.
            IndexLockedError: another process is writing to it.
            IndexStoreError: it can't be written.
        """
        return index_files(
            paths,
            index,
            self.card(),
            self._run,
            prune=prune,
            retry_failed=retry_failed,
            wait_seconds=wait_seconds,
            on_progress=on_progress,
            on_finish=on_finish,
            should_stop=should_stop,
        )

    def _run(self, paths: Iterable[Path], ahead: int | None = None) -> Generator[Step, None, None]:
        threads = torch.get_num_threads()
        own = -(-threads // _SIDE_BY_SIDE)  # of each batch
        encoders = threads // own if self._shares_cores else 1

        def encode(windows: Sequence[DecodedWindow], alone: bool) -> list[EncodedWindow]:
            # A batch a thread: the threads of one batch would wait for each other after every operation, and
            # longer where decoding takes some of them their core.
            if self._shares_cores:
                use_threads(threads if alone else own, others=threads)
            return self._encode_windows(windows)

        pipeline = Pipeline(
            paths,
            self._decoder(self.window_seconds),
            encode,
            workers=self.workers,
            encoders=encoders,
            batch_size=self.batch_size,
            ahead=ahead,
        )
        return iter(pipeline)

    def _decoder(self, window_seconds: float) -> Callable[[Path], Windows]:
        return partial(
            decode_windows,
            window_seconds=window_seconds,
            frames=self.model.frames,
            size=self.model.image_size,
            parts=self.workers,
        )

    def _encode_windows(self, windows: Sequence[DecodedWindow]) -> list[EncodedWindow]:
        """Encode windows together where they have as many frames; an index keeps real segments only."""
        places_by_count: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            places_by_count.setdefault(len(window.frames), []).append(place)
        encoded: dict[int, EncodedWindow] = {}
        for places in places_by_count.values():
            vectors, segments = self._embed(torch.stack([windows[place].frames for place in places]))
            for row, place in enumerate(places):
                of = windows[place]
                start, end = of.window.start_seconds, of.window.end_seconds
                bounds = np.linspace(start, end, len(segments[row]) + 1)
                encoded[place] = EncodedWindow(
                    of.window, vectors[row], segments[row], bounds, ((start, of.thumbnail),)
                )
        return [encoded[place] for place in range(len(windows))]

    def _embed_one(self, frames: Tensor) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._embed(frames.unsqueeze(0))[0][0]
        return vector

    @torch.inference_mode()
    def _embed(self, frames: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """[B, V, 3, H, W] uint8 -> vectors [B, E] and segments [B, S', E], unit length.

        The vectors are those of `CenterCLIP.encode_video`, without a second pass through the tower.
        """
        if self.device.type == "cuda":
            frames = frames.pin_memory().to(self.device, non_blocking=True)
        segments = self.model.encode_segments(self.model.preprocess(frames)).float()
        vectors = functional.normalize(segments.mean(dim=1), dim=-1)
        return vectors.cpu().numpy(), segments.cpu().numpy()


def _at_least_one(what: str, given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise ConfigError(f"{what} is {given}, but must be at least 1")
    return default if given is None else given
