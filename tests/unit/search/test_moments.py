"""Which part of a window is the moment, and which moments are joined."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from centerclip.index import StoredWindow
from centerclip.records import Window
from centerclip.search.moments import best_run, join_moments


@pytest.mark.parametrize(
    ("scores", "background", "expected"),
    [
        ([0.3], 0.1, (0, 1)),
        ([0.1, 0.1, 0.3, 0.1], 0.1, (2, 3)),
        ([0.30, 0.29, 0.30, 0.29], 0.1, (0, 4)),  # everything is related
        ([0.1, 0.25, 0.3, 0.25], 0.1, (1, 4)),
        ([0.3, 0.19, 0.3, 0.1], 0.1, (0, 3)),  # spans a short dip
        ([0.3, 0.1, 0.1, 0.3], 0.1, (0, 1)),  # but not a long one; the first of equals
        ([0.25, 0.25, 0.125], 0.0, (0, 2)),  # exactly halfway is not closer to the best
        ([0.2, 0.1, 0.3], 0.5, (0, 3)),  # nothing stands out
        ([-0.1, -0.3, -0.3], -0.3, (0, 1)),
    ],
)
def test_the_best_run(scores: list[float], background: float, expected: tuple[int, int]) -> None:
    assert best_run(np.array(scores), background) == expected


QUERY = np.array([1, 0], np.float32)
LOW, HIGH, HIGHEST = [0.1, 0.995], [0.9, 0.436], [1.0, 0.0]  # scores 0.1, 0.9 and 1


def window(start: float, segments: list[list[float]], *, path: str = "/v/a.mp4") -> StoredWindow:
    span, parts = Window(start, start + 12), np.array(segments, np.float32)
    bounds = np.linspace(start, start + 12, len(segments) + 1)
    return StoredWindow(Path(path), "id", 100.0, span, np.zeros(2, np.float32), parts, bounds, 0.5)


def spans(windows: list[StoredWindow]) -> list[tuple[float, float, float]]:
    return [(m.start, m.end, round(m.score, 6)) for m in join_moments(windows, QUERY, 0.0)]


def test_a_moment_has_the_times_of_its_segments() -> None:
    # A still picture until 6.5 s, then new frames at 7.5 and 8.5 s.
    bounds = np.array([0, 6.5, 7.5, 8.5, 12])
    still = replace(window(0, [LOW, HIGHEST, HIGH, LOW]), bounds=bounds)
    assert spans([still]) == [(6.5, 8.5, 1.0)]
    until_the_end = replace(window(0, [LOW, LOW, LOW, HIGHEST]), bounds=bounds)
    assert spans([until_the_end, window(12, [HIGH, LOW])]) == [(8.5, 18, 1.0)]


def test_runs_that_touch_across_windows_join() -> None:
    windows = [
        window(12, [HIGH, HIGHEST, HIGH, HIGH]),
        window(24, [HIGH, LOW, LOW, LOW]),
        window(0, [LOW, LOW, LOW, HIGH]),
    ]
    assert spans(windows) == [(9, 27, 1.0)]
    (moment,) = join_moments(windows, QUERY, 0.0)
    assert moment.window is windows[0]


def test_what_else_a_window_shows_does_not_lower_the_score() -> None:
    mixed, plain = window(0, [LOW, LOW, LOW, HIGHEST]), window(24, [HIGH] * 4)
    assert spans([plain, mixed]) == [(9, 12, 1.0), (24, 36, 0.9)]


def test_runs_that_do_not_touch_stay_apart() -> None:
    assert spans([window(0, [LOW, HIGH, LOW]), window(12, [HIGH, LOW])]) == [(4, 8, 0.9), (12, 18, 0.9)]
    assert spans([window(0, [LOW, HIGH]), window(12, [LOW, HIGH])]) == [(6, 12, 0.9), (18, 24, 0.9)]
    assert spans([window(0, [LOW, HIGH]), window(24, [HIGH, LOW])]) == [(6, 12, 0.9), (24, 30, 0.9)]


def test_windows_of_different_files_never_join_and_copies_count_once() -> None:
    first = window(0, [LOW, HIGH], path="/v/a.mp4")
    other = replace(window(12, [HIGH, LOW], path="/v/b.mp4"), video_id="other")
    assert len(join_moments([first, other], QUERY, 0.0)) == 2
    copy = window(0, [LOW, HIGH], path="/v/z copy.mp4")
    (only,) = join_moments([copy, first], QUERY, 0.0)
    assert only.window.path == Path("/v/a.mp4")


def test_a_moment_does_not_continue_into_an_unrelated_window() -> None:
    middling = [0.6, 0.8]
    assert spans([window(0, [LOW, HIGH]), window(12, [LOW, LOW])]) == [(6, 12, 0.9), (12, 24, 0.1)]
    assert spans([window(0, [LOW, HIGH]), window(12, [middling, LOW])]) == [(6, 18, 0.9)]
