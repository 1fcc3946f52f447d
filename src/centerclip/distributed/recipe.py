"""What a node needs to encode as the driver does: the weights, the settings and the versions of packages."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import centerclip
from centerclip.records import Sampling

if TYPE_CHECKING:  # a node's first answer doesn't wait for torch
    from centerclip.embedding import VideoEncoder
    from centerclip.model import CenterCLIP

__all__ = ["Recipe", "differences", "node_name", "versions_of"]

_PACKAGES = ("av", "numpy", "torch", "transformers")
"""Packages that decide what a file's embeddings are, to the last bit."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An encoder as it is sent to nodes.

    The weights are sent as well, because a folder of the driver's isn't on every node, and what has a name on
    the hub may have changed.

    Attributes:
        model: on the CPU, without what only the driver can run.
        precision: never `auto`, which nodes could resolve in another way.
        threads: torch threads per batch on a CPU; 0 on a GPU.
    """

    model: CenterCLIP
    device: str
    precision: str
    backend: str
    window_seconds: float
    sampling: Sampling
    name: str
    decoders: int
    batch_size: int | None
    threads: int
    fingerprint: str

    @classmethod
    def of(cls, encoder: VideoEncoder, workers: int | None = None) -> Recipe:
        """Describe an encoder, for tasks that decode with `workers` threads; by default one per core."""
        from centerclip.embedding.device import precision_of

        model = copy.copy(encoder.model)
        model.tower = None  # int8 and OpenVINO make theirs from the weights again
        on_cpu = model.device.type == "cpu"
        if not on_cpu:
            model = copy.deepcopy(model).cpu()
        threads = max(1, encoder.cores.threads) if on_cpu else 0
        return cls(
            model=model,
            device=encoder.device.type,
            precision=precision_of(encoder.model),
            backend=encoder.backend,
            window_seconds=encoder.window_seconds,
            sampling=encoder.sampling,
            name=encoder.name,
            decoders=workers or threads or encoder.cores.decoders,
            batch_size=encoder.batch_size,
            threads=threads,
            fingerprint=encoder.fingerprint,
        )

    @property
    def needs(self) -> dict[str, float]:
        """What a task asks Ray for: a core per thread of a batch, or a GPU and a core per decoding thread.

        A node so runs as many tasks as it has cores, each of which encodes a batch at a time, as the driver
        does. The threads of a batch are the driver's, since their number may change the last bits.
        """
        return {"CPU": self.threads} if self.threads else {"CPU": self.decoders, "GPU": 1}

    def encoder(self) -> VideoEncoder:
        """Make the encoder again.

        Raises:
            ConfigError: this machine lacks the device or the backend.
        """
        import torch

        from centerclip.embedding import VideoEncoder
        from centerclip.embedding.device import Cores

        if self.threads:
            torch.set_num_threads(self.threads)
        made = VideoEncoder(
            self.model,
            device=self.device,
            precision=self.precision,
            backend=self.backend,
            window_seconds=self.window_seconds,
            workers=self.decoders,
            batch_size=self.batch_size,
            name=self.name,
            sampling=self.sampling,
        )
        if self.threads:
            made.cores = Cores(self.decoders, 1, self.threads, self.threads)
        if made.fingerprint != self.fingerprint:
            raise RuntimeError(f"{node_name()} received other weights than were sent")
        return made


def versions_of(backend: str) -> dict[str, str]:
    """Return the versions of what takes part in encoding; "none" for a package that isn't installed."""
    packages = (*_PACKAGES, "openvino") if backend == "openvino" else _PACKAGES
    return {"centerclip": centerclip.__version__, **{name: _version(name) for name in packages}}


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Say in which versions a node differs from the driver; "" if in none."""
    return ", ".join(
        f"{name} {found.get(name, 'none')} instead of {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    )


def node_name() -> str:
    """Return this machine's name, and its process for those who look into Ray's logs."""
    return f"{platform.node()} (process {os.getpid()})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
