"""When a recording began, as its container says. Decodes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from av.container import InputContainer
from av.stream import Stream

from centerclip.records import Recorded

__all__ = ["parse_recorded", "recorded_of"]

_ZONED = "com.apple.quicktime.creationdate"
"""Written by phones and editors beside `creation_time`, with the zone of the place."""
_TIME = "creation_time"
"""FFmpeg's name for the time in the header of MP4 and QuickTime files, Matroska's DateUTC, and others."""
_DAY_SECONDS = 86_400.0


def recorded_of(container: InputContainer, stream: Stream) -> Recorded | None:
    """Return when an open file was recorded; None if it doesn't say, or only nonsense."""
    now = time.time()
    found = (parse_recorded(text, now) for text in _stated(container, stream))
    return next((recorded for recorded in found if recorded is not None), None)


def _stated(container: InputContainer, stream: Stream) -> Iterator[str]:
    for name in (_ZONED, _TIME):
        for place in (container.metadata, stream.metadata):
            if name in place:
                yield place[name]


def parse_recorded(text: str, now: float) -> Recorded | None:
    """Parse an ISO date and time; one without a zone is in this machine's.

    Clocks that were never set write the epoch of their format: 1904, 1601 or 1970. Such a time is refused, as
    is any before 2 January 1970, and one more than a day after `now` (seconds since 1970), since zones are
    sometimes left out.
    """
    with suppress(ValueError, OverflowError, OSError):
        at = datetime.fromisoformat(text)
        zone, seconds = at.utcoffset(), at.timestamp()
        if _DAY_SECONDS <= seconds <= now + _DAY_SECONDS:
            minutes = None if zone is None or text.endswith("Z") else round(zone.total_seconds() / 60)
            return Recorded(seconds, minutes)
    return None
