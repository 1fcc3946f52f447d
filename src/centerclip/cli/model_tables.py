"""The list of models, and one model's sheet, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from centerclip.cli.formats import size
from centerclip.cli.models import Listed
from centerclip.cli.output import note, stdout, table
from centerclip.model.registry import CPU_MODEL, FRAMES, GPU_MODEL, MULTILINGUAL_MODEL, presets

__all__ = ["show_list", "show_sheet"]

_GAP = 2
_MAIN = "balanced"
"""The preset whose columns matter most."""
_PER_MINUTE = "per min"
_LANGUAGES = {"many": "many", "en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    cells: Sequence[str]
    right: bool = True

    @property
    def width(self) -> int:
        return max(map(len, (self.heading, *self.cells)))


def show_list(listed: Sequence[Listed]) -> None:
    """Print a table with as many columns as fit, and notes that explain them."""

    def column(heading: str, cell: Callable[[Listed], str], *, right: bool = True) -> _Column:
        return _Column(heading, [cell(one) for one in listed], right)

    always = [
        column("model", lambda one: one.model.name, right=False),
        column("size", lambda one: "here" if one.local else size(one.model.download_bytes)),
        column("license", lambda one: one.model.license, right=False),
        column("R@1", lambda one: "" if one.model.recall is None else f"{one.model.recall:.1f}"),
    ]
    names = presets()
    speeds = {
        preset: column(_PER_MINUTE if preset == _MAIN else f"{preset}/min", partial(_speed, preset=preset))
        for preset in names
    }
    costs = {preset: column(preset, partial(_cost, preset=preset)) for preset in names}
    languages = column("lang", lambda one: ",".join(one.model.languages), right=False)
    about = column("good for", lambda one: one.model.about, right=False)
    measured = any(one.measured for one in listed)
    presets_left = [name for name in names if name not in (_MAIN, "none")]
    by_importance = [
        languages,
        *([speeds[_MAIN]] if measured else []),
        *(costs[name] for name in (_MAIN, *presets_left)),
        about,
        *([speeds[name] for name in presets_left] if measured else []),
        costs["none"],
    ]
    shown = _fitting(always, by_importance, stdout().width)
    order = [*always[:3], languages, always[3], *costs.values(), *speeds.values(), about]
    columns = [one for one in order if one in shown]
    rows = table(*(one.heading for one in columns), right=[one.heading for one in columns if one.right])
    for place in range(len(listed)):
        rows.add_row(*(one.cells[place] for one in columns))
    stdout().print(rows)
    for text in _explain([one.heading for one in columns]):
        note(text, style="dim")


def _fitting(always: Sequence[_Column], more: Sequence[_Column], width: int) -> list[_Column]:
    """Take columns in their order of importance while they fit."""
    taken = list(always)
    room = width - sum(one.width + _GAP for one in always) + _GAP
    for one in more:
        if one.width + _GAP <= room:
            taken.append(one)
            room -= one.width + _GAP
    return taken


def _explain(shown: Sequence[str]) -> Iterator[str]:
    yield "R@1: published recall (text to video, MSR-VTT 1k-A), without training on it or token reduction."
    counts = [name for name in presets() if name in shown]
    if counts:
        yield f"{', '.join(counts)}: billions of multiply-adds per window of {FRAMES} frames."
    if _PER_MINUTE in shown:
        yield f"per min: windows per minute on this machine, measured with the preset {_MAIN}."
    yield (
        f"Default: {GPU_MODEL} on a GPU, {CPU_MODEL} on a CPU. For queries in other languages: "
        f"{MULTILINGUAL_MODEL}."
    )
    yield "More, with sources: centerclip models NAME. Time on this machine: centerclip models --measure."
    yield "You can use any other CLIP, SigLIP or PE-Core on the hub by its name."


def show_sheet(one: Listed) -> None:
    """Print everything about a model, with sources."""
    from rich.table import Table
    from rich.text import Text

    model, console = one.model, stdout()
    console.print(Text.assemble((model.name, "bold"), f"  {model.about}"), soft_wrap=True)
    download = "nothing: it is bundled" if not model.download_bytes else size(model.download_bytes)
    recall = "not published" if model.recall is None else f"{model.recall} %"
    geometry = (
        f"{model.blocks} blocks, {model.width} wide, {model.patches} patches of {model.image_size} pixels"
    )
    facts = (
        ("on the hub", ", ".join((model.name, *model.aliases)), "name"),
        ("here", "yes" if one.local else "no", ""),
        ("license", model.license, "license"),
        ("languages", _languages(model.languages), "languages"),
        ("R@1", recall, "recall"),
        ("download", download, "download_bytes"),
        ("parameters", f"{model.parameters / 1e6:,.1f} million", "parameters"),
        ("sentences", f"up to {model.context_length} tokens", "context_length"),
        ("vision", geometry, "geometry"),
    )
    sources = list(dict.fromkeys(model.sources[name] for *_, name in facts if name in model.sources))
    sheet = Table.grid(padding=(0, 2, 0, 0))
    sheet.add_column(style="dim", no_wrap=True)
    sheet.add_column(overflow="fold")
    for fact, value, name in facts:
        source = model.sources.get(name)
        mark = f" [{sources.index(source) + 1}]" if source else ""
        sheet.add_row(fact, Text.assemble(value, (mark, "dim")))
    console.print(sheet)
    costs = table("preset", "schedule", "multiply-adds", "s/window", "windows/min", right=_RIGHT)
    for preset in presets():
        seconds = one.seconds(preset)
        costs.add_row(
            preset,
            str(model.schedule(preset)),
            f"{_billions(model.multiply_adds(preset))} G",
            "" if seconds is None else f"{seconds:.3g}",
            _per_minute(seconds),
        )
    console.print()
    console.print(costs)
    if one.measured:
        about = one.measured
        note(f"Measured {about.date} on {about.device}, {about.precision}, without decoding.", style="dim")
    else:
        note("Not measured on this machine yet: add --measure.", style="dim")
    console.print()
    for number, source in enumerate(sources, start=1):
        console.print(Text(f"[{number}] {source}", style="dim"), soft_wrap=True)


_RIGHT = ("multiply-adds", "s/window", "windows/min")


def _languages(codes: Sequence[str]) -> str:
    return ", ".join(_LANGUAGES.get(code, code) for code in codes)


def _speed(one: Listed, *, preset: str) -> str:
    return _per_minute(one.seconds(preset))


def _cost(one: Listed, *, preset: str) -> str:
    return _billions(one.model.multiply_adds(preset))


def _billions(count: int) -> str:
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.1f}"


def _per_minute(seconds: float | None) -> str:
    if seconds is None:
        return ""
    rate = 60 / seconds
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
