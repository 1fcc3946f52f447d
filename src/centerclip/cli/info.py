"""`centerclip info`: the contents of an index and this installation."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from centerclip.cli import options
from centerclip.cli.backends import Compared, described, kept, pays_from
from centerclip.cli.formats import count, duration, short_path, size, visible
from centerclip.cli.hardware import device_and_precision
from centerclip.cli.output import note, on_terminal, stdout, write_json, write_tabs
from centerclip.cores import available_cores

if TYPE_CHECKING:
    from centerclip.index import Stats

__all__ = ["info"]

_Failures: TypeAlias = Sequence[tuple[str, str]]
"""Paths and reasons."""

_PACKAGES = ("centerclip", "torch", "transformers", "av", "lancedb", "pyarrow", "numpy")


def info(
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    json: options.Json = False,
) -> None:
    """Show the contents of the index, and versions and hardware.

    Piped output has one fact per line, tab-separated: name and value. For a file that can't be indexed:
    the word "failed", path and reason.
    """
    from importlib.metadata import version  # which takes 0.03 s that other commands don't need

    from centerclip.index import summarize

    # An index that was named must exist; the default one may not have been created yet.
    location = options.index_location(index)
    summary = summarize(location, create=index is None, storage_options=options.storage_options(storage))
    stats, failures = (summary.stats, summary.failures) if summary else (None, ())
    device, precision = device_and_precision()
    compared = kept(stats.model.fingerprint, _asked(stats)) if stats else None
    machine = {
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "precision": precision,
        "cores": available_cores(),
    }
    if compared and not json:
        machine["backend"] = described(compared)
    if json:
        files = [{"path": path, "reason": reason} for path, reason in failures]
        record = asdict(compared) | {"pays_from_windows": _pays_from(compared)} if compared else None
        held = asdict(stats) | {"failed_files": files} if stats else None
        write_json({"index": held, "backends": record, **machine})
    elif on_terminal():
        _show(stats, failures, machine)
    else:
        _write_facts(stats, failures, machine)
    if stats is None:
        note(f"There is no index at {short_path(location)} yet. To create one: centerclip index PATH")


def _pays_from(compared: Compared) -> int | None:
    """The number of windows from which `index` doesn't add with torch."""
    return pays_from(compared.costs, may_round=False)


def _asked(stats: Stats) -> str:
    """The precision in which `index` adds to an index by default."""
    return "int8" if stats.model.precision == "int8" else "auto"


def _index_rows(stats: Stats) -> list[tuple[str, str]]:
    model = stats.model
    held = (
        f"{count(stats.videos, 'video')}, {duration(stats.footage_seconds)} of footage, "
        f"{count(stats.windows, 'window')}"
    )
    if stats.cues:
        held += f", {count(stats.cues, 'cue')} of speech"
    return [
        ("index", f"{short_path(stats.location)} ({size(stats.size_bytes)})"),
        ("contains", f"{held}, {count(stats.failed, 'failed file')}" if stats.failed else held),
        ("model", f"{short_path(model.name)} (fingerprint {model.fingerprint})"),
        ("schedule", f"{model.schedule} by {model.reducer}, {model.frames} frames per window"),
        ("sampling", f"{model.sampling}: a frame of each of a window's {model.frames} strides"),
        ("windows", f"up to {model.window_seconds:g} s, embeddings of {model.embed_size} numbers"),
        ("search", "exact" if stats.search == "exact" else "approximate (ANN index)"),
        ("", ""),
    ]


def _show(stats: Stats | None, failures: _Failures, machine: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    versions = dict(machine["versions"])
    for name, value in (
        *(_index_rows(stats) if stats else ()),
        ("centerclip", versions.pop("centerclip")),
        ("python", f"{machine['python']} on {machine['system']}"),
        ("packages", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("device", f"{machine['device']}, {machine['precision']}, {count(machine['cores'], 'CPU core')}"),
        *([("backend", machine["backend"])] if "backend" in machine else []),
    ):
        rows.add_row(name, Text(value))
    stdout().print(rows)
    if failures:
        stdout().print(f"\n{count(len(failures), 'file')} failed:", style="red")
    for path, reason in failures:
        stdout().print(f"  {short_path(path)}: {visible(reason)}", soft_wrap=True)


def _write_facts(stats: Stats | None, failures: _Failures, machine: dict[str, Any]) -> None:
    index = {} if stats is None else asdict(stats)
    model = {name: value for name, value in index.pop("model", {}).items() if name != "probe"}
    versions = machine.pop("versions")
    for facts, prefix in ((index, ""), (model, "model."), (machine, ""), (versions, "version.")):
        for name, value in facts.items():
            write_tabs((prefix + name, value))
    for path, reason in failures:
        write_tabs(("failed", path, reason))
