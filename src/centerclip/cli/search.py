"""`centerclip search`: the moments that match a query, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from centerclip.cli import options
from centerclip.cli.formats import clock, short_path, shorten, visible
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_paths, write_tabs

if TYPE_CHECKING:
    from rich.text import Text

    from centerclip.search import Hit

__all__ = ["SearchCommand", "search", "show_hits"]

_BAR = 8
"""Width of the bar that shows a hit's strength, in characters."""
_QUOTED = 3
"""Cues of a hit that are shown on a terminal."""


class SearchCommand(TyperCommand):
    """A command whose arguments may start with a minus sign, as in `centerclip search -people + beach`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move everything except this command's options behind `--`, so that it becomes the query."""
        takes_value = {
            name: not getattr(param, "is_flag", False) and not getattr(param, "count", False)
            for param in self.get_params(ctx)
            for name in (*param.opts, *param.secondary_opts)
        }
        own: list[str] = []
        words: list[str] = []
        waiting = iter(args)
        for word in waiting:
            if word == "--":
                words.extend(waiting)
            elif word.startswith("--") or (word.startswith("-") and word in takes_value):
                own.append(word)
                if takes_value.get(word):
                    own.extend([value] if (value := next(waiting, None)) is not None else [])
            else:
                words.append(word)
        return super().parse_args(ctx, [*own, "--", *words])


def search(
    query: Annotated[list[str], argument("QUERY")],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of results.")] = 10,
    per_video: Annotated[
        int, typer.Option(min=1, metavar="N", help="Maximum number of moments per video.")
    ] = 1,
    moments: Annotated[bool, option("Don't limit moments per video.", "--moments")] = False,
    where: Annotated[str | None, option("Search only where this condition holds.", metavar="SQL")] = None,
    tail: Annotated[bool, option("Include weak matches.", "--tail")] = False,
    json: options.Json = False,
    paths: Annotated[bool, option("Print only the paths of the videos, one per line.", "--paths")] = False,
    null: Annotated[bool, option("Like --paths, but end each with a zero byte.", "--null", "-0")] = False,
    index: options.IndexLocation = None,
    model: options.SearchModel = None,
    backbone: options.Backbone = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    backend: options.Backend = "auto",
) -> None:
    """Print the moments that match a query, best first.

    A query is text, a picture or video file (./beach.jpg), or several of these joined by + and - with
    spaces around them. Each can have a weight (2:beach). The query is encoded by the index's model.

    Words are looked for in pictures and, if the index has subtitles, in what is said. spoken: before words
    looks for them only in what is said, seen: only in pictures. Hits show the words that were said.

    Scores are cosines, or for spoken words alone BM25. They rank the hits of one query; don't compare them
    across queries. The bar shows where a hit lies between an unrelated video and the best hit.

    Conditions for --where compare path, duration_seconds, start_ms, end_ms, width, height, frame_rate,
    codec, size_bytes, modified_seconds and video_id with =, <>, <, <=, >, >=, like, ilike, in, between and
    is null, joined by and, or, not and parentheses. Text is in single quotes; in patterns % stands for any
    text, _ for one character. modified_seconds can be compared with a date: '2026-05-31'.

    Piped output has one moment per line, tab-separated: path, start and end in seconds, score, strength
    from 0 to 1, and if words were said, those words.

    \b
    Examples:
      centerclip search a dog catches a frisbee
      centerclip search "beach + sunset - people" --top 5
      centerclip search "2:cake + ./grandma.jpg" --moments
      centerclip search 'spoken:"we are engaged" + seen:beach'
      centerclip search "a red car" --where "duration_seconds > 60 and path like '%/2024/%'"
      centerclip search "fireworks" --paths --null | xargs -0 mpv
    """
    from centerclip.index.columns import WINDOW_COLUMNS
    from centerclip.index.conditions import parse_condition
    from centerclip.search import parse_query

    # Mistakes are found before anything is loaded.
    wanted, only = parse_query(" ".join(query)), parse_condition(where, WINDOW_COLUMNS)

    from centerclip.cli.loading import load_encoder, load_sentence_encoder
    from centerclip.index import VideoIndex
    from centerclip.search import Searcher, language_note

    store = VideoIndex(options.index_location(index), create=False)

    only_words = all(isinstance(term.content, str) for term in wanted.terms)
    plain = (model, backbone, device, precision, backend) == (None, None, "auto", "auto", "auto")
    quick = load_sentence_encoder(store.model) if only_words and plain and store.model else None
    encoder = quick or load_encoder(
        model, store.model, backbone=backbone, device=device, precision=precision, backend=backend
    )
    if remark := language_note(wanted, model or (store.model.name if store.model else "")):
        note(remark, style="yellow")
    hits = Searcher(store, encoder).search(
        wanted, top=top, per_video=None if moments else per_video, where=only, tail=tail
    )
    if json:
        write_json(*(asdict(hit) | {"path": str(hit.path)} for hit in hits))
    elif paths or null:
        write_paths([hit.path for hit in hits], null=null)
    elif on_terminal():
        show_hits(hits)
    else:
        write_tabs(*map(_fields, hits))
    if not hits:
        note(_why_nothing(len(store), where))


def _fields(hit: Hit) -> tuple[object, ...]:
    times = (f"{hit.start:.2f}", f"{hit.end:.2f}")
    said = [" / ".join(_line(said.text) for said in hit.said)] if hit.said else []
    return hit.path, *times, f"{hit.score:.4f}", f"{hit.strength:.2f}", *said


def _line(text: str) -> str:
    return " ".join(text.split())


def show_hits(hits: Sequence[Hit], *, last: str = "", extras: Sequence[str] = ()) -> None:
    """Print hits as a table; `extras` are the cells of an additional column with the heading `last`."""
    from rich.style import Style
    from rich.text import Text

    if not hits:
        return
    console = stdout()
    names = ("#", "score", "", "start", "end", *([last] if last else []), "video")
    rows = table(*names, right=("#", "score", "start", "end"))
    taken = 5 + 2 * (len(names) - 1) + _BAR + 2 * 7 + max(map(len, (last, *extras))) + len(str(len(hits)))
    for place, hit in enumerate(hits):
        name = shorten(short_path(hit.path), max(20, console.width - taken))
        rows.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            Text(_bar(hit.strength), style="cyan"),
            clock(hit.start),
            clock(hit.end),
            *([extras[place]] if last else []),
            Text(name, style=Style(link=hit.path.as_uri() if hit.path.is_absolute() else None))
            + _quoted(hit, max(20, console.width - taken)),
        )
    console.print(rows)


def _quoted(hit: Hit, width: int) -> Text:
    """The words that are said in a hit's moment, with their times, on lines of their own."""
    from rich.text import Text

    quoted = Text(style="dim")
    for said in hit.said[:_QUOTED]:
        line = Text(f"{clock(said.start)} “{visible(_line(said.text))}”")
        line.truncate(width, overflow="ellipsis")
        quoted.append("\n").append_text(line)
    return quoted


def _bar(strength: float) -> str:
    whole, eighths = divmod(round(strength * _BAR * 8), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()


def _why_nothing(windows: int, where: str | None) -> str:
    if not windows:
        return "Nothing found: the index is empty. Add videos: centerclip index PATH"
    if where:
        return f"Nothing found: no results match {where!r}. Try a wider condition."
    return "Nothing found."
