"""`centerclip duplicates`: the same footage in several files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.cli import options
from centerclip.cli.formats import clock, count, short_path
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_tabs
from centerclip.cli.progress import Bar

if TYPE_CHECKING:
    from centerclip.duplicates import Duplicates, Pair

__all__ = ["duplicates"]

_WORDS = {
    "copy": "same bytes",
    "encoded": "encoded again",
    "contained": "contained",
    "overlap": "overlapping",
}


def duplicates(
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="X", help="Only pairs of at least this strength.")
    ] = 0.0,
    kind: Annotated[
        list[str] | None,
        option("Only pairs of this kind; can be repeated.", "--kind", metavar="NAME"),
    ] = None,
    json: options.Json = False,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
) -> None:
    """List files that show the same footage, from the index alone.

    Kinds: copy (the same bytes), encoded (all of both, encoded again), contained (all of the second file is
    in the first, the longer one) and overlap (a part of both). Found are also excerpts that begin anywhere,
    copies that are cropped, and copies that play up to twice as fast.

    What is shown must change in the same way in both files. So two days of a fixed camera aren't a pair,
    and copies of footage that doesn't change are found only if they have the same bytes. Strength, from 0 to
    1, says how much alike two files are; check weak pairs before deleting anything.

    Piped output has one pair per line, tab-separated: group, kind, strength, speed, then path, start and
    end in seconds of the first file, and the same of the second. A speed of 0.5 means that the second file
    plays twice as fast.

    \b
    Examples:
      centerclip duplicates
      centerclip duplicates --kind copy --kind encoded --json
    """
    from centerclip.duplicates import KINDS, find_duplicates
    from centerclip.index import VideoIndex

    wanted = options.names(kind) or list(KINDS)
    if unknown := [name for name in wanted if name not in KINDS]:
        raise typer.BadParameter(
            f"{unknown[0]!r} isn't a kind of pair: give {', '.join(KINDS)}", param_hint="--kind"
        )
    store = VideoIndex(
        options.index_location(index), create=False, storage_options=options.storage_options(storage)
    )
    with Bar("Comparing", unit="videos") as searching, Bar("Comparing", unit="pairs") as comparing:

        def follow(stage: str, done: int, total: int) -> None:
            if stage == "searching":
                searching.advance(done, total)
            else:
                searching.close()
                comparing.advance(done, total)

        found = find_duplicates(store, on_progress=follow)
    pairs = [pair for pair in found.pairs if pair.kind in wanted and pair.strength >= strength]
    if json:
        write_json(*map(_record, pairs))
    elif on_terminal():
        _show(pairs)
    else:
        write_tabs(*map(_fields, pairs))
    note(_summary(pairs, found, len(store)))


def _record(pair: Pair) -> dict[str, Any]:
    record = asdict(pair)
    for span in (record["first"], record["second"]):
        span["path"] = str(span["path"])
    return record


def _fields(pair: Pair) -> tuple[object, ...]:
    spans = [
        field
        for span in (pair.first, pair.second)
        for field in (span.path, f"{span.start:.2f}", f"{span.end:.2f}")
    ]
    return pair.group, pair.kind, f"{pair.strength:.2f}", f"{pair.speed:.3f}", *spans


def _show(pairs: Sequence[Pair]) -> None:
    if not pairs:
        return
    rows = table("group", "kind", "strength", "start", "end", "video", right=("group", "start", "end"))
    for pair in pairs:
        faster = "" if pair.speed == 1 else f", {1 / pair.speed:.3g}x as fast"
        for place, span in enumerate((pair.first, pair.second)):
            head = (str(pair.group), _WORDS[pair.kind], f"{pair.strength:.2f}")
            rows.add_row(
                *(("", "", "") if place else head),
                clock(span.start),
                clock(span.end),
                short_path(span.path) + (faster if place else ""),
            )
    stdout().print(rows)


def _summary(pairs: Sequence[Pair], found: Duplicates, windows: int) -> str:
    if not windows:
        return "Nothing to compare: the index is empty. Add videos: centerclip index PATH"
    if not pairs:
        return f"No duplicates found; {count(found.compared, 'similar pair')} compared."
    groups = len({pair.group for pair in pairs})
    found_pairs = f"{count(len(pairs), 'pair')} in {count(groups, 'group')}"
    return f"{found_pairs}; check weak ones before deleting a file."
