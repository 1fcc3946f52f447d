"""When videos were recorded, in the index: stored, searched by, and added to an earlier index."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from index_run import count_commits
from random_videos import EMBED_SIZE, new_index, random_video

from centerclip.errors import QueryError
from centerclip.index import FileStamp, VideoIndex
from centerclip.index.conditions import instant, recorded_between
from centerclip.index.recorded import fitted
from centerclip.index.sql import Condition
from centerclip.records import Failed, Recorded

EARLIER = Path(__file__).parents[2] / "formats" / "index-2.zip"
"""An index without dates: `/v/a.mp4`, `/v/b.mp4` and `/v/broken.mp4`."""
MAY = datetime(2024, 5, 1).timestamp()
ANY = np.ones(EMBED_SIZE, np.float32)


@pytest.fixture
def earlier(tmp_path: Path) -> VideoIndex:
    with zipfile.ZipFile(EARLIER) as archive:
        archive.extractall(tmp_path / "index")
    return VideoIndex(tmp_path / "index", create=False)


def names(index: VideoIndex, where: str) -> set[str]:
    """Return the files of the windows that meet a condition; the files themselves must be the same."""
    (found,) = index.search(ANY, top=20, where=where)
    windows = {window.path.name for window in found.windows}
    assert {video.info.path.name for video in index.videos(where) if video.state == "done"} == windows
    return windows


def test_dates_are_stored_and_searched_by(tmp_path: Path) -> None:
    dated = random_video("/v/dated.mp4", modified=MAY + 9e6, recorded=Recorded(MAY, 540))
    index = new_index(tmp_path, dated, random_video("/v/plain.mp4", modified=MAY - 9e6))
    first, second = index.videos()
    assert (first.info, first.info.recorded_source) == (dated.info, "container")
    assert (second.info.recorded, second.info.recorded_seconds) == (None, MAY - 9e6)
    assert names(index, "recorded >= '2024-05-01'") == {"dated.mp4"}
    assert names(index, "recorded < '2024-05-01'") == {"plain.mp4"}
    assert {window.recorded_seconds for window in index.windows(first.info.video_id)} == {MAY}
    assert [v.info.path.name for v in index.videos("recorded_source = 'modified'")] == ["plain.mp4"]


def test_an_earlier_index_is_read_by_the_time_of_modification(earlier: VideoIndex) -> None:
    a, b, broken = earlier.videos()
    assert a.info.recorded is None
    assert a.info.recorded_seconds == a.info.modified_seconds
    (window, _) = earlier.windows(a.info.video_id)
    assert window.recorded_seconds == a.info.modified_seconds
    assert names(earlier, f"recorded = {a.info.modified_seconds} and path <> 'recorded_seconds'") == {
        "a.mp4",
        "b.mp4",
    }
    assert names(earlier, "recorded > '2024-05-01'") == set()
    assert earlier.videos("recorded_source is null") == [a, b, broken]
    assert earlier.export(Path(earlier.location).parent / "export") == 3


def test_a_writer_adds_the_columns_and_fills_them(earlier: VideoIndex) -> None:
    before = [window.vector.tolist() for window in earlier.windows(earlier.videos()[0].info.video_id)]
    with earlier.writer() as writer:
        assert writer.undated() == {"/v/a.mp4", "/v/b.mp4"}
        a, b, broken = earlier.videos()
        stamps = [FileStamp(v.info.path, v.info.size_bytes, v.info.modified_seconds) for v in (a, b)]
        writer.date([(stamps[0], Recorded(MAY, 540)), (stamps[1], None)])
        writer.date([(FileStamp(Path("/v/stranger.mp4"), 1, 1.0), None)])  # adds nothing
        assert writer.undated() == set()
        writer.finish()
    fresh = VideoIndex(earlier.location, create=False)
    assert len(fresh.videos()) == 3
    assert [v.info.recorded for v in fresh.videos()] == [Recorded(MAY, 540), None, None]
    assert fresh.videos()[2].reason == broken.reason
    assert names(fresh, "recorded >= '2024-05-01'") == {"a.mp4"}
    assert [window.vector.tolist() for window in fresh.windows(a.info.video_id)] == before
    assert [v.info.path.name for v in fresh.videos("recorded_source = 'modified'")] == ["b.mp4"]


class StoppedError(Exception):
    pass


def test_adding_the_columns_may_be_interrupted_anywhere(earlier: VideoIndex) -> None:
    def stop_at(wanted: int) -> None:
        def after(count: int) -> None:
            if count == wanted:
                raise StoppedError

        with count_commits(after), earlier.writer() as writer:
            videos = earlier.videos("state = 'done'")
            stamps = [FileStamp(v.info.path, v.info.size_bytes, v.info.modified_seconds) for v in videos]
            writer.date([(stamp, Recorded(MAY)) for stamp in stamps])

    seen = 0
    for commit in range(1, 20):
        try:
            stop_at(commit)
        except StoppedError:
            seen += 1
            assert len(VideoIndex(earlier.location).videos()) == 3
        else:
            break
    assert seen >= 4  # two tables get columns, two get dates
    assert names(VideoIndex(earlier.location), "recorded >= '2024-05-01'") == {"a.mp4", "b.mp4"}


def test_only_names_of_columns_are_replaced_for_an_earlier_index(earlier: VideoIndex) -> None:
    table = earlier._store.table("windows")
    given = Condition("path = 'it''s recorded_seconds' AND recorded_seconds > 1")
    assert fitted(table, given) == "path = 'it''s recorded_seconds' AND modified_seconds > 1"
    assert fitted(table, None) is None


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_months_and_days_are_those_of_this_machines_clocks(tmp_path: Path) -> None:
    instants = ["2024-04-30T14:59Z", "2024-04-30T15:00Z", "2024-05-31T14:59Z", "2024-12-31T15:00Z"]
    videos = [random_video(f"/v/{at}", recorded=Recorded(instant(at))) for at in instants]
    index = new_index(tmp_path, *videos, Failed(Path("/v/broken"), "damaged", (1, instant(instants[0]))))
    assert [(first.isoformat(), count) for first, count, _ in index.months()] == [
        ("2024-04-01", 1),
        ("2024-05-01", 2),
        ("2025-01-01", 1),
    ]
    assert index.months()[1][2] == 2 * videos[0].info.duration_seconds
    assert index.count_videos(recorded_between("2024-05-01", "2024-05-31")) == 2
    assert new_index(tmp_path / "empty").months() == VideoIndex(tmp_path / "none").months() == []


def test_any_time_of_modification_has_a_month(tmp_path: Path) -> None:
    times = [-1e18, -1e11, 0.0, 1e11, 1e12, 1e18]
    index = new_index(tmp_path, *(random_video(f"/v/{at}", modified=at) for at in times))
    assert sum(count for _, count, _ in index.months()) == len(times)


def test_a_span_of_days_includes_both(tmp_path: Path) -> None:
    days = {
        name: datetime(2024, 5, day, hour).timestamp()
        for name, day, hour in [("a", 1, 0), ("b", 1, 23), ("c", 2, 23), ("d", 3, 0)]
    }
    index = new_index(
        tmp_path, *(random_video(f"/v/{name}", recorded=Recorded(at)) for name, at in days.items())
    )

    def within(after: str = "", before: str = "") -> str:
        (found,) = index.search(ANY, top=20, where=recorded_between(after, before))
        return "".join(sorted({window.path.name for window in found.windows}))

    assert within("2024-05-01", "2024-05-02") == "abc"
    assert within("2024-05-01T23:00") == "bcd"
    assert within(before="2024-05-01T23:00") == "ab"
    assert within(before="9999-12-31") == "abcd"
    assert recorded_between(" ", "") is None
    with pytest.raises(QueryError, match="before='soon' isn't a date: write it like 2026-05-31"):
        recorded_between("", "soon")
    assert str(recorded_between("2024-05-01")) == f"(recorded_seconds >= {days['a']!r})"
