"""Progress on stderr: only on a terminal, and removed when the work is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from centerclip.cli.formats import duration
from centerclip.cli.output import stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar", "waiting"]

_SETTLED_SECONDS = 2.0
"""Before this, the rate is not shown."""


class Bar:
    """A bar such as `Indexing ━━━━━━ 12/340 files · 3.1 videos/s · 1 min 45 s left`, shown while entered.

    Args:
        title: the text before the bar.
        unit: what is counted.
        rate: unit of the rate; without one, no rate is shown.
    """

    def __init__(self, title: str, *, unit: str, rate: str = "") -> None:
        self._title, self._unit, self._rate = title, unit, rate
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
        shown, task = self._open(done, total)
        parts = (f"{done:,}/{total:,} {self._unit}", detail, *self._pace(done, total))
        shown.update(task, completed=done, total=total, detail=" · ".join(filter(None, parts)))

    def _open(self, done: int, total: int) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, Progress, TextColumn

        if self._shown is None or self._task is None:
            text = TextColumn("{task.fields[detail]}", markup=False)
            columns = (TextColumn(self._title, markup=False), BarColumn(24), text)
            self._shown = Progress(*columns, console=stderr(), transient=True)
            self._task = self._shown.add_task("", total=total, detail="")
            self._shown.start()
            self._began, self._first = time.monotonic(), done
        return self._shown, self._task

    def _pace(self, done: int, total: int) -> tuple[str, str]:
        elapsed = time.monotonic() - self._began
        fresh = done - self._first
        if elapsed < _SETTLED_SECONDS or not fresh:
            return "", ""
        rate = f"{fresh / elapsed:.1f} {self._rate}" if self._rate else ""
        return rate, f"{duration(elapsed / fresh * (total - done))} left"


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show a spinner with a text."""
    if not stderr().is_terminal:
        yield
        return
    with stderr().status(text, spinner="dots"):
        yield
