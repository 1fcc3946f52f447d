"""`VideoEncoder`: a model at work on files, pictures and sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from centerclip.embedding.device import Cores, choose_device, precision_of, prepare
from centerclip.embedding.engine import embed, encode_frames
from centerclip.embedding.pictures import read_picture
from centerclip.errors import ConfigError, VideoError
from centerclip.index import ModelCard
from centerclip.model import CenterCLIP
from centerclip.model.backbones import backbone_label
from centerclip.model.text import probe
from centerclip.records import DECODE_ON, SAMPLINGS, EncodedVideo, Failed, Item, Sampling, VideoInfo, Window
from centerclip.remote import as_place
from centerclip.video import find_gpu

__all__ = ["VideoEncoder", "encode_texts", "gpu_that_decodes"]

_TEXTS = 256
"""Sentences per batch."""


class VideoEncoder:
    """Turns videos, pictures and sentences into embeddings that can be compared.

    The model passed in is never changed. If it is in training mode, on another device or in another
    precision, the encoder works with a copy, which doesn't follow later changes of the original. Queries can
    be encoded from several threads at once.

    Args:
        model: with its schedule, its reducer and T frames per window.
        device: `cpu`, `cuda`, `cuda:1`...; `auto` uses a GPU if there is one, under `torchrun` the process's
            own.
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 if the processor supports it natively, float16
            on other GPUs. On a GPU also `float16`, and `tf32`: float32 with products of 10 bits. On a CPU
            also `int8`, in which the blocks of the vision tower multiply in 8 bits.
        window_seconds: longer videos are cut into windows of at most about this length.
        workers: decoding threads; by default one per core, up to 16 (see `Cores.share`).
        batch_size: windows per batch; by default 24 frames' worth on a CPU, which encodes up to 8 batches in
            parallel, and 384 on a GPU.
        name: of the model, as users know it; an index stores it.
        sampling: which frame represents each of a window's T strides. `cheapest` takes the one that costs
            least to decode: a key frame, or else the one that is stored soonest after its key frame. `keys`
            also takes a key frame of the stride before or after, and decodes hardly anything else. `budget`
            does so only where that saves decoding more than 30 million pixels. `center` takes the frame at
            the stride's center, as `centerclip evaluate` does.
        decode_on: `cpu`, or `gpu`, which decodes what the GPU can decode there, and the rest on the CPU: the
            model's GPU, or the first one.
        backend: `torch`, or `openvino`, which runs the vision tower on a CPU, in any precision. They differ
            by rounding only, so one index may hold embeddings of both.

    Raises:
        ConfigError: the device or backend isn't available, or no GPU that decodes; the precision or sampling
            is unknown, a number is below its minimum, or `model` isn't a model.
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
        sampling: Sampling = "cheapest",
        decode_on: str = "cpu",
        backend: str = "torch",
    ) -> None:
        if not isinstance(model, CenterCLIP):
            raise ConfigError(
                f"VideoEncoder needs a model, not {model!r}: load one with CenterCLIP.from_pretrained(...)"
            )
        for what, number in (("workers", workers), ("batch_size", batch_size)):
            if number is not None and number < 1:
                raise ConfigError(f"{what} is {number}, but must be at least 1")
        if not window_seconds > 0:
            raise ConfigError(f"window_seconds is {window_seconds}, but must be above zero")
        if sampling not in SAMPLINGS:
            raise ConfigError(f"sampling is {sampling!r}, but must be one of {', '.join(SAMPLINGS)}")
        if decode_on not in DECODE_ON:
            raise ConfigError(f"decode_on is {decode_on!r}, but must be one of {', '.join(DECODE_ON)}")
        self.device = choose_device(device)
        self.gpu = gpu_that_decodes(self.device) if decode_on == "gpu" else None
        self.model = prepare(model, self.device, precision, backend, side_by_side=True)
        self.backend = backend
        self.cores = Cores.share(self.model, workers)
        self.batch_size = batch_size
        self.window_seconds = float(window_seconds)
        self.sampling: Sampling = sampling
        self.name = name or model.backbone.name or "unnamed model"
        self._probe: tuple[str, str] | None = None

    @property
    def decodes_here(self) -> bool:
        """Whether files are decoded by this process and its workers; see `centerclip.indexing.encoding`."""
        return True

    @property
    def fingerprint(self) -> str:
        """Embeddings can be compared if their models' fingerprints are equal."""
        return self.model.fingerprint()

    def card(self) -> ModelCard:
        """Return what an index stores about the model."""
        fingerprint = self.fingerprint
        if self._probe is None or self._probe[0] != fingerprint:  # it runs the text tower
            made = "" if self.model.backbone.tokenizer is None else probe(self.encode_text)
            self._probe = fingerprint, made
        return ModelCard(
            fingerprint=fingerprint,
            name=self.name,
            schedule=str(self.model.schedule),
            reducer=self.model.reducer.label,
            frames=self.model.frames,
            embed_size=self.model.embed_size,
            window_seconds=self.window_seconds,
            precision="int8" if precision_of(self.model) == "int8" else "float",
            probe=self._probe[1],
            backbone=backbone_label(self.model.backbone),
            sampling=self.sampling,
        )

    def encode(self, paths: Iterable[str | os.PathLike[str]]) -> Generator[EncodedVideo | Failed, None, None]:
        """Encode video files, cut into windows with pictures.

        Close the iterator (`contextlib.closing`) to stop early. See `centerclip.embedding.embed` for memory.

        Args:
            paths: consumed shortly before their turn; may be endless.

        Yields:
            One result per path, in the order given: `Failed` for a file that can't be decoded.
        """
        return self.embed(Item(as_place(path)) for path in paths)

    def embed(
        self,
        items: Iterable[Item],
        *,
        window_seconds: float | None = None,
        pictures: bool = True,
        ordered: bool = True,
        on_step: Callable[[Sequence[tuple[VideoInfo, Window]]], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        locate: Callable[[Path], Path] = as_place,
    ) -> Generator[EncodedVideo | Failed, None, None]:
        """Call `centerclip.embedding.embed`, which explains the arguments, with this encoder's settings."""
        results = embed(
            items,
            [self.model],
            window_seconds=self.window_seconds if window_seconds is None else window_seconds,
            pictures=pictures,
            sampling=self.sampling,
            gpu=self.gpu,
            cores=self.cores,
            batch_size=self.batch_size,
            ordered=ordered,
            on_step=on_step,
            should_stop=should_stop,
            locate=locate,
        )
        with closing(results):
            for result in results:
                yield result if isinstance(result, Failed) else result[0]

    def encode_file(self, path: str | os.PathLike[str]) -> NDArray[np.float32]:
        """Encode a whole video file as one video of T frames: [E] float32, unit length.

        Raises:
            VideoError: no frame can be decoded.
        """
        (result,) = self.embed([Item(Path(path))], window_seconds=float("inf"), pictures=False)
        if isinstance(result, Failed):
            raise VideoError(f"{path}: {result.reason}")
        return result.windows[0].vector

    def encode_picture(self, path: str | os.PathLike[str]) -> NDArray[np.float32]:
        """Encode a picture as a video of one frame: [E] float32, unit length.

        Raises:
            VideoError: it can't be opened.
        """
        frames = read_picture(Path(path), self.model.preprocessing)  # [1, 3, H, W]
        vector: NDArray[np.float32] = encode_frames(self.model, frames.unsqueeze(0))[0][0].numpy()
        return vector

    def encode_text(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """Encode Q sentences: [Q, E] float32, unit length. What exceeds the model's context is cut off.

        Raises:
            ModelError: the model has no tokenizer.
        """
        return encode_texts(self.model, [texts] if isinstance(texts, str) else texts)


def gpu_that_decodes(device: torch.device) -> int:
    """Return the number of the GPU that decodes for a model on a device.

    Raises:
        ConfigError: there is none.
    """
    number = (device.index or 0) if device.type == "cuda" else 0
    try:
        find_gpu(number)
    except VideoError as error:
        raise ConfigError(f"decode_on is 'gpu', but there is {error}: give cpu") from error
    return number


@torch.inference_mode()
def encode_texts(
    model: CenterCLIP, texts: Sequence[str], *, max_tokens: int | None = None
) -> NDArray[np.float32]:
    """Encode sentences in batches.

    Args:
        model: in evaluation mode.
        texts: Q sentences.
        max_tokens: longer sentences are cut off, see `Backbone.tokenize`; by default the model's context.

    Returns:
        [Q, E] float32, unit length.
    """
    batches = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
    ids = (model.backbone.tokenize(batch, max_tokens=max_tokens) for batch in batches)
    rows = [model.encode_text(batch).float().cpu().numpy() for batch in ids]
    return np.concatenate([np.empty((0, model.embed_size), np.float32), *rows])
