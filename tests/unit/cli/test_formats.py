"""Times, sizes, counts and paths, formatted for people."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.cells import cell_len

from centerclip.cli.formats import about, clock, count, duration, multiple, short_path, shorten, size, visible


@pytest.mark.parametrize(
    ("show", "given", "shown"),
    [
        (clock, (0, 7.46, 59.96, 720, 3723), ("0:00.0", "0:07.5", "1:00.0", "12:00.0", "1:02:03.0")),
        (duration, (0, 4.24, 59.96, 500), ("0.0 s", "4.2 s", "1 min 0 s", "8 min 20 s")),
        (duration, (3600 * 1234 + 120,), ("1,234 h 2 min",)),
        (
            about,
            (0, 59.4, 59.5, 724, 3570, 18_720),
            ("0 s", "59 s", "1 min", "12 min", "1 h 0 min", "5 h 12 min"),
        ),
        (
            multiple,
            (0.44, 9.94, 9.95, 1234),
            ("0.4x real time", "9.9x real time", "10x real time", "1,234x real time"),
        ),
        (size, (0, 999, 1000, 4_240_000), ("0 B", "999 B", "1.0 kB", "4.2 MB")),
        (size, (99_960_000, 3e15), ("100 MB", "3000 TB")),
        (partial(count, noun="file"), (1, 1024), ("1 file", "1,024 files")),
    ],
)
def test_numbers(show: Callable[[float], str], given: tuple[float, ...], shown: tuple[str, ...]) -> None:
    assert tuple(map(show, given)) == shown


def test_control_characters_are_escaped() -> None:
    assert visible("a\x1b[31mb\tc\nd\x9b") == r"a\x1b[31mb\tc\nd\x9b"
    assert visible("日本 – ü") == "日本 – ü"


def test_paths_are_relative_to_the_working_folder_or_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "here").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home" / "here")
    shown = {short_path(tmp_path / name) for name in ("home/here/a.mp4", "home/b.mp4", "c.mp4")}
    assert shown == {"a.mp4", os.path.join("~", "b.mp4"), str(tmp_path / "c.mp4")}
    assert short_path("d.mp4") == "d.mp4"
    assert short_path("s3://bucket/d.mp4") == "s3://bucket/d.mp4"


@pytest.mark.parametrize("text", ["x/京都の金閣寺/ビデオ.mp4", "a long name that goes on.mp4"])
def test_a_cut_path_keeps_its_end_and_its_width(text: str) -> None:
    for width in range(1, 40):
        cut = shorten(text, width)
        assert cell_len(cut) <= width
        assert cut == text or (cut[0] == "…" and text.endswith(cut[1:]))
