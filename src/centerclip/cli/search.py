"""`centerclip search`: the moments that match a query, best first."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from centerclip.cli import options, outlets
from centerclip.cli.dates import facts_of
from centerclip.cli.formats import clock, short_path, shorten, visible
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, on_terminal, stdout, table, write_json, write_paths, write_tabs
from centerclip.records import SORTS

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
    after: Annotated[
        str, option("Only videos recorded on this day or later: 2026-05-31.", metavar="DAY")
    ] = "",
    before: Annotated[
        str,
        option("Only videos recorded on this day or earlier, or by a time.", metavar="DAY"),
    ] = "",
    sort: Annotated[
        str,
        option("Order of the results: score, date (newest first) or oldest.", metavar="NAME"),
    ] = "score",
    tail: Annotated[bool, option("Include weak matches.", "--tail")] = False,
    json: options.Json = False,
    paths: Annotated[bool, option("Print only the paths of the videos, one per line.", "--paths")] = False,
    null: Annotated[bool, option("Like --paths, but end each with a zero byte.", "--null", "-0")] = False,
    clips: outlets.Clips = None,
    reel: outlets.ReelFile = None,
    edl: outlets.Edl = None,
    fcpxml: outlets.FcpXml = None,
    otio: outlets.Otio = None,
    csv: outlets.Csv = None,
    pad: outlets.Pad = 0.0,
    play: outlets.Play = False,
    pick: outlets.Pick = None,
    player: outlets.Player = None,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
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

    A video was recorded when its file says so; if it doesn't, the time counts when the file was changed.
    --sort orders the --top best results and doesn't change which ones they are. --after and --before include
    the day or time (2026-05-31T18:00) given, in this machine's time zone unless it names one.

    Conditions for --where compare path, duration_seconds, start_ms, end_ms, width, height, frame_rate,
    codec, size_bytes, recorded, modified_seconds and video_id with =, <>, <, <=, >, >=, like, ilike, in,
    between and is null, joined by and, or, not and parentheses. Text is in single quotes; in patterns %
    stands for any text, _ for one character. recorded and modified_seconds can be compared with a date:
    '2026-05-31'.

    Piped output has one moment per line, tab-separated: path, start and end in seconds, score, strength
    from 0 to 1, and if words were said, those words.

    --clips cuts the moments to files in full quality. They are copied if a key frame lies up to half a
    second before the moment, otherwise encoded with exactly its frames. --edl, --fcpxml, --otio and --csv
    list them for editing programs. If a moment can't be cut or listed, the others are, and the exit code
    is 3.

    \b
    Examples:
      centerclip search a dog catches a frisbee
      centerclip search "beach + sunset - people" --top 5
      centerclip search "2:cake + ./grandma.jpg" --moments
      centerclip search 'spoken:"we are engaged" + seen:beach'
      centerclip search "a red car" --where "duration_seconds > 60 and path like '%/2024/%'"
      centerclip search birthday --after 2024-05-01 --before 2024-05-31 --sort date
      centerclip search "fireworks" --paths --null | xargs -0 mpv
      centerclip search "fireworks" --play
      centerclip search "goal" --moments --clips ~/goals --pad 2 --fcpxml goals.fcpxml
    """
    from centerclip.index.columns import WINDOW_COLUMNS
    from centerclip.index.conditions import parse_condition, recorded_between
    from centerclip.index.sql import all_of
    from centerclip.search import parse_query

    # Mistakes are found before anything is loaded.
    wanted, only = parse_query(" ".join(query)), parse_condition(where, WINDOW_COLUMNS)
    out = outlets.Outlets(
        clips=clips,
        reel=reel,
        lists={"edl": edl, "fcpxml": fcpxml, "otio": otio, "csv": csv},
        pad=pad,
        play=play,
        pick=pick,
        player=player,
    )
    out.check()
    only = all_of(only, recorded_between(after, before))
    order = next((known for known in SORTS if known == sort), None)
    if order is None:
        raise typer.BadParameter(f"{sort!r} is not one of {', '.join(SORTS)}", param_hint="--sort")

    from centerclip.cli.loading import load_encoder, load_sentence_encoder
    from centerclip.index import VideoIndex
    from centerclip.search import Searcher, language_note

    store = VideoIndex(
        options.index_location(index), create=False, storage_options=options.storage_options(storage)
    )

    only_words = all(isinstance(term.content, str) for term in wanted.terms)
    plain = (model, backbone, device, precision, backend) == (None, None, "auto", "auto", "auto")
    quick = load_sentence_encoder(store.model) if only_words and plain and store.model else None
    encoder = quick or load_encoder(
        model, store.model, backbone=backbone, device=device, precision=precision, backend=backend
    )
    if remark := language_note(wanted, model or (store.model.name if store.model else "")):
        note(remark, style="yellow")
    hits = Searcher(store, encoder).search(
        wanted, top=top, per_video=None if moments else per_video, where=only, tail=tail, sort=order
    )
    facts = facts_of(store, [hit.path for hit in hits])
    missing = {path for path, fact in facts.items() if fact.missing}
    if json:
        cut = out.cut(hits)  # before the hits are printed, which then name their clips
        more = (asdict(facts[hit.path]) | cut.get(hit.rank, {}) for hit in hits)
        write_json(
            *(asdict(hit) | {"path": str(hit.path)} | rest for hit, rest in zip(hits, more, strict=True))
        )
    elif paths or null:
        write_paths([hit.path for hit in hits], null=null)
    elif on_terminal():
        dated = sort != "score" or after or before
        days = [facts[hit.path].recorded[:10] for hit in hits] if dated else []
        show_hits(hits, last="recorded" if dated else "", extras=days, missing=missing)
    else:
        write_tabs(*map(_fields, hits))
    if not hits:
        note(_why_nothing(len(store), _conditions(where, after, before)))
    if missing:
        note(
            f"{len(missing)} of these files {'is' if len(missing) == 1 else 'are'} missing: moved, "
            "deleted, or on a disk that isn't connected. To find moved files and forget deleted ones: "
            "centerclip index PATH --prune"
        )
    if not hits:
        return
    if not json:
        out.cut(hits)
    raise typer.Exit(out.finish(hits, title=" ".join(query)))


def _described(hit: Hit) -> dict[str, Any]:
    return asdict(hit) | {"path": str(hit.path)}


def _fields(hit: Hit) -> tuple[object, ...]:
    times = (f"{hit.start:.2f}", f"{hit.end:.2f}")
    said = [" / ".join(_line(said.text) for said in hit.said)] if hit.said else []
    return hit.path, *times, f"{hit.score:.4f}", f"{hit.strength:.2f}", *said


def _line(text: str) -> str:
    return " ".join(text.split())


def show_hits(
    hits: Sequence[Hit], *, last: str = "", extras: Sequence[str] = (), missing: Collection[Path] = ()
) -> None:
    """Print hits as a table.

    Args:
        hits: in the order to show.
        last: heading of an additional column, if any, with the cells `extras`.
        missing: files that aren't there, which are marked.
    """
    from rich.style import Style
    from rich.text import Text

    if not hits:
        return
    console = stdout()
    names = ("#", "score", "", "start", "end", *([last] if last else []), "video")
    rows = table(*names, right=("#", "score", "start", "end"))
    taken = 5 + 2 * (len(names) - 1) + _BAR + 2 * 7 + max(map(len, (last, *extras))) + len(str(len(hits)))
    for place, hit in enumerate(hits):
        mark = " (missing)" if hit.path in missing else ""
        name = shorten(short_path(hit.path), max(20, console.width - taken - len(mark)))
        rows.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            Text(_bar(hit.strength), style="cyan"),
            clock(hit.start),
            clock(hit.end),
            *([extras[place]] if last else []),
            Text(name + mark, style=Style(link=hit.path.as_uri() if hit.path.is_absolute() else None))
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


def _conditions(where: str | None, after: str | None, before: str | None) -> str:
    given = {"--where": where, "--after": after, "--before": before}
    return " ".join(f"{name} {shlex.quote(value)}" for name, value in given.items() if value)


def _why_nothing(windows: int, conditions: str) -> str:
    if not windows:
        return "Nothing found: the index is empty. Add videos: centerclip index PATH"
    if conditions:
        return f"Nothing found: no results match {conditions}. Try a wider condition."
    return "Nothing found."
