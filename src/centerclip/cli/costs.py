"""Measured costs of known models, kept per machine and model in the user's cache folder."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from centerclip.atomic import make_folder, write_atomically
from centerclip.cores import available_cores
from centerclip.model.registry import FRAMES, KnownModel
from centerclip.records import WindowCost

if TYPE_CHECKING:
    import torch

__all__ = ["Measured", "keep_costs", "kept_costs", "machine_folder", "machine_name", "processor_name"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model took on this machine.

    Attributes:
        date: of the measurement, such as 2026-05-31.
        device: name of the processor or GPU.
        precision: of the weights.
        costs: per preset.
    """

    date: str
    device: str
    precision: str
    costs: dict[str, WindowCost]


def keep_costs(model: KnownModel, measured: Measured) -> None:
    """Replace what is known of a model on this machine.

    Raises:
        OSError: the file can't be written.
    """
    path = _path(model)
    make_folder(path.parent)
    record = {"format": _FORMAT, "model": model.name, "frames": FRAMES, **asdict(measured)}
    write_atomically(path, json.dumps(record, indent=1) + "\n")


def kept_costs(model: KnownModel) -> Measured | None:
    """What was measured on this machine, for presets that still mean the same schedule.

    None if nothing was, or if the file is damaged: then it can be measured again.
    """
    try:
        record = json.loads(_path(model).read_text(encoding="utf-8"))
        if (record["format"], record["model"], record["frames"]) != (_FORMAT, model.name, FRAMES):
            return None
        about = {name: str(record[name]) for name in ("date", "device", "precision")}
        costs = {str(name): _cost(values) for name, values in record["costs"].items()}
        current = {name: cost for name, cost in costs.items() if cost.schedule == str(model.schedule(name))}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return Measured(**about, costs=current) if current else None


def _cost(values: dict[str, str | float]) -> WindowCost:
    seconds, processor_seconds = float(values["seconds"]), float(values["processor_seconds"])
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{seconds} seconds per window")
    return WindowCost(str(values["schedule"]), seconds, processor_seconds, int(values["rounds"]))


def _path(model: KnownModel) -> Path:
    return machine_folder("costs") / f"{model.name.replace('/', '--')}.json"


def machine_folder(what: str) -> Path:
    """The folder in the user's cache for what was measured on this machine."""
    return platformdirs.user_cache_path("centerclip", appauthor=False) / what / _machine()


@cache
def _machine() -> str:
    """The name of this machine's folder. Hosts' names repeat, so it also depends on the processor."""
    host = re.sub(r"[^\w.-]+", "-", platform.node())[:60] or "machine"
    about = "\n".join((platform.node(), processor_name(), str(available_cores())))
    return f"{host}-{blake2b(about.encode(errors='replace'), digest_size=4).hexdigest()}"


def machine_name(device: torch.device) -> str:
    """The name of a GPU, or else of the processor."""
    if device.type != "cuda":
        return processor_name()
    import torch  # slow to import

    return torch.cuda.get_device_name(device)


def processor_name() -> str:
    """The processor's name, as far as the system tells."""
    about = Path("/proc/cpuinfo")
    text = about.read_text(encoding="utf-8", errors="replace") if about.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return named[1].strip() if named else platform.processor() or platform.machine()
