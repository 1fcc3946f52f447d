"""`--backend auto`: the backend that takes the least processor time here, compared once and remembered."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from centerclip.atomic import make_folder, write_atomically
from centerclip.cli.costs import machine_folder, processor_name
from centerclip.cli.output import note
from centerclip.records import BackendCost

if TYPE_CHECKING:
    from centerclip.model import CenterCLIP

__all__ = [
    "AUTO",
    "Compared",
    "cheapest",
    "choose_backend",
    "described",
    "has_choice",
    "keep",
    "kept",
    "pays_from",
]

AUTO = "auto"
LEAST_COSINE = 0.999
"""A backend whose embeddings have a lower cosine than this with those of torch in float32 isn't chosen."""
_FEWEST = 300
"""With fewer windows, about an hour of footage, translating a model takes longer than OpenVINO saves."""
_FORMAT = 1
_PACKAGES = ("torch", "openvino")


@dataclass(frozen=True, slots=True)
class Compared:
    """What the backends took on this machine for one model.

    Attributes:
        date: of the comparison, such as 2026-05-31.
        device: the processor's name.
        costs: one per backend, torch first.
    """

    date: str
    device: str
    costs: tuple[BackendCost, ...]


def choose_backend(model: CenterCLIP, precision: str, windows: int) -> tuple[CenterCLIP, str]:
    """Choose the backend that encodes a number of windows with the least processor time, on a CPU.

    Without OpenVINO, or for few windows, that is torch. Otherwise the backends are compared once per model,
    precision and machine. The precision isn't changed.

    Args:
        model: in float32, on the CPU.
        precision: as `centerclip.embedding.device.prepare` accepts it.
        windows: about how many will be encoded.

    Returns:
        The model, possibly ready for the backend already, and the backend.
    """
    if windows < _FEWEST or not has_choice():
        return model, "torch"
    known = kept(model.fingerprint(), precision)
    if known is not None:
        return model, cheapest(known.costs, windows).backend

    from centerclip.cli.progress import waiting
    from centerclip.embedding.backends import compare_backends

    with waiting("Comparing torch and OpenVINO"):
        found = compare_backends(model, precision, windows)
    if found is None:
        return model, "torch"
    for cost in found.costs:
        if cost.failure:
            note(cost.failure.replace(": give torch", ", so torch is used"), style="yellow")
    try:
        compared = Compared(date.today().isoformat(), processor_name(), found.costs)
        keep(model.fingerprint(), precision, compared)
    except OSError as error:
        note(f"The comparison of the backends can't be kept: {error}", style="yellow")
    backend = cheapest(found.costs, windows).backend
    return found.models[backend], backend


def has_choice() -> bool:
    """Whether there is more than one backend."""
    return None not in _versions().values()


def cheapest(costs: Sequence[BackendCost], windows: int) -> BackendCost:
    """The backend that takes the least processor time, start included, among torch and those exact enough."""
    usable = [cost for cost in costs if cost.backend == "torch" or _is_exact(cost)]
    return min(usable, key=lambda cost: cost.start_seconds + windows * cost.processor_seconds)


def pays_from(costs: Sequence[BackendCost]) -> int | None:
    """The number of windows from which OpenVINO is chosen; None if it never is."""
    torch, other = costs[0], next((cost for cost in costs[1:] if _is_exact(cost)), None)
    if other is None or other.processor_seconds >= torch.processor_seconds:
        return None
    later = max(0.0, other.start_seconds - torch.start_seconds)
    return max(_FEWEST, int(later / (torch.processor_seconds - other.processor_seconds)) + 1)


def described(compared: Compared) -> str:
    """Say in a line which backend is chosen and why."""
    torch, *others = compared.costs
    said = f"compared {compared.date}"
    if not others or others[0].failure:
        return f"torch, because OpenVINO can't run this model; {said}"
    other, windows = others[0], pays_from(compared.costs)
    share = other.processor_seconds / torch.processor_seconds
    figures = f"{share:.2f} of torch's processor time, cosine {other.cosine:.4f}, {said}"
    if windows is None:
        return f"torch; openvino{'' if _is_exact(other) else ', not exact enough'}: {figures}"
    return f"openvino from {windows:,} windows on: {figures}"


def _is_exact(cost: BackendCost) -> bool:
    return not cost.failure and cost.cosine >= LEAST_COSINE


def keep(fingerprint: str, precision: str, compared: Compared) -> None:
    """Replace what is known of a model on this machine.

    Raises:
        OSError: the file can't be written.
    """
    path = _path(fingerprint, precision)
    make_folder(path.parent)
    record = {**_about(fingerprint, precision), **asdict(compared)}
    write_atomically(path, json.dumps(record, indent=1) + "\n")


def kept(fingerprint: str, precision: str) -> Compared | None:
    """What was found on this machine with the installed versions.

    None if nothing was, or if the file is damaged: then the backends can be compared again.
    """
    about = _about(fingerprint, precision)
    try:
        record = json.loads(_path(fingerprint, precision).read_text(encoding="utf-8"))
        if {name: record[name] for name in about} != about:
            return None
        costs = tuple(_cost(values) for values in record["costs"])
        if not costs or costs[0].backend != "torch":
            return None
        return Compared(str(record["date"]), str(record["device"]), costs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _cost(values: dict[str, Any]) -> BackendCost:
    names = ("processor_seconds", "start_seconds", "cosine")
    seconds, start, cosine = (float(values[name]) for name in names)
    failure = str(values["failure"])
    if not failure and not (0 < seconds < float("inf") and 0 <= start < float("inf") and -2 < cosine < 2):
        raise ValueError(f"{values} isn't a cost")
    return BackendCost(str(values["backend"]), str(values["precision"]), seconds, start, cosine, failure)


def _about(fingerprint: str, precision: str) -> dict[str, Any]:
    """What a comparison depends on; the folder's name stands for the machine."""
    return {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "asked": precision,
        "versions": _versions(),
        "python": sys.implementation.cache_tag,
    }


def _versions() -> dict[str, str | None]:
    """The versions of the backends; None for one that isn't installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _path(fingerprint: str, precision: str) -> Path:
    # An index, which may come from somebody else, states its fingerprint.
    name = "".join(letter for letter in f"{fingerprint}-{precision}" if letter.isalnum() or letter == "-")
    return machine_folder("backends") / f"{name}.json"
