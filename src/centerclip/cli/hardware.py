"""What `auto` selects on this machine, without torch where that can be known."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["device_and_precision", "may_have_gpu", "uses_gpu"]

_GPUS = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")
"""Device files of NVIDIA's drivers (also on Jetson), AMD's drivers, and the Windows Subsystem for Linux."""


def may_have_gpu() -> bool:
    """Whether this machine may have a GPU: false only if its drivers' device files are missing."""
    return sys.platform != "linux" or any(any(Path("/dev").glob(name)) for name in _GPUS)


def uses_gpu(device: str = "auto") -> bool:
    """Whether a model runs on a GPU. Asks torch, whose import takes 2 s, only if there may be one.

    Args:
        device: as the user gave it. One that can't be used is reported later, when the model is moved there.
    """
    if device != "auto":
        return not device.startswith("cpu")
    if not may_have_gpu():
        return False
    from centerclip.embedding.device import choose_device

    return choose_device("auto").type != "cpu"


def device_and_precision() -> tuple[str, str]:
    """The device and precision that `auto` selects.

    Without a GPU, Linux on x86 lists the processor's features; importing torch would take 2 s.
    """
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    features = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    if features and not may_have_gpu():
        return "cpu", "bfloat16" if features & {"avx512_bf16", "amx_bf16"} else "float32"
    from centerclip.embedding.device import choose_device, choose_dtype

    device = choose_device("auto")
    return str(device), str(choose_dtype("auto", device)).removeprefix("torch.")
