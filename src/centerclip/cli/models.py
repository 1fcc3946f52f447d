"""`centerclip models`: what the known models are, what they cost, and which are on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from centerclip.cli import options
from centerclip.cli.costs import Measured, kept_costs
from centerclip.cli.hardware import may_have_gpu
from centerclip.cli.options import argument, option
from centerclip.cli.output import on_terminal, write_json, write_tabs
from centerclip.errors import ModelError
from centerclip.model.registry import (
    FRAMES,
    GEOMETRY,
    MULTILINGUAL_MODEL,
    KnownModel,
    default_model,
    find_known,
    presets,
)
from centerclip.model.registry import models as known_models

__all__ = ["Listed", "models"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A known model, whether it is on this machine, and what was measured here."""

    model: KnownModel
    local: bool
    measured: Measured | None

    def seconds(self, preset: str) -> float | None:
        """Measured seconds per window."""
        cost = self.measured and self.measured.costs.get(preset)
        return cost.seconds if cost else None

    def record(self) -> dict[str, Any]:
        """Everything, for `--json`."""
        model = self.model
        costs = {
            preset: {
                "schedule": str(model.schedule(preset)),
                "multiply_adds": model.multiply_adds(preset),
                "seconds_per_window": (seconds := self.seconds(preset)),
                "windows_per_minute": seconds and 60 / seconds,
            }
            for preset in presets()
        }
        return asdict(model) | {
            "local": self.local,
            "default": model.name == default_model(gpu=may_have_gpu()),
            "multilingual": model.name == MULTILINGUAL_MODEL,
            "frames_per_window": FRAMES,
            "costs": costs,
            "measured": self.measured and asdict(self.measured),
        }


def models(
    names: Annotated[list[str] | None, argument("[NAME]")] = None,
    measure: Annotated[bool, option("Measure the time per window on this machine.", "--measure")] = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    json: options.Json = False,
) -> None:
    """List known models: what is published about them, and what they cost on this machine.

    With a name, or the part of it after the slash, everything about that model is shown, with sources. You
    can also use any other CLIP, SigLIP or PE-Core by its name on the hub, or by the path
    of its folder.

    Recall is the published share of queries whose video came first (R@1, text to video, MSR-VTT 1k-A),
    without training on that data set and without token reduction. A cost is that of encoding a window of 12
    frames, without decoding. --measure measures the named models, or those on this machine, and the results
    are shown from then on. Weights are random, so nothing is downloaded.

    Piped output has one model per line, tab-separated: name, license, languages, bytes to download, millions
    of parameters, recall in percent, whether it is on this machine (yes or no), what it is good for; then for
    each of fast, balanced, best and none: multiply-adds, and measured seconds per window. With names, one
    fact per line: model, fact, value, source.

    \b
    Examples:
      centerclip models PE-Core-B-16
      centerclip models --measure
      centerclip models PE-Core-S-16-384 clip-vit-base-patch32 --measure
    """
    from centerclip.model.hub import is_local

    chosen = [_find(name) for name in names or ()] or list(known_models())
    local = {model.name: is_local(model.name) for model in chosen}
    if measure:
        from centerclip.cli.measuring import measure_models

        measure_models([model for model in chosen if names or local[model.name]], device, precision)
    listed = [Listed(model, local[model.name], kept_costs(model)) for model in chosen]
    if json:
        write_json(*(one.record() for one in listed))
    elif on_terminal():
        from centerclip.cli.model_tables import show_list, show_sheet

        if names:
            for one in listed:
                show_sheet(one)
        else:
            show_list(listed)
    elif names:
        for one in listed:
            write_tabs(*((one.model.name, *fact) for fact in _facts(one)))
    else:
        write_tabs(*map(_row, listed))


def _find(name: str) -> KnownModel:
    """The known model with a name, or with this part of it after the slash.

    Raises:
        ModelError: there is none, or several.
    """
    if known := find_known(name):
        return known
    found = [
        model
        for model in known_models()
        if name.lower() in (text.rpartition("/")[2].lower() for text in (model.name, *model.aliases))
    ]
    if len(found) == 1:
        return found[0]
    raise ModelError(
        f"{name!r} is none of the known models: centerclip models lists them. Others work too, with --model, "
        "but nothing is known about them"
    )


def _row(one: Listed) -> Sequence[object]:
    model = one.model
    costs = ((model.multiply_adds(preset), _number(one.seconds(preset))) for preset in presets())
    return (
        model.name,
        model.license,
        ",".join(model.languages),
        model.download_bytes,
        f"{model.parameters / 1e6:.1f}",
        "" if model.recall is None else model.recall,
        "yes" if one.local else "no",
        model.about,
        *(value for cost in costs for value in cost),
    )


def _facts(one: Listed) -> list[tuple[object, object, object]]:
    """Names, values and sources of everything that `record` holds."""
    record = one.record()
    costs, measured, sources = (record.pop(name) for name in ("costs", "measured", "sources"))
    known = {*GEOMETRY, *sources}
    rows: list[tuple[object, object, object]] = []
    for name, value in record.items():
        text = ",".join(value) if isinstance(value, tuple) else "" if value is None else value
        rows.append((name, text, sources["geometry" if name in GEOMETRY else name] if name in known else ""))
    for preset, cost in costs.items():
        place = f"measured {measured['date']} on {measured['device']}" if measured else ""
        rows.append((f"schedule.{preset}", cost["schedule"], ""))
        rows.append((f"multiply_adds.{preset}", cost["multiply_adds"], "computed"))
        rows.append((f"seconds_per_window.{preset}", _number(cost["seconds_per_window"]), place))
    return rows


def _number(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.4g}"
