"""Conditions mean what they say: drawn ones run by the store and by a plain evaluation over the rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_videos import new_index, random_units, random_video

from centerclip.errors import QueryError
from centerclip.index import VideoIndex
from centerclip.index.columns import VIDEO_COLUMNS, WINDOW_COLUMNS, Column
from centerclip.index.conditions import instant, parse_condition
from centerclip.records import EncodedVideo
from centerclip.serve.library import Library

Row = Mapping[str, Any]
VECTOR = random_units(0)
PATHS = [
    "/v/a.mp4",
    "/v/Ab%_.MP4",
    "/v/it's.mp4",
    "/v/é É.mp4",
    "/w/back\\slash.mp4",
    "/w/--;.mp4",
    "/x\ny",
]
WIDTHS, SIZES = [0, 1, 640, 641, 1920, 2**31 - 1, 640], [0, 1, 5, 2**31, 2**53 + 1, 2**63 - 1, 7]
LENGTHS = [0.5, 1.0, 12.25, 1e-9, 3600.0, 1e9, 12.0]
DAYS = ["2001-01-01", "2024-02-29", "2026-05-31T12:00:01Z"]
TEXT_COLUMNS = ["path", "video_id", "codec", "state", "reason"]
WHOLE_COLUMNS = ["size_bytes", "width", "height", "windows"]
NUMBER_COLUMNS = ["duration_seconds", "frame_rate", "modified_seconds", "indexed_seconds", "recorded"]
OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Drawn:
    """A condition as text, what it says of a row, and how many parentheses and `not` it nests."""

    text: str
    holds: Callable[[Row], bool]
    depth: int = 0


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def cased(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.upper(), word.title()])


TEXTS = st.sampled_from([*PATHS, "done", "h264", "", "id-"]) | st.text("aAé/%_\\'. \n", max_size=5)
PATTERNS = st.lists(
    st.sampled_from(["%", "_", "\\%", "\\_", "\\\\", "\\", "a", "A", "É", "b", "/", "v", ".", "\n", "mp4"]),
    max_size=8,
).map("".join)
WHOLES = {name: st.integers(0, VIDEO_COLUMNS[name].largest) for name in WHOLE_COLUMNS}
NUMBERS = (
    st.floats(-1e12, 1e12).filter(lambda number: number != 0) | st.sampled_from(LENGTHS) | st.integers(0, 99)
)


def value_of(name: str) -> st.SearchStrategy[tuple[str, Any]]:
    """Draw a literal for a column: its text, and its value."""
    if name in TEXT_COLUMNS:
        return TEXTS.map(lambda text: (quoted(text), text))
    if name in WHOLE_COLUMNS:
        near = st.sampled_from([*WIDTHS, -1]) | WHOLES[name]
        return near.map(lambda number: (str(number), number))
    numbers = NUMBERS.map(lambda number: (repr(number), number))
    days = st.sampled_from(DAYS).map(lambda day: (quoted(day), instant(day)))
    return numbers | days if VIDEO_COLUMNS[name].is_instant else numbers


NAMES = st.sampled_from([*TEXT_COLUMNS, *WHOLE_COLUMNS, *NUMBER_COLUMNS])


@st.composite
def comparisons(draw: st.DrawFn) -> Drawn:
    name, sign = draw(NAMES), draw(st.sampled_from(list(OPERATORS)))
    column, compare = draw(cased(name)), OPERATORS[sign]
    kind = draw(st.sampled_from(["literal", "mirrored", "columns"]))
    if kind == "columns":
        others = TEXT_COLUMNS if name in TEXT_COLUMNS else [*WHOLE_COLUMNS, *NUMBER_COLUMNS]
        other = draw(st.sampled_from(others))
        return Drawn(f"{column}{sign}{other}", lambda row: compare(row[name], row[other]))
    text, value = draw(value_of(name))
    if kind == "mirrored":
        return Drawn(f"{text} {sign}{column}", lambda row: compare(value, row[name]))
    return Drawn(f"{column} {sign}\n{text}", lambda row: compare(row[name], value))


@st.composite
def ranges(draw: st.DrawFn) -> Drawn:
    name, no = draw(NAMES), draw(st.booleans())
    word = f"{draw(cased('not'))} " if no else ""
    kind = draw(st.sampled_from(["in", "between", "is"]))
    if kind == "is":
        return Drawn(f"{name} is {word}null", lambda row: no)  # no value is missing
    if kind == "between":
        (low, least), (high, most) = draw(value_of(name)), draw(value_of(name))
        text = f"{name} {word}{draw(cased('between'))} {low} and {high}"
        return Drawn(text, lambda row: (least <= row[name] <= most) != no)
    values = draw(st.lists(value_of(name), min_size=1, max_size=4))
    text = f"{name} {word}in ({', '.join(text for text, _ in values)})"
    return Drawn(text, lambda row: (row[name] in [value for _, value in values]) != no)


@st.composite
def likes(draw: st.DrawFn) -> Drawn:
    name, no, pattern = draw(st.sampled_from(TEXT_COLUMNS)), draw(st.booleans()), draw(PATTERNS)
    word = draw(st.sampled_from(["like", "ilike"]))
    parts = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    source = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    shape = re.compile(source, re.DOTALL | (re.IGNORECASE if word == "ilike" else 0))
    text = f"{name} {'not ' if no else ''}{draw(cased(word))} {quoted(pattern)}"
    return Drawn(text, lambda row: (shape.fullmatch(row[name]) is not None) != no)


def joined(children: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def join(word: str, parts: list[Drawn]) -> Drawn:
        every = all if word.lower() == "and" else any
        text = f" {word} ".join(f"({part.text})" for part in parts)
        return Drawn(
            text, lambda row: every(part.holds(row) for part in parts), 1 + max(p.depth for p in parts)
        )

    def deny(part: Drawn) -> Drawn:
        return Drawn(f"not ({part.text})", lambda row: not part.holds(row), 1 + part.depth)

    groups = st.builds(join, cased("and") | cased("or"), st.lists(children, min_size=2, max_size=3))
    return groups | children.map(deny)


CONSTANTS = st.sampled_from([Drawn("true", lambda row: True), Drawn("False", lambda row: False)])
CONDITIONS = st.recursive(comparisons() | ranges() | likes() | CONSTANTS, joined, max_leaves=8).filter(
    lambda drawn: drawn.depth <= 10
)


def drawn_video(at: int) -> EncodedVideo:
    video = random_video(PATHS[at], windows=1 + at % 3, seed=at)
    info = replace(
        video.info,
        width=WIDTHS[at],
        height=WIDTHS[-1 - at],
        size_bytes=SIZES[at],
        duration_seconds=LENGTHS[at],
        modified_seconds=instant(DAYS[at % 3]),
        codec=["h264", "", "vp9"][at % 3],
    )
    return replace(video, info=info)


def drawn_index(folder: Path) -> VideoIndex:
    return new_index(folder, *map(drawn_video, range(len(PATHS))))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    return drawn_index(tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def rows(index: VideoIndex) -> list[Row]:
    return [
        {
            name: getattr(video.info, column.name, getattr(video, column.name, None))
            for name, column in VIDEO_COLUMNS.items()
        }
        | {"path": str(video.info.path)}
        for video in index.videos()
    ]


@settings(max_examples=300)
@given(drawn=CONDITIONS)
def test_a_condition_selects_the_rows_it_says(index: VideoIndex, rows: list[Row], drawn: Drawn) -> None:
    found = [str(video.info.path) for video in index.videos(drawn.text)]
    assert found == [row["path"] for row in rows if drawn.holds(row)], parse_condition(
        drawn.text, VIDEO_COLUMNS
    )


SIGNS = st.sampled_from("()=<,-'\";[{?$²٣\\\x00\ud800")
KNOWN = [
    "not",
    "and",
    "or",
    "!=",
    "like",
    "in",
    "between",
    "is",
    "null",
    "true",
    "1",
    "1e9",
    ".5",
    "'x'",
    "path",
]
STRANGE = [
    "--",
    "/*",
    "*/",
    "$1",
    "::",
    "select",
    "case",
    "cast(",
    "array_repeat(",
    "||",
    "interval",
    "escape",
]
WORDS = SIGNS | st.sampled_from([*KNOWN, ".5", "width"]) | st.sampled_from([*STRANGE, "escape", "any"])


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """Draw a condition with one word replaced, or another one added."""
    words = draw(CONDITIONS).text.split(" ")
    at = draw(st.integers(0, len(words)))
    words[at : at + draw(st.integers(0, 1))] = [draw(WORDS)]
    return " ".join(words)


@settings(max_examples=500)
@given(text=st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=40) | spoiled())
@example("1 < is")
@example("--")
@example("width = - 1")
@example("path like '%\\'")
def test_any_text_is_a_condition_or_a_query_error(index: VideoIndex, text: str) -> None:
    problem = ""
    try:
        index.search(VECTOR, where=parse_condition(text, WINDOW_COLUMNS))
    except QueryError as error:
        problem = str(error)
    assert len(problem.splitlines()) <= 1
    assert not problem or "columns path, video_id" in problem


ROOTS = ["/v", "/v/deep", "/w", "/", "/v/a (2)", "/x/v", "/y/w", "/v/$1\\1.*", "/É"]
PARTS = st.sampled_from(["v", "w", "deep", "x", "y", "a (2)", "$1\\1.*", "É", "f.mp4", "n\nl"])


@settings(max_examples=60)
@given(
    roots=st.lists(st.sampled_from(ROOTS), max_size=4, unique=True),
    paths=st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=1, max_size=6, unique_by=tuple),
)
def test_visitors_conditions_are_about_the_path_they_see(
    tmp_path_factory: pytest.TempPathFactory, roots: list[str], paths: list[list[str]]
) -> None:
    files = ["/" + "/".join(parts) for parts in paths]
    place = tmp_path_factory.mktemp("library")
    library = Library(new_index(place, *map(random_video, files)), map(Path, roots))
    folders = {file: library.folder_of(Path(file)) for file in files}
    shown = {file: f"{folder}/{Path(file).name}".lstrip("/") for file, folder in folders.items()}
    path = {"path": Column("path", "string")}
    for file in files:
        same = parse_condition(f"path = {quoted(shown[file])}", path, {"path": library.shown_path()})
        found = {str(video.info.path) for video in library.index.videos(same)}
        assert found == {other for other in files if shown[other] == shown[file]}
        below = {str(video.info.path) for video in library.index.videos(library.within(folders[file]))}
        assert below == {other for other in files if shown[other].startswith(f"{folders[file]}/".lstrip("/"))}
