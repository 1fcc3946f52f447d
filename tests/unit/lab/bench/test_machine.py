"""What the system tells of the time that a host takes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from centerclip.lab.bench.machine import Stolen


def test_stolen_time_is_a_share_of_what_was_not_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    #                                 user nice system idle waiting irq soft stolen guest guest_nice
    lines = iter(["cpu  1000 10 100 5000 70 3 4 50 0 0", "cpu  1060 10 120 9000 90 3 4 70 0 0"])
    monkeypatch.setattr(
        Path, "read_text", lambda *_args, **_options: next(lines) + "\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    )
    assert Stolen().share == pytest.approx(20 / (60 + 20 + 20))


def test_without_work_nothing_was_stolen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_options: "cpu  1 2 3 4 5 6 7 8 9 10\n")
    assert Stolen().share == 0


def test_a_system_that_does_not_tell_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: object, **_options: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert Stolen().share is None
