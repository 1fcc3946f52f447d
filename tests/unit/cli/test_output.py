"""Piped results on stdout, and messages on stderr."""

import json
import sys
from collections.abc import Callable

import pytest

from centerclip.cli.output import note, table, write_json, write_paths, write_tabs


def test_json_has_one_object_per_line_and_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"path": "日本\n.mp4", "score": float("nan"), "more": {"ends": (1.5, float("inf"))}})
    written = capsys.readouterr().out
    assert written.count("\n") == 1
    assert "日本" in written
    assert json.loads(written) == {"path": "日本\n.mp4", "score": None, "more": {"ends": [1.5, None]}}
    write_json({"path": "\udcff.mp4"})  # a file name that isn't UTF-8
    written = capsys.readouterr().out
    assert written.isascii()
    assert json.loads(written) == {"path": "\udcff.mp4"}


def test_tabs_in_fields_are_escaped_and_paths_are_written_once_and_unchanged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_tabs(("a\tb\nc", 1, ""))
    assert capsys.readouterr().out == "a\\tb\\nc\t1\t\n"
    write_paths(["b c", "a\tb", "b c"], null=False)
    write_paths(["b\nc", "a"], null=True)
    assert capsys.readouterr().out == "b c\na\tb\nb\nc\0a\0"


@pytest.mark.parametrize(
    "write",
    [
        lambda: write_paths(["a", "b"], null=False),
        lambda: write_tabs(("a", 1), ("b", 2)),
        lambda: write_json({"a": 1}, {"b": 2}),
    ],
)
def test_results_are_written_at_once(write: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, if Python doesn't buffer, `head -1` closes the pipe between two lines."""
    pieces: list[str] = []
    monkeypatch.setattr(sys.stdout, "write", pieces.append)
    write()
    assert [piece.count("\n") for piece in pieces] == [2]


def test_a_note_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    note("word " * 60 + "\x1b[2J[bold]x", lead="error: ", style="red")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: " + "word " * 60 + "\\x1b[2J[bold]x\n"


def test_tables_align_columns() -> None:
    assert [column.justify for column in table("#", "video", right=("#",)).columns] == ["right", "left"]
