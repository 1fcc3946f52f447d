"""`centerclip demo`: index and search a small library of drawn videos, or the user's own."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.formats import short_path
from centerclip.cli.indexing import SOME_FAILED, Wanted, check_videos, run_indexing
from centerclip.cli.options import option
from centerclip.cli.output import note, on_terminal, stdout, write_tabs
from centerclip.cli.progress import Bar
from centerclip.cli.search import show_hits
from centerclip.errors import DatasetError

if TYPE_CHECKING:
    from centerclip.lab.toy_world import LibraryMoment
    from centerclip.search import Hit

__all__ = ["demo"]

_TOP = 3


@dataclass(frozen=True)
class _Question:
    """A query, and what the right scene shows; empty for the user's own videos, where it is unknown."""

    text: str
    thing: str = ""
    place: str = ""


_LIBRARY_QUESTIONS = (
    _Question("a white rocket rises in the night sky", "white rocket", "night sky"),
    _Question("a blue truck drives through the forest", "blue truck", "forest"),
    _Question("a blue umbrella spins in the desert", "blue umbrella", "desert"),
)
_OWN_QUESTIONS = (
    _Question("a person talking"),
    _Question("outdoors, trees and sky"),
    _Question("something moving fast"),
)


def demo(
    model: Annotated[str, options.model_option("nano")] = "nano",
    videos: Annotated[Path | None, option("Use your own videos instead.", metavar="FOLDER")] = None,
    folder: Annotated[
        Path | None,
        option("Folder for the drawn videos and the index. Default: in your data folder.", metavar="FOLDER"),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Draw a small library of videos, index it and search it.

    This takes up to a minute the first time, and seconds later on. The bundled toy model only knows the
    drawn world. The library records what happens when, so the results are checked.

    Piped output has one moment per line, tab-separated: query, path, start and end in seconds, score, and
    for the drawn library right or wrong.

    \b
    Examples:
      centerclip demo
      centerclip demo --videos ~/Videos --model laion/CLIP-ViT-B-32-laion2B-s34B-b79K
    """
    from centerclip.cli.loading import load_encoder
    from centerclip.index import VideoIndex
    from centerclip.lab.toy_world import library_moments
    from centerclip.search import Searcher

    home = folder or options.default_folder("demo")
    library = videos or _draw_library(home / "library")
    check_videos([library])
    encoder = load_encoder(model, None, device=device)
    # One index per library and model.
    key = hashlib.blake2b(bytes(library.absolute()), digest_size=4).hexdigest()
    store = VideoIndex(home / f"index-{key}-{encoder.fingerprint}")
    note(f"Videos are in {short_path(library.absolute())}")
    code = run_indexing(Wanted(encoder, store, prune=True), [library])
    if code not in (0, SOME_FAILED):
        raise typer.Exit(code)
    searcher = Searcher(store, encoder)
    questions = _OWN_QUESTIONS if videos else _LIBRARY_QUESTIONS
    moments = [] if videos else library_moments(library)
    right = 0
    for question in questions:
        hits = searcher.search(question.text, top=_TOP)
        marks = [_is_right(hit, question, moments, library) for hit in hits] if moments else []
        _show(question, hits, marks)
        right += any(marks[:1])
    if on_terminal():
        stdout().print()
    if moments:
        note(f"{right} of {len(questions)} searches found the right moment first.")
    place = shlex.quote(short_path(store.location))
    note("Try another search in these videos:")
    note(f'centerclip search --index {place} "a black cat"', indent=2)
    note("Search your own videos with a real model, which is downloaded the first time:")
    note("centerclip index ~/Videos", indent=2)
    note('centerclip search "a dog catches a frisbee"', indent=2)
    raise typer.Exit(code)


def _draw_library(folder: Path) -> Path:
    from centerclip.lab.toy_world import library_moments, render_library

    try:
        library_moments(folder)
        workers = 1  # already drawn: checking the files is faster than starting processes
    except DatasetError:
        workers = None
    with Bar("Drawing", unit="videos") as bar:
        return render_library(folder, workers=workers, progress=bar.advance)


def _is_right(hit: Hit, question: _Question, moments: Sequence[LibraryMoment], library: Path) -> bool:
    """Whether the middle of a hit lies in a scene that answers the question."""
    middle = (hit.start + hit.end) / 2
    return any(
        question.thing in moment.things
        and question.place == moment.place
        and hit.path == (library / moment.video).absolute()
        and moment.start_seconds <= middle < moment.end_seconds
        for moment in moments
    )


def _show(question: _Question, hits: Sequence[Hit], marks: Sequence[bool] = ()) -> None:
    if not on_terminal():
        for place, hit in enumerate(hits):
            verdict = ["right" if marks[place] else "wrong"] if marks else []
            times = (f"{hit.start:.2f}", f"{hit.end:.2f}", f"{hit.score:.4f}")
            write_tabs((question.text, hit.path, *times, *verdict))
        return
    stdout().print(f'\n"{question.text}"', style="bold")
    show_hits(hits, last="right" if marks else "", extras=["✓" if mark else "" for mark in marks])
