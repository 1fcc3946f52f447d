"""Dates and missing files over HTTP: sorted and filtered lists, months, and what is said of files that go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from serving import fill, running, tiny_encoder
from videos import make_video

from centerclip.client import Client, ServerError
from centerclip.index import VideoIndex
from centerclip.serve import ServerSettings, create_app

DAYS = {"april": "2024-04-30T21:00:00Z", "june": "2024-06-15T10:00:00Z", "old": "2019-06-15T10:00:00Z"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dated videos, and two that have only the time of their files: of 2024, and beyond calendars."""
    folder = tmp_path_factory.mktemp("library") / "videos"
    (folder / "trip").mkdir(parents=True)
    for frames, (name, day) in enumerate(DAYS.items(), start=8):
        make_video(folder / "trip" / f"{name}.mp4", frames=frames, metadata={"creation_time": day})
    make_video(folder / "plain.mp4", frames=14)
    os.utime(folder / "plain.mp4", (0, datetime(2024, 6, 30, 23, 59).timestamp()))
    make_video(folder / "far.mp4", frames=15)
    os.utime(folder / "far.mp4", (0, 1e12))
    (folder / "broken.mp4").write_text("no video", encoding="utf-8")
    os.utime(folder / "broken.mp4", (0, datetime(2024, 6, 1).timestamp()))
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    encoder, index = tiny_encoder(), VideoIndex(folder.parent / "index")
    fill(encoder, index, folder)
    settings = ServerSettings(port=0, folders=(folder,), cache_folder=folder.parent / "cache")
    with running(create_app(index, encoder, settings), settings) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def stems(files: list) -> list[str]:
    return [Path(file.name).stem for file in files]


def test_hits_are_sorted_by_date_over_all_pages(client: Client) -> None:
    found = client.search("a", per_video=1, where="recorded < '2030-01-01'").hits
    ranks = {hit.name: hit.rank for hit in found}
    for sort, order in (("date", -1), ("oldest", 1)):
        filters = {"per_video": 1, "where": "recorded < '2030-01-01'", "sort": sort, "top": 2}
        hits = list(client.hits("a", **filters))
        assert [hit.recorded for hit in hits] == sorted(
            (hit.recorded for hit in found), key=lambda t: order * t
        )
        assert {hit.name: hit.rank for hit in hits} == ranks
    assert {hit.recorded_source for hit in found} == {"container", "modified"}
    with pytest.raises(ServerError, match="sort"):
        client.search("a", sort="size")


def test_videos_are_sorted_and_filtered_by_date(client: Client) -> None:
    assert stems(client.videos(sort="oldest").videos) == ["old", "april", "broken", "june", "plain", "far"]
    assert stems(client.videos(sort="date", limit=2, offset=1).videos) == ["plain", "june"]
    june = client.videos(after="2024-06-01", before="2024-06-30", sort="oldest", limit=2)
    assert (stems(june.videos), june.total) == (["broken", "june"], 3)
    assert stems(client.videos(folder="trip", before="2024-12-31").videos) == ["april", "june", "old"]
    plain = next(video for video in client.videos().videos if video.name == "plain.mp4")
    assert (plain.recorded, plain.recorded_source) == (plain.modified, "modified")
    assert not plain.missing


def test_months_count_what_their_filters_find(client: Client) -> None:
    months = client.months().months
    assert [month.month for month in months if month.month < "2030"] == ["2024-06", "2024-04", "2019-06"]
    assert sum(month.videos for month in months) == 5
    assert sum(month.seconds for month in months) == pytest.approx(client.stats().seconds)
    for month in months[1:]:
        found = client.videos(after=month.after, before=month.before).videos
        done = [video for video in found if video.state == "done"]
        assert len(done) == month.videos
        assert sum(video.duration for video in done) == pytest.approx(month.seconds)


def test_what_is_gone_is_said(client: Client, folder: Path) -> None:
    hits = {hit.name: hit for hit in client.search("a", per_video=1).hits}
    assert not any(hit.missing for hit in hits.values())
    (folder / "plain.mp4").rename(folder / "away")
    os.utime(folder / "trip" / "old.mp4")
    try:
        again = {hit.name: hit.missing for hit in client.search("a", per_video=1).hits}  # the same, kept list
        assert {name for name, missing in again.items() if missing} == {"plain.mp4"}
        page = client.search("a", per_video=1, top=1, cursor="")
        while page.next:
            page = client.search("", top=1, cursor=page.next)
            assert [hit.missing for hit in page.hits] == [hit.name == "plain.mp4" for hit in page.hits]
        videos = {video.name: video.missing for video in client.videos().videos}
        assert {name for name, missing in videos.items() if missing} == {"plain.mp4"}
        for name, reason in (
            ("plain.mp4", "plain.mp4 isn't there: it was moved or deleted, or its disk isn't connected"),
            ("old.mp4", "old.mp4 was changed after it was indexed: index it again"),
        ):
            for place in (hits[name].media, hits[name].excerpt):
                answer = httpx.get(str(client._http.base_url.join(place)))
                assert answer.status_code == 410
                assert answer.json() == {"error": {"code": "gone", "message": reason}}
    finally:
        (folder / "away").rename(folder / "plain.mp4")


def test_a_copy_that_is_there_stands_in_for_one_that_is_gone(tmp_path: Path) -> None:
    encoder, index = tiny_encoder(), VideoIndex(tmp_path / "index")
    (tmp_path / "videos").mkdir()
    shutil.copy(make_video(tmp_path / "videos" / "a.mp4"), tmp_path / "videos" / "b.mp4")
    fill(encoder, index, tmp_path / "videos")
    settings = ServerSettings(port=0, cache_folder=tmp_path / "cache")
    with running(create_app(index, encoder, settings), settings) as address, Client(address) as client:
        (tmp_path / "videos" / "a.mp4").unlink()
        (hit,) = client.search("a", per_video=1).hits
        assert (hit.name, hit.missing) == ("a.mp4", False)
        (tmp_path / "videos" / "b.mp4").unlink()
        assert [hit.missing for hit in client.search("a", per_video=1).hits] == [True]
