"""When a file was recorded: as its container says, with the zone if it has one, and never nonsense."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from videos import make_video, probe

from centerclip.errors import VideoError
from centerclip.records import Recorded
from centerclip.video import read_recorded
from centerclip.video.recorded import parse_recorded

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
EVENING = datetime(2024, 5, 1, 18, 0, tzinfo=timezone(timedelta(hours=9))).timestamp()
APPLE = "com.apple.quicktime.creationdate"


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("2024-05-01T18:00:00+0900", Recorded(EVENING, 540)),
        ("2024-05-01T09:00:00.000000Z", Recorded(EVENING, None)),
        ("2024-05-01T09:00:00+00:00", Recorded(EVENING, 0)),
        ("2024-05-01T04:30:00-04:30", Recorded(EVENING, -270)),
        ("1904-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("1970-01-01T12:00:00-0800", None),
        ("1970-01-02T00:00:00Z", Recorded(86_400.0)),
        ("1601-01-01T00:00:00Z", None),
        ("2026-06-01T12:00:00Z", Recorded(NOW + 43_200)),
        ("2026-06-02T00:00:01Z", None),
        ("9999-12-31T23:59:59-2359", None),
        ("0001-01-01T00:00:00+2359", None),
        ("yesterday", None),
        ("", None),
        ("2024", None),
    ],
)
def test_a_date_is_parsed_or_refused(text: str, recorded: Recorded | None) -> None:
    assert parse_recorded(text, NOW) == recorded


def test_a_time_without_a_zone_is_this_machines() -> None:
    assert parse_recorded("2024-05-01 18:00:00", NOW) == Recorded(datetime(2024, 5, 1, 18).timestamp())


def both(path: Path) -> Recorded | None:
    """Read the date as indexing does and as a run does that only dates a file."""
    info = probe(path)
    assert info.recorded == read_recorded(path)
    return info.recorded


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx")])
def test_the_containers_time_is_read(tmp_path: Path, suffix: str, codec: str) -> None:
    stated = {"creation_time": "2024-05-01T09:00:00Z"}
    path = make_video(tmp_path / f"a.{suffix}", frames=4, codec=codec, metadata=stated)
    assert both(path) == Recorded(EVENING)


def test_the_time_with_a_zone_comes_first(tmp_path: Path) -> None:
    stated = {"creation_time": "2024-06-01T09:00:00Z", APPLE: "2024-05-01T18:00:00+0900"}
    keys = {"movflags": "use_metadata_tags"}
    path = make_video(tmp_path / "a.mov", frames=4, metadata=stated, container_options=keys)
    assert both(path) == Recorded(EVENING, 540)
    stated[APPLE] = "1904-01-01T00:00:00+0000"  # nonsense: the other one counts
    path = make_video(tmp_path / "b.mov", frames=4, metadata=stated, container_options=keys)
    assert both(path) == Recorded(datetime(2024, 6, 1, 9, tzinfo=UTC).timestamp())


def test_without_a_date_the_files_own_time_stands_in(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=4)
    os.utime(path, (1.0, 1_000_000.5))
    info = probe(path)
    assert info.recorded is None
    assert (info.recorded_seconds, info.recorded_source, info.recorded_zone) == (
        1_000_000.5,
        "modified",
        None,
    )


def test_a_file_that_is_no_video_has_no_date(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(VideoError, match=r"a\.mp4: is not a video"):
        read_recorded(path)
