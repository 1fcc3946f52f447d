"""Progress on stderr: only on a terminal, and removed when the work is done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from centerclip.cli.formats import about, multiple
from centerclip.cli.output import stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from centerclip.indexing import SyncProgress

__all__ = ["Bar", "FootageBar", "Pace", "waiting"]

_SETTLED_SECONDS = 2.0
"""Before this, the rate is not shown."""
_RECENT_SECONDS = 60.0
_SAMPLE_SECONDS = 0.25


class Pace:
    """How fast footage was encoded in the last minute. The mean since the start would tell less: footage
    differs by much, and a machine may become busy or sleep.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()

    def rate(self, done: float) -> float | None:
        """Return how much is done per second.

        Args:
            done: so far; never decreases.

        Returns:
            None in the first two seconds, and while nothing is done for a minute.
        """
        now = self._clock()
        if not self._seen or now - self._seen[-1][0] >= _SAMPLE_SECONDS:
            self._seen.append((now, done))
        while len(self._seen) > 1 and self._seen[1][0] <= now - _RECENT_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        if now - began < _SETTLED_SECONDS or done <= before:
            return None
        return (done - before) / (now - began)


class Bar:
    """A bar such as `Evaluating ━━━━━━ 12/340 videos · 2 min left`, shown while entered.

    Args:
        title: the text before the bar.
        unit: what is counted.
    """

    def __init__(self, title: str, *, unit: str) -> None:
        self._title, self._unit = title, unit
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._began = 0.0
        self._first = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._shown is not None:
            self._shown.stop()

    def advance(self, done: int, total: int, detail: str = "") -> None:
        """Update the bar; `detail` is shown after the count."""
        if not stderr().is_terminal or not total:
            return
        if self._shown is None:
            self._began, self._first = time.monotonic(), done
        elapsed, fresh = time.monotonic() - self._began, done - self._first
        left = ""
        if elapsed >= _SETTLED_SECONDS and fresh:
            left = f"{about(elapsed / fresh * (total - done))} left"
        self._show(done, total, f"{done:,}/{total:,} {self._unit}", detail, left)

    def _show(self, done: float, total: float, *texts: str) -> None:
        """Fill the bar up to `done` of `total`, with texts behind it."""
        from rich.progress import BarColumn, Progress, TextColumn

        if self._shown is None or self._task is None:
            text = TextColumn("{task.fields[detail]}", markup=False)
            columns = (TextColumn(self._title, markup=False), BarColumn(24), text)
            self._shown = Progress(*columns, console=stderr(), transient=True)
            self._task = self._shown.add_task("", total=total, detail="")
            self._shown.start()
        shown = " · ".join(filter(None, texts))
        self._shown.update(self._task, completed=done, total=total, detail=shown)


class FootageBar(Bar):
    """A bar such as `Indexing ━━━━━━ 2/3 files · 1 h 5 min of footage · 18x real time · 12 min left`.

    It advances by windows, so a few long files move it too.
    """

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(title, unit="files")
        self._pace = Pace(clock)

    def follow(self, progress: SyncProgress) -> None:
        """Show how far a run is."""
        if not stderr().is_terminal or not progress.total:
            return
        counted = f"{progress.files:,}/{progress.total:,} files"
        done, total = progress.footage_seconds, progress.total_seconds
        rate = self._pace.rate(done)
        footage = f"{about(done)} of footage" if progress.windows else ""
        if not total:  # nothing is known yet, or nothing could be decoded
            self._show(progress.files, progress.total, counted, footage)
            return
        speed = left = ""
        if rate is not None:
            speed = multiple(rate)
            left = f"{'about ' if progress.is_estimate else ''}{about((total - done) / rate)} left"
        self._show(done, total, counted, footage, speed, left)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show a spinner with a text."""
    if not stderr().is_terminal:
        yield
        return
    with stderr().status(text, spinner="dots"):
        yield
