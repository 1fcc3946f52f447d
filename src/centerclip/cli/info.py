"""`centerclip info`: what an index holds and what this installation can do."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from centerclip.cli import options
from centerclip.cli.formats import count, duration, short_path, size, visible
from centerclip.cli.output import note, on_terminal, stdout, write_json, write_tabs

if TYPE_CHECKING:
    from centerclip.index import Stats, StoredVideo

__all__ = ["info"]

_PACKAGES = ("centerclip", "torch", "transformers", "av", "lancedb", "pyarrow", "numpy")


def info(index: options.IndexLocation = None, json: options.Json = False) -> None:
    """Show what the index holds and what this machine can do.

    Piped, one fact a line, tab-separated: its name and its value; for a failed file the word failed, its
    path and the reason.
    """
    from centerclip.index import VideoIndex

    # An index that was named has to be there; the default one may be yet to come.
    store = VideoIndex(options.index_location(index), create=index is None)
    stats = store.stats() if store.model else None
    failed = store.failed()
    machine = _installation()
    if json:
        files = [{"path": str(video.info.path), "reason": video.reason} for video in failed]
        write_json({"index": asdict(stats) | {"failed_files": files} if stats else None, **machine})
    elif on_terminal():
        _show([*(_index_lines(stats) if stats else []), *_machine_lines(machine)], failed)
    else:
        _write_facts(stats, failed, machine)
    if stats is None:
        note(f"There is no index at {short_path(store.location)} yet: centerclip index PATH makes it.")


def _installation() -> dict[str, Any]:
    from centerclip.embedding.device import available_cores, choose_device, choose_dtype

    device = choose_device("auto")
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": str(device),
        "precision": str(choose_dtype("auto", device)).removeprefix("torch."),
        "cores": available_cores(),
    }


def _index_lines(stats: Stats) -> list[tuple[str, str]]:
    model = stats.model
    held = (
        f"{count(stats.videos, 'video')}, {duration(stats.footage_seconds)} of footage, "
        f"{count(stats.windows, 'window')}"
    )
    return [
        ("index", f"{short_path(stats.location)} ({size(stats.size_bytes)})"),
        ("holds", f"{held}, {count(stats.failed, 'failed file')}" if stats.failed else held),
        ("model", f"{short_path(model.name)} (fingerprint {model.fingerprint})"),
        ("schedule", f"{model.schedule} by {model.reducer}, {model.frames} frames a window"),
        ("windows", f"at most {model.window_seconds:g} s, vectors of {model.embed_size}"),
        ("search", "exact" if stats.search == "exact" else "approximate (ANN index)"),
        ("", ""),
    ]


def _machine_lines(machine: dict[str, Any]) -> list[tuple[str, str]]:
    versions = dict(machine["versions"])
    return [
        ("centerclip", versions.pop("centerclip")),
        ("python", f"{machine['python']} on {machine['system']}"),
        ("packages", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("computes", f"on {machine['device']} in {machine['precision']}, {count(machine['cores'], 'core')}"),
    ]


def _show(lines: Sequence[tuple[str, str]], failed: Sequence[StoredVideo]) -> None:
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, value in lines:
        rows.add_row(name, Text(value))
    stdout().print(rows)
    if failed:
        stdout().print(f"\n{count(len(failed), 'file')} failed:", style="red")
    for video in failed:
        stdout().print(f"  {short_path(video.info.path)}: {visible(video.reason)}", soft_wrap=True)


def _write_facts(stats: Stats | None, failed: Sequence[StoredVideo], machine: dict[str, Any]) -> None:
    index = {} if stats is None else asdict(stats)
    model = index.pop("model", {})
    versions = machine.pop("versions")
    for facts, prefix in ((index, ""), (model, "model."), (machine, ""), (versions, "version.")):
        for name, value in facts.items():
            write_tabs((prefix + name, value))
    for video in failed:
        write_tabs(("failed", video.info.path, video.reason))
