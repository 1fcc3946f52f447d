"""Where a model runs, in which precision and by whose kernels. Knows processors, and nothing of videos."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from threading import Thread
from typing import Self

import torch

from centerclip.cores import available_cores
from centerclip.embedding.int8 import Int8Tower
from centerclip.embedding.openvino import OpenVINOTower
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "Cores",
    "available_cores",
    "choose_device",
    "choose_dtype",
    "precision_of",
    "prepare",
]

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
BACKENDS = ("torch", "openvino")

_SIDE_BY_SIDE = 8
"""Most batches that a CPU encodes at once: each takes memory."""


def choose_device(device: str | torch.device) -> torch.device:
    """Resolve `auto` to the first CUDA GPU or else the CPU, and anything else to that device.

    Raises:
        ConfigError: there is no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Makes a tensor because only that tells whether the device works, and what its number is.
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has no class of its own
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(f"device {str(device)!r} can't be used ({reason}): give cpu or auto") from error


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Resolve a precision to the type of the weights, before those of the products are rounded for `int8`.

    `auto` is bfloat16 only where the processor multiplies it itself, because emulation is slow: on a CPU
    with avx512_bf16 it took a quarter of float32's time, on one without four times as long.

    Raises:
        ConfigError: an unknown precision, or `int8` for a GPU.
    """
    if precision == "int8" and device.type != "cpu":
        raise ConfigError(f"precision 'int8' computes on the CPU, not on {device}: give cpu, or bfloat16")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is unknown: give one of {', '.join(PRECISIONS)}")
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # an older torch
        return False
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def prepare(
    model: CenterCLIP, device: torch.device, precision: str = "auto", backend: str = "torch"
) -> CenterCLIP:
    """Give the model itself where it is ready for inference there, else a copy that is.

    The weights are cast as a whole rather than by autocast, which casts them anew for each batch: 150 ms
    against 195 ms a video on a CPU with avx512_bf16 (ViT-B/32, 12 frames). OpenVINO rounds float32
    weights itself.

    Raises:
        ConfigError: an unknown precision or backend, one that can't be had on the device or with the other,
            or OpenVINO is not installed.
    """
    dtype = choose_dtype(precision, device)
    if backend not in BACKENDS:
        raise ConfigError(f"backend {backend!r} is unknown: give one of {', '.join(BACKENDS)}")
    if backend == "torch" and precision != "int8":
        return _ready(model, device, dtype)
    if device.type != "cpu":
        raise ConfigError(f"backend 'openvino' computes on the CPU, not on {device}: give cpu, or torch")
    if backend == "openvino" and precision == "int8":
        raise ConfigError("precision 'int8' is the backend torch's: give torch, or another precision")
    ready = copy.copy(_ready(model, device, torch.float32))  # the caller's model keeps its own tower
    ready.tower = OpenVINOTower(ready.backbone, dtype) if backend == "openvino" else Int8Tower(ready.backbone)
    return ready


def precision_of(model: CenterCLIP) -> str:
    """The precision that a prepared model computes in, as `prepare` takes it."""
    if isinstance(model.tower, Int8Tower):
        return "int8"
    return str(model.logit_scale.dtype).removeprefix("torch.")


def _ready(model: CenterCLIP, device: torch.device, dtype: torch.dtype) -> CenterCLIP:
    weights = {(tensor.device, tensor.dtype) for tensor in model.parameters()}
    if weights == {(device, dtype)} and not model.training:
        return model
    return copy.deepcopy(model).to(device=device, dtype=dtype).eval()


@dataclass(frozen=True, slots=True)
class Cores:
    """How the processor's cores are shared between decoding and encoding.

    Attributes:
        decoders: threads that decode.
        encoders: batches that are encoded side by side.
        threads: torch threads per batch, 0 to leave torch alone.
        all_threads: torch threads for a batch that runs alone.
    """

    decoders: int
    encoders: int
    threads: int
    all_threads: int

    @classmethod
    def share(cls, model: CenterCLIP, decoders: int | None = None) -> Self:
        """Share this machine's cores for a model.

        On a CPU a batch runs on one core (on a few where there are more than eight): the threads of a batch
        that runs on all cores wait for each other after every operation, and for decoding in between.

        Args:
            model: on its device.
            decoders: by default half the cores for a model on the CPU, or all up to 16 for a GPU.
        """
        cores = available_cores()
        if model.device.type != "cpu":
            return cls(decoders or min(16, cores), 1, 0, 0)
        decoders = decoders or max(1, cores // 2)
        if isinstance(model.tower, OpenVINOTower):  # has threads of its own
            return cls(decoders, 1, 0, 0)
        threads = torch.get_num_threads()
        own = -(-threads // _SIDE_BY_SIDE)
        return cls(decoders, threads // own, own, threads)

    def enter(self, *, alone: bool) -> None:
        """Give the calling thread its share of torch's threads, or all of them if nothing else runs."""
        if self.threads:
            _use_threads(self.all_threads if alone else self.threads, others=self.all_threads)


def _use_threads(count: int, *, others: int) -> None:
    """Let torch compute with `count` threads in the calling thread, and with `others` in later ones.

    `torch.set_num_threads` alone would also set what threads take that compute for the first time.
    """
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
        rest = Thread(target=torch.set_num_threads, args=(others,))
        rest.start()
        rest.join()
