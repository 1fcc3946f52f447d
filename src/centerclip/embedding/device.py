"""Choose where a model runs, in which precision and with which backend. Knows nothing about videos."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Thread, local
from typing import Self

import torch

from centerclip.cores import available_cores
from centerclip.embedding.int8 import Int8Tower
from centerclip.embedding.openvino import OpenVINOTower
from centerclip.errors import ConfigError
from centerclip.model import Backbone, CenterCLIP, Tower

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "Cores",
    "available_cores",
    "choose_device",
    "choose_dtype",
    "own_gpu",
    "own_stream",
    "precision_of",
    "prepare",
    "use_tf32",
]

PRECISIONS = ("auto", "float32", "tf32", "bfloat16", "float16", "int8")
BACKENDS = ("torch", "openvino")

# oneDNN, which torch computes with on a CPU, keeps compiled code for the last 1,024 shapes, 0.7 MB each.
# Equal frames are encoded once, so the number of sequences, and with it the shape, differs from batch to
# batch. A model takes about a dozen shapes at a time.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

_SIDE_BY_SIDE = 8
"""Maximum number of batches that a CPU encodes at once, because each needs memory."""
_DECODERS = 16
"""Maximum number of decoding threads, unless there are more than 32 cores."""
_GPU_ENCODERS = 2
"""Batches on their way through a GPU: one is copied and returned while the other is computed."""
_AMPERE = (8, 0)
"""Compute capability of the first NVIDIA GPUs with TF32 and bfloat16."""


class _Streams(local):
    """The CUDA streams of each thread, by the number of their GPU."""

    def __init__(self) -> None:
        self.known: dict[int | None, torch.cuda.Stream] = {}


_streams = _Streams()


def choose_device(device: str | torch.device) -> torch.device:
    """Resolve `auto` to a CUDA GPU or else the CPU, and check that the device works.

    The GPU is the first one, or for a process that `torchrun` started, the one of its own: processes that
    all opened the first GPU would take memory there.

    Raises:
        ConfigError: the device doesn't exist or can't be used.
    """
    if device == "auto":
        device = own_gpu() if torch.cuda.is_available() else "cpu"
    try:
        # Only making a tensor shows whether the device works, and resolves its number.
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has no specific class
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(f"device {str(device)!r} can't be used ({reason}): give cpu or auto") from error


def own_gpu() -> str:
    """Return the GPU of this process if `torchrun` started it, otherwise the first one."""
    rank = os.environ.get("LOCAL_RANK", "")
    if not rank.isdecimal():
        return "cuda"
    return f"cuda:{int(rank) % max(1, torch.cuda.device_count())}"  # each process may see only its own


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Resolve a precision to the type of the weights (for `int8`, before they are rounded).

    `auto` is bfloat16 only if the processor supports it natively: compared with float32, a CPU with
    avx512_bf16 took a quarter of the time, one without took four times as long. A GPU without bfloat16 gets
    float16, which all of them support.

    Raises:
        ConfigError: the precision is unknown, or isn't available on the device.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}: give one of {', '.join(PRECISIONS)}")
    if precision == "int8" and device.type != "cpu":
        raise ConfigError(f"precision 'int8' runs on the CPU, not on {device}: give cpu, or bfloat16")
    if precision in ("float16", "tf32") and device.type == "cpu":
        raise ConfigError(f"precision {precision!r} runs on a GPU, not on the CPU: give auto or float32")
    if precision == "tf32" and not (device.type == "cuda" and _capability(device) >= _AMPERE):
        raise ConfigError(f"{device} lacks precision 'tf32', which came with Ampere: give auto")
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16(device) else "float16" if device.type == "cuda" else "float32"
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)


def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.version.hip is not None or _capability(device) >= _AMPERE
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # an older torch
        return False
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


def prepare(
    model: CenterCLIP,
    device: torch.device,
    precision: str = "auto",
    backend: str = "torch",
    *,
    side_by_side: bool = False,
) -> CenterCLIP:
    """Return the model itself if it is ready for inference on the device, otherwise a copy that is.

    Weights are cast once rather than by autocast, which casts them for each batch: 150 ms instead of 195 ms
    per video on a CPU with avx512_bf16 (ViT-B/32, 12 frames). OpenVINO casts and rounds float32 weights
    itself; a model that was prepared for it before is returned itself. `tf32` concerns every product in
    float32 of this process from then on, because torch has one such setting for all GPUs and threads.

    Args:
        model: isn't changed.
        device: where it will run.
        precision, backend: among `PRECISIONS` and `BACKENDS`.
        side_by_side: let OpenVINO share the cores among several batches, as torch's threads do, instead of
            giving all of them to one batch.

    Raises:
        ConfigError: the precision or backend is unknown, or isn't available on the device or in this
            combination; or OpenVINO isn't installed.
    """
    dtype = choose_dtype(precision, device)
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}: give one of {', '.join(BACKENDS)}")
    if precision == "tf32":
        use_tf32(True)
    elif device.type == "cuda" and torch.get_float32_matmul_precision() == "highest":
        use_tf32(False)
    if backend == "torch" and precision != "int8":
        return _ready(model, device, dtype)
    if device.type != "cpu":
        raise ConfigError(f"backend 'openvino' runs on the CPU, not on {device}: give cpu, or torch")
    if backend == "torch":
        return _with_tower(model, device, Int8Tower)
    rest = choose_dtype("auto", device) if precision == "int8" else dtype
    named = "int8" if precision == "int8" else _name(dtype)
    streams = _side_by_side(torch.get_num_threads())[0] if side_by_side else 1
    tower = model.tower
    if isinstance(tower, OpenVINOTower) and (tower.precision, tower.streams) == (named, streams):
        return model  # its translation took seconds
    return _with_tower(
        model, device, lambda backbone: OpenVINOTower(backbone, named, dtype=rest, streams=streams)
    )


def use_tf32(is_used: bool) -> None:
    """Choose whether this process's products in float32 on GPUs have 10 bits.

    Of itself, torch lets convolutions have 10 bits, and with them the patch embedding, but no other product.
    """
    torch.set_float32_matmul_precision("high" if is_used else "highest")
    torch.backends.cudnn.allow_tf32 = is_used


def precision_of(model: CenterCLIP) -> str:
    """Return the precision that a prepared model computes in, as `prepare` accepts it."""
    if isinstance(model.tower, Int8Tower | OpenVINOTower):
        return model.tower.precision
    return _name(model.logit_scale.dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _with_tower(model: CenterCLIP, device: torch.device, make: Callable[[Backbone], Tower]) -> CenterCLIP:
    ready = copy.copy(_ready(model, device, torch.float32))  # the caller's model keeps its own tower
    ready.tower = make(ready.backbone)
    return ready


def _ready(model: CenterCLIP, device: torch.device, dtype: torch.dtype) -> CenterCLIP:
    weights = {(tensor.device, tensor.dtype) for tensor in model.parameters()}
    if weights == {(device, dtype)} and not model.training:
        return model
    return copy.deepcopy(model).to(device=device, dtype=dtype).eval()


def _side_by_side(threads: int) -> tuple[int, int]:
    """Return how many batches a CPU encodes at once, and the threads of each."""
    own = -(-threads // _SIDE_BY_SIDE)
    return threads // own, own


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """Let the calling thread's work on a GPU run beside that of other threads.

    By default all threads share one queue, in which a copy waits for the computation before it.
    """
    if device.type != "cuda":
        return nullcontext()
    stream = _streams.known.get(device.index)
    if stream is None:
        stream = _streams.known[device.index] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.default_stream(device))  # which may still be copying the weights
    return torch.cuda.stream(stream)


@dataclass(frozen=True, slots=True)
class Cores:
    """How decoding and encoding share the processor's cores.

    Attributes:
        decoders: decoding threads.
        encoders: batches encoded in parallel, on a GPU each in a stream of its own.
        threads: torch threads per batch; 0 to keep torch's setting.
        all_threads: torch threads for a batch while nothing else runs.
    """

    decoders: int
    encoders: int
    threads: int
    all_threads: int

    @classmethod
    def share(cls, model: CenterCLIP, decoders: int | None = None) -> Self:
        """Share this machine's cores for a model.

        Together there are more threads than cores, so no core is idle, whichever work is slower: if decoding
        is, encoders wait for windows and leave it their cores; if encoding is, decoders wait for room in the
        pipeline.

        On a CPU each batch runs on one core (on a few if there are more than eight): the threads of a batch
        on all cores would wait for each other after every operation, and for decoding in between.

        Args:
            model: on its device.
            decoders: by default one per core up to 16, because each takes memory; with more than 32 cores and
                a model on the CPU, half of them.
        """
        cores = available_cores()
        if model.device.type != "cpu":
            return cls(decoders or min(_DECODERS, cores), _GPU_ENCODERS, 0, 0)
        decoders = decoders or max(min(_DECODERS, cores), cores // 2)
        if isinstance(model.tower, OpenVINOTower) and model.tower.streams == 1:
            return cls(decoders, 1, 0, 0)
        threads = torch.get_num_threads()
        return cls(decoders, *_side_by_side(threads), threads)

    def enter(self, *, alone: bool) -> None:
        """Give the calling thread its share of torch's threads, or all of them if nothing else runs."""
        count = self.all_threads if alone else self.threads
        if count and torch.get_num_threads() != count:
            torch.set_num_threads(count)
            # That also changed the default of threads that haven't computed yet; set it back in one of those.
            other = Thread(target=torch.set_num_threads, args=(self.all_threads,))
            other.start()
            other.join()
