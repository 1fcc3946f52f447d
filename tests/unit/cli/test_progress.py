"""The bar of an indexing run, on a fake clock: how fast, and how much longer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from centerclip.cli import progress as module
from centerclip.cli.progress import FootageBar, Pace
from centerclip.indexing import SyncProgress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_is_that_of_the_last_minute() -> None:
    clock = Clock()
    pace = Pace(clock)
    rates = []
    for second in range(301):  # 40x, then 4x, then nothing
        clock.now = second
        rates.append(pace.rate(40 * min(second, 100) + 4 * max(0, min(second, 200) - 100)))
    assert rates[:2] == [None, None]
    assert rates[2] == rates[50] == rates[100] == 40
    assert rates[130] == 22
    assert rates[160] == rates[200] == 4
    assert rates[230] == 2
    assert rates[260] is rates[300] is None


def test_a_pace_with_rare_news_spans_the_last_piece() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.rate(0)
    clock.now = 200
    assert pace.rate(100) == 0.5
    clock.now = 500
    assert pace.rate(400) == 1


class _Seen(FootageBar):
    """Records what it would show."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("Indexing", clock)
        self.shown: list[tuple[float, float, list[str]]] = []

    def _show(self, done: float, total: float, *texts: str) -> None:
        self.shown.append((done, total, [text for text in texts if text]))


def test_a_few_long_files_move_the_bar_by_their_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "stderr", lambda: Console(force_terminal=True))
    clock = Clock()
    bar = _Seen(clock)
    start = SyncProgress(0, 3)
    bar.follow(start)
    clock.now = 10
    begun = replace(start, windows=15, footage_seconds=180, total_seconds=9_000)
    bar.follow(begun)
    clock.now = 20
    bar.follow(replace(begun, windows=30, footage_seconds=360, total_seconds=13_320, is_estimate=False))
    assert bar.shown == [
        (0, 3, ["0/3 files"]),
        (180, 9_000, ["0/3 files", "3 min of footage", "18x real time", "about 8 min left"]),
        (360, 13_320, ["0/3 files", "6 min of footage", "18x real time", "12 min left"]),
    ]


def test_files_that_all_fail_move_the_bar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "stderr", lambda: Console(force_terminal=True))
    bar = _Seen(Clock())
    bar.follow(SyncProgress(2, 3))
    bar.follow(SyncProgress(3, 3, total_seconds=0.0, is_estimate=False))
    assert bar.shown == [(2, 3, ["2/3 files"]), (3, 3, ["3/3 files"])]


def test_the_bar_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (False, True):
        console = Console(force_terminal=terminal, width=120, record=True)
        monkeypatch.setattr(module, "stderr", lambda console=console: console)
        clock = Clock()
        with FootageBar("Indexing", clock) as bar:
            bar.follow(SyncProgress(0, 2))
            clock.now = 3
            bar.follow(SyncProgress(1, 2, 1, 12.0, 24.0, is_estimate=False))
        text = "1/2 files · 12 s of footage · 4.0x real time · 3 s left"
        assert (text in console.export_text()) is terminal
