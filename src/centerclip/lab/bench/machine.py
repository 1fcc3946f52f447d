"""The machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from centerclip.cores import available_cores

__all__ = ["Machine", "Stolen", "this_machine"]

_ABILITIES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Processor features that determine speed here."""
_PACKAGES = ("centerclip", "torch", "transformers", "av", "lancedb", "numpy")


@dataclass(frozen=True, slots=True)
class Machine:
    """Attributes:
    cores: available to this process.
    abilities: processor features that determine speed.
    bfloat16: whether the processor has instructions for it.
    gpu: its name, or None.
    load: average number of running programs in the minute before.
    system: kernel and Python.
    versions: of the main packages.
    """

    processor: str
    cores: int
    abilities: tuple[str, ...]
    bfloat16: bool
    memory_bytes: int
    gpu: str | None
    load: float
    system: str
    versions: Mapping[str, str]

    def __str__(self) -> str:
        parts = [
            f"{self.processor}, {self.cores} cores ({', '.join(self.abilities) or 'no vector instructions'}; "
            f"{'' if self.bfloat16 else 'no '}bfloat16)",
            f"{self.memory_bytes / 1e9:.0f} GB",
            self.gpu or "no GPU",
            f"load {self.load:g} before",
            self.system,
            ", ".join(f"{name} {number}" for name, number in self.versions.items()),
        ]
        return "; ".join(parts)


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    about = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", about, re.M)
    flags = re.search(r"^flags\s*:\s*(.+)$", about, re.M)
    known = set(flags[1].split()) if flags else set()
    return Machine(
        processor=name[1].strip() if name else platform.processor() or platform.machine(),
        cores=available_cores(),
        abilities=tuple(ability for ability in _ABILITIES if ability in known),
        bfloat16=bool(known & {"avx512_bf16", "amx_bf16"}),
        memory_bytes=_memory_bytes(),
        load=round(os.getloadavg()[0], 2),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        versions={package: version(package) for package in _PACKAGES},
    )


class Stolen:
    """How much CPU time the host gave to others since this object was created.

    A virtual machine's cores may be shared. Work that keeps all of them busy may then take twice as long from
    one minute to the next, and nothing else shows why.
    """

    def __init__(self) -> None:
        self._began = _processor_ticks()

    @property
    def share(self) -> float | None:
        """Fraction of the busy time, 0 to 1; None where the system doesn't report it."""
        if self._began is None or (now := _processor_ticks()) is None:
            return None
        busy, stolen = (after - before for after, before in zip(now, self._began, strict=True))
        return stolen / busy if busy else 0.0


def _processor_ticks() -> tuple[int, int] | None:
    """Busy time of all processors since the system started, and the stolen part of it; Linux only."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, irq, soft_irq, stolen, *_ = map(int, first.split()[1:])
    return user + nice + system + irq + soft_irq + stolen, stolen


def _memory_bytes() -> int:
    """The machine's memory; 0 on Windows, which doesn't tell it in this way."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
