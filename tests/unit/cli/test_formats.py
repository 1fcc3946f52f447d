"""Figures and names as people read them."""

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from centerclip.cli.formats import clock, count, duration, short_path, shorten, size, visible


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (7.46, "0:07.5"), (59.96, "1:00.0"), (720, "12:00.0"), (3723, "1:02:03.0")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.96, "1 min 0 s"),
        (500, "8 min 20 s"),
        (3600 * 1234 + 120, "1,234 h 2 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (4_240_000, "4.2 MB"),
        (99_960_000, "100 MB"),
        (3e15, "3000 TB"),
    ],
)
def test_size(number: float, text: str) -> None:
    assert size(number) == text


def test_count() -> None:
    assert [count(1, "file"), count(1024, "file"), count(2, "box", "boxes")] == [
        "1 file",
        "1,024 files",
        "2 boxes",
    ]


def test_control_characters_of_a_name_never_reach_a_terminal() -> None:
    assert visible("a\x1b[31mb\tc\nd\x9b") == r"a\x1b[31mb\tc\nd\x9b"
    assert visible("日本 – ü") == "日本 – ü"


def test_paths_are_shown_as_their_owner_would_type_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "here").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home" / "here")
    shown = {short_path(tmp_path / name) for name in ("home/here/a.mp4", "home/b.mp4", "c.mp4")}
    assert shown == {"a.mp4", os.path.join("~", "b.mp4"), str(tmp_path / "c.mp4")}
    assert short_path("d.mp4") == "d.mp4"


@pytest.mark.parametrize("text", ["x/京都の金閣寺/ビデオ.mp4", "a long name that goes on.mp4"])
def test_a_cut_path_keeps_its_end_and_its_width(text: str) -> None:
    for width in range(1, 40):
        cut = shorten(text, width)
        assert cell_len(cut) <= width
        assert cut == text or (cut[0] == "…" and text.endswith(cut[1:]))
