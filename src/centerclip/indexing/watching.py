"""When to bring an index up to date again: folders are watched for changes, which come in bursts.

Events of the system say that something changed; what changed is found by `sync`, so a lost event costs only
time. Where events don't come, such as on network folders, the folders are listed at an interval instead.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from centerclip.index import FileStamp
from centerclip.index.schema import stored_path
from centerclip.indexing.mounts import is_on_network
from centerclip.remote import is_address
from centerclip.subtitles import SUBTITLE_SUFFIXES
from centerclip.video import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from watchfiles.main import FileChange

__all__ = ["POLL_SECONDS", "FolderWatch"]

_LOG = logging.getLogger("centerclip.index")
POLL_SECONDS = 30.0
"""How often folders are listed where events don't come."""
_QUIET_SECONDS = 2.0
"""A burst is over, and a file complete, after this long without a change."""
_BURST_SECONDS = 10.0
"""A burst that doesn't end is acted on after this long."""
_TICK_SECONDS = 1.0
"""How often roots, and files that are being written, are looked at."""
_STEP_SECONDS = 0.2
"""How soon a request to stop is noticed."""
_SKEW_SECONDS = 60.0
"""By how much the clock of a file server may differ."""

_Root = tuple[int, int] | None
"""What is at a root: device and number, or nothing."""


@dataclass(slots=True)
class _Growing:
    """A file that may still be written, as it was at `since` by the monotonic clock."""

    file: FileStamp
    since: float


class FolderWatch:
    """Watches files and folders; use it in a `with` block.

    What happens while nobody waits isn't lost, and takes no more memory than the paths that changed.

    Args:
        roots: files and folders; one may vanish and come back.
        without: a folder whose changes don't count, such as the index's.
        poll_seconds: list the folders at this interval; None waits for events, except on network folders.
        should_stop: called several times per second while waiting.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        without: str,
        poll_seconds: float | None = None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._roots = [Path(os.path.abspath(root)) for root in roots]
        self._without = _places_of(without, self._roots)
        self.poll_seconds = poll_seconds
        """None while events are waited for."""
        if poll_seconds is None and any(map(is_on_network, self._roots)):
            self.poll_seconds = POLL_SECONDS
        self._stop = _Stop(should_stop)
        self._growing: dict[str, _Growing] = {}
        self._first: float | None = None
        self._last = 0.0
        self._there: list[_Root] = []
        self._events: Iterator[set[FileChange]] = iter(())

    def __enter__(self) -> Self:
        self._watch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events = iter(())

    @property
    def present(self) -> list[Path]:
        """The roots that exist. What is indexed below the others stays: a disk may be unplugged."""
        return [root for root in self._roots if _look(root) is not None]

    @property
    def _quiet_seconds(self) -> float:
        return max(_QUIET_SECONDS, self.poll_seconds or 0.0)

    def is_growing(self, file: FileStamp) -> bool:
        """Whether a file that has to be encoded may still be written; `wait` returns once it isn't."""
        if is_address(file.path):
            return False  # an object is there once it is whole
        now, path = time.monotonic(), stored_path(file.path)
        known = self._growing.get(path)
        if known is None:
            old = self._quiet_seconds if self.poll_seconds is None else self._quiet_seconds + _SKEW_SECONDS
            if time.time() - file.modified_seconds > old:
                return False
        elif known.file == file and now - known.since >= self._quiet_seconds:
            del self._growing[path]
            return False
        if known is None or known.file != file:
            self._growing[path] = _Growing(file, now)
        return True

    def wait(self) -> bool:
        """Wait until something has changed and the burst is over; return false if asked to stop instead."""
        while not self._stop.is_set():
            self._take(next(self._events, set()))
            if self._roots_changed():
                self.change()
            now = time.monotonic()
            if self._stop.is_set():
                break
            if self._is_due(now) or self._is_any_complete(now):
                self._first = None
                return True
        return False

    def change(self, *, in_seconds: float = 0.0) -> None:
        """Act as if something had changed; `wait` returns after some seconds of quiet."""
        self._last = time.monotonic() + in_seconds
        self._first = self._first or self._last

    def _is_due(self, now: float) -> bool:
        if self._first is None:
            return False
        return now - self._last >= _QUIET_SECONDS or now - self._first >= _BURST_SECONDS

    def _is_any_complete(self, now: float) -> bool:
        """Look at the files that were growing; one that vanished isn't any more."""
        complete = False
        for path, known in list(self._growing.items()):
            try:
                file = FileStamp.of(known.file.path)
            except OSError:
                del self._growing[path]
                continue
            if file != known.file:
                self._growing[path] = _Growing(file, now)
            else:
                complete |= now - known.since >= self._quiet_seconds
        return complete

    def _counts(self, path: str) -> bool:
        """Whether a change at a path may concern a video that isn't known to be growing."""
        if path in self._growing or os.path.join(path, "").startswith(self._without):
            return False
        root = next((root for root in self._roots if Path(path).is_relative_to(root)), None)
        if root is None:
            return False
        inside = Path(path).relative_to(root).parts
        if any(part.startswith(".") for part in inside):
            return False
        suffix = os.path.splitext(path)[1].lower()
        counts = suffix in VIDEO_SUFFIXES or suffix in SUBTITLE_SUFFIXES
        return not inside or counts or not suffix or not os.path.isfile(path)

    def _roots_changed(self) -> bool:
        """Notice roots that vanished, came back or were replaced, of which there are no reliable events."""
        there = [_look(root) for root in self._roots]
        if there == self._there:
            return False
        for root, before, now in zip(self._roots, self._there, there, strict=True):
            if before is not None and now is None:
                _LOG.warning("%s isn't there any more; its videos stay in the index", root)
        self._watch()
        return True

    def _watch(self) -> None:
        self._there = [_look(root) for root in self._roots]
        self._events = self._listen()
        self._take(next(self._events, set()))  # from here on, nothing is lost

    def _take(self, changes: set[FileChange]) -> None:
        if any(self._counts(path) for _, path in changes):
            self.change()

    def _listen(self) -> Iterator[set[FileChange]]:
        """Yield changes, at least once per tick, until asked to stop; nothing after the first is lost."""
        import watchfiles  # takes 0.2 s, which only this needs

        while not self._stop.is_set():
            if not self.present:
                time.sleep(_STEP_SECONDS)
                yield set()
                continue
            try:
                yield from watchfiles.watch(
                    *self.present,
                    watch_filter=None,
                    debounce=round(_TICK_SECONDS * 1000),
                    step=round(_STEP_SECONDS * 1000),
                    rust_timeout=round(_TICK_SECONDS * 1000),
                    yield_on_timeout=True,
                    stop_event=self._stop,
                    force_polling=self.poll_seconds is not None,
                    poll_delay_ms=round((self.poll_seconds or POLL_SECONDS) * 1000),
                    raise_interrupt=False,
                    ignore_permission_denied=True,
                )
            except FileNotFoundError:
                yield set()  # a root vanished just now
            except (OSError, RuntimeError) as error:
                if self.poll_seconds is not None:
                    raise
                self.poll_seconds = POLL_SECONDS
                _LOG.warning("no events of changes (%s): looking every %g seconds", error, POLL_SECONDS)


def _look(root: Path) -> _Root:
    try:
        stat = os.stat(root)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _places_of(folder: str, roots: Sequence[Path]) -> tuple[str, ...]:
    """Return the beginnings of the paths below a folder, also as they are seen through links in the roots."""
    found, real = {os.path.abspath(folder)}, Path(os.path.realpath(folder))
    for root in roots:
        real_root = os.path.realpath(root)
        if real.is_relative_to(real_root):
            found.add(str(root / real.relative_to(real_root)))
    return tuple(os.path.join(place, "") for place in sorted(found))


class _Stop:
    """What `watchfiles` asks whether to stop."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.is_set = should_stop
