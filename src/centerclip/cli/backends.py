"""`--backend auto` and `--precision auto`: what encodes with the least processor time here, compared once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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
    "LEAST_COSINE",
    "Compared",
    "candidates",
    "cheapest",
    "choose_backend",
    "described",
    "keep",
    "kept",
    "pays_from",
]

AUTO = "auto"
_INT8 = "int8"
LEAST_COSINE = 0.999
"""What has embeddings with a lower cosine than this with those of torch in float32 isn't chosen."""
_INT8_SHARE = 0.8
"""int8 is chosen if it takes at most this share of the time of floats, because it rounds most."""
_FEWEST = 300
"""With fewer windows, about an hour of footage, the start takes longer than the windows save."""
_FORMAT = 2
_PACKAGES = ("torch", "openvino")
_FOREVER = 10**12


@dataclass(frozen=True, slots=True)
class Compared:
    """What encoding takes on this machine for one model.

    Attributes:
        date: of the comparison, such as 2026-05-31.
        device: the processor's name.
        costs: one per backend and precision; torch in the precision that was asked for is the first.
    """

    date: str
    device: str
    costs: tuple[BackendCost, ...]


def choose_backend(
    model: CenterCLIP, precision: str, windows: int, *, may_round: bool = False
) -> tuple[str, str]:
    """Choose how to encode a number of windows with the least processor time on a CPU.

    For few windows, that is torch in the precision asked for. Otherwise the candidates are compared once per
    model, precision and machine.

    Args:
        model: in float32, on the CPU.
        precision: as `centerclip.embedding.device.prepare` accepts it.
        windows: about how many will be encoded.
        may_round: whether `auto` may become int8, which binds an index.

    Returns:
        Backend and precision.
    """
    if windows < _FEWEST or not candidates(precision, may_round=may_round)[1:]:
        return "torch", precision
    known = kept(model.fingerprint(), precision) or _compare(model, precision, windows)
    if known is None:
        return "torch", precision
    best = cheapest(known.costs, windows, may_round=may_round)
    return best.backend, _INT8 if best.precision == _INT8 else precision


def candidates(precision: str, *, may_round: bool) -> list[tuple[str, str]]:
    """Return the backends, with precisions, that can be chosen; torch in the precision asked for is first."""
    backends = [name for name, installed in _versions().items() if installed]
    precisions = (precision, _INT8) if precision == AUTO and may_round else (precision,)
    return [(backend, each) for each in precisions for backend in backends]


def _compare(model: CenterCLIP, precision: str, windows: int) -> Compared | None:
    """Compare everything that may be asked of a model in a precision; None for too few windows."""
    from centerclip.cli.progress import waiting
    from centerclip.embedding.backends import compare_backends

    with waiting("Comparing ways to encode"):
        costs = compare_backends(model, candidates(precision, may_round=True), windows)
    if costs is None:
        return None
    for cost in costs:
        if cost.failure:
            note(cost.failure.replace(": give torch", ", so torch is used"), style="yellow")
    compared = Compared(date.today().isoformat(), processor_name(), costs)
    try:
        keep(model.fingerprint(), precision, compared)
    except OSError as error:
        note(f"The comparison of the backends can't be kept: {error}", style="yellow")
    return compared


def cheapest(costs: Sequence[BackendCost], windows: int, *, may_round: bool) -> BackendCost:
    """Return what takes the least processor time, start included, among torch and what is exact enough.

    Args:
        costs: the first is torch in the precision asked for.
        windows: how many will be encoded.
        may_round: whether int8 may be chosen where floats were asked for. It has to save a fifth.
    """

    def seconds(cost: BackendCost) -> float:
        return cost.start_seconds + windows * cost.processor_seconds

    usable = [costs[0], *filter(_is_exact, costs[1:])]
    best = min((cost for cost in usable if _is_like(cost, costs[0])), key=seconds)
    rounded = min((cost for cost in usable if not _is_like(cost, costs[0])), key=seconds, default=None)
    if may_round and rounded is not None and seconds(rounded) <= _INT8_SHARE * seconds(best):
        return rounded
    return best


def pays_from(costs: Sequence[BackendCost], *, may_round: bool) -> int | None:
    """The number of windows from which something else than torch is chosen; None if nothing ever is."""
    if cheapest(costs, _FOREVER, may_round=may_round) is costs[0]:
        return None
    fewest, most = _FEWEST, _FOREVER
    while fewest < most:
        middle = (fewest + most) // 2
        if cheapest(costs, middle, may_round=may_round) is costs[0]:
            fewest = middle + 1
        else:
            most = middle
    return fewest


def described(compared: Compared, *, may_round: bool = False) -> str:
    """Say in a line what is chosen for a large run, and why."""
    torch, *others = compared.costs
    others = [cost for cost in others if may_round or _is_like(cost, torch)]
    said = f"compared {compared.date}"
    if not others:
        return f"torch; {said}"
    if all(cost.failure for cost in others):
        return f"torch, because {_named(others[0], torch)} can't run this model; {said}"
    windows = pays_from(compared.costs, may_round=may_round)
    best = cheapest(compared.costs, _FOREVER, may_round=may_round)
    if windows is None:
        best = min((cost for cost in others if not cost.failure), key=lambda cost: cost.processor_seconds)
    share = best.processor_seconds / torch.processor_seconds
    figures = f"{share:.2f} of torch's processor time, cosine {best.cosine:.4f}, {said}"
    if windows is None:
        return f"torch; {_named(best, torch)}{'' if _is_exact(best) else ', not exact enough'}: {figures}"
    return f"{_named(best, torch)} from {windows:,} windows on: {figures}"


def _named(cost: BackendCost, first: BackendCost) -> str:
    return cost.backend if _is_like(cost, first) else f"{cost.backend} in {cost.precision}"


def _is_like(cost: BackendCost, other: BackendCost) -> bool:
    """Whether both are int8, or both are floats."""
    return (cost.precision == _INT8) == (other.precision == _INT8)


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

    None if nothing was, or if the file is damaged: then the backends can be compared again. What was found
    for `auto` includes int8.
    """
    found = _read(fingerprint, precision)
    if found is None and precision == _INT8 and (every := _read(fingerprint, AUTO)):
        costs = tuple(cost for cost in every.costs if cost.precision == _INT8)
        if costs and costs[0].backend == "torch" and not costs[0].failure:
            return replace(every, costs=costs)
    return found


def _read(fingerprint: str, precision: str) -> Compared | None:
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
