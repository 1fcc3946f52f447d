"""Moments that leave by the REST API: clips, archives, reels and edit lists; and the client's methods."""

from __future__ import annotations

import asyncio
import html
import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import opentimelineio as otio
import pytest
from serving import Served, serve_library

from centerclip.client import Client, ServerError
from centerclip.errors import VideoError
from centerclip.serve import ServerSettings
from centerclip.serve.exporting import _place
from centerclip.video import cuts, media_of

DISPOSITION = "content-disposition"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("served")
    with serve_library(place, max_clip_seconds=20, max_export_moments=5, max_export_seconds=60) as served:
        yield served


def moment(served: Served, name: str, start: float = 0.5, end: float = 2.0) -> dict[str, Any]:
    return {"video_id": served.id_of(name), "start": start, "end": end}


def export(served: Served, kind: str, *moments: dict[str, Any], **more: Any) -> httpx.Response:
    return served.http.post("/api/export", json={"format": kind, "moments": moments, **more})


def saved(answer: httpx.Response, path: Path) -> Path:
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)
    return path


def lost(answer: httpx.Response) -> list[dict[str, str]]:
    return json.loads(unquote(answer.headers.get("centerclip-failed", "[]")))


def leftovers(served: Served) -> list[str]:
    folder = served.folder.parent / "cache" / "excerpts"
    return [entry.name for entry in folder.iterdir() if not entry.name.endswith((".mp4", ".mov"))] + [
        entry.name for entry in folder.glob(".*")
    ]


def test_a_hit_names_its_clip_which_is_a_download(served: Served, tmp_path: Path) -> None:
    hits = served.http.get("/api/search", params={"q": "a red car"}).json()["hits"]
    for hit in hits:
        answer = served.http.get(hit["clip"])
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers[DISPOSITION].startswith("attachment; filename")
        clip = media_of(saved(answer, tmp_path / "clip.mp4"))
        assert clip.duration_seconds == pytest.approx(hit["end"] - hit["start"], abs=0.65)
    named = served.http.get(f"/clips/{served.id_of('strand & meer.mp4')}?start=1&end=2&rank=7&pad=0.25")
    assert unquote(named.headers[DISPOSITION]).endswith("07_strand & meer_00-00-00.750.mp4") or (
        'filename="07_strand & meer_00-00-00.750.mp4"' in named.headers[DISPOSITION]
    )
    assert media_of(saved(named, tmp_path / "b.mp4")).frames in range(15, 22)
    part = served.http.get(f"/clips/{served.id_of('old.avi')}?start=1&end=2", headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


def test_names_of_every_alphabet_survive_the_header(served: Served) -> None:
    served.add("京都 „1“.mp4", shade=50)
    video = served.id_of("京都 „1“.mp4")
    said = served.http.get(f"/clips/{video}?start=0&end=0.5").headers[DISPOSITION]
    assert said.isascii()
    assert unquote(said.partition("filename*=utf-8''")[2]) == "01_京都 „1“_00-00-00.000.mp4"
    answer = export(served, "csv", {"video_id": video, "start": 0, "end": 1}, title='a/"b"\r\nc 京')
    assert unquote(answer.headers[DISPOSITION].partition("utf-8''")[2]) == "a__b___c 京.csv"
    assert "京都 „1“.mp4" in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/clips/{id}?start=2&end=2", 422),
        ("/clips/{id}?start=2&end=1", 422),
        ("/clips/{id}?start=0&end=20.1", 422),
        ("/clips/{id}?start=0&end=19&pad=1", 422),
        ("/clips/{id}?start=-1&end=1", 422),
        ("/clips/{id}?start=0&end=nan", 422),
        ("/clips/" + "0" * 32 + "?start=0&end=1", 404),
    ],
)
def test_clips_that_make_no_sense_are_refused(served: Served, address: str, status: int) -> None:
    answer = served.http.get(address.replace("{id}", served.id_of("blue.mp4")))
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_an_archive_has_a_clip_per_moment(served: Served, tmp_path: Path) -> None:
    moments = [moment(served, name) for name in ("old.avi", "blue.mp4", "film.mkv", "blue.mp4")]
    answer = export(served, "zip", *moments, title="red cars", pad=0.1)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers[DISPOSITION] == 'attachment; filename="red cars.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "01_old_00-00-00.400.mp4",
            "02_blue_00-00-00.400.mp4",
            "03_film_00-00-00.400.mp4",
            "04_blue_00-00-00.400.mp4",
        ]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        for name in archive.namelist():
            clip = media_of(Path(archive.extract(name, tmp_path)))
            assert 1.6 < clip.duration_seconds < 2.5
    assert leftovers(served) == []


def test_a_reel_joins_moments(served: Served, tmp_path: Path) -> None:
    answer = export(served, "reel", moment(served, "old.avi"), moment(served, "blue.mp4"))
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers[DISPOSITION] == 'attachment; filename="centerclip.mp4"'
    reel = media_of(saved(answer, tmp_path / "reel.mp4"))
    assert (reel.frames, reel.width, reel.height) == (30, 64, 48)
    assert leftovers(served) == []


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("edl", "text/plain"), ("fcpxml", "application/xml"), ("otio", "application/json"), ("csv", "text/csv")],
)
def test_lists_name_files_as_the_visitor_has_them(served: Served, kind: str, type_: str) -> None:
    moments = [moment(served, "strand & meer.mp4"), moment(served, "blue.mp4", 3, 4)]
    local = export(served, kind, *moments, title="x")
    assert local.headers["content-type"].startswith(type_)
    address, path = kind in ("fcpxml", "otio"), served.folder / "Urlaub 2024" / "strand & meer.mp4"
    text = html.unescape(local.text)
    assert (path.as_uri() if address else str(path)) in text
    mapped = export(served, kind, *moments, root="/Volumes/My Footage/").text
    assert str(served.folder) not in mapped
    folder = "/Volumes/My Footage/Urlaub 2024/"
    assert (folder.replace(" ", "%20") if address else folder) in mapped


def test_visitors_from_elsewhere_see_no_folder_of_the_server(tmp_path: Path) -> None:
    token = "a token of the tests"
    with serve_library(tmp_path, token=token) as served:
        served.http.headers["Authorization"] = f"Bearer {token}"
        for kind in ("edl", "fcpxml", "otio", "csv"):
            text = export(served, kind, moment(served, "strand & meer.mp4")).text
            assert str(tmp_path) not in text
            assert "strand" in text
        windows = export(served, "csv", moment(served, "strand & meer.mp4"), root="D:\\Footage").text
        assert "D:\\Footage\\Urlaub 2024\\strand & meer.mp4" in windows
        video = served.http.get(f"/api/videos/{served.id_of('blue.mp4')}").json()
        assert (video["name"], video["path"]) == ("blue.mp4", "")
        services = served.app.state.services
        assert _place(services, served.folder / "blue.mp4", "\\\\nas\\film\\") == "\\\\nas\\film\\blue.mp4"
        anonymous = served.http.post("/api/export", json={}, headers={"Authorization": ""})
        assert anonymous.status_code == 401


def test_what_is_gone_or_damaged_costs_its_own_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_library(tmp_path) as served:
        gone, damaged, good = (moment(served, name) for name in ("film.mkv", "old.avi", "blue.mp4"))
        (served.folder / "Urlaub 2024" / "film.mkv").unlink()
        ask = cuts._ask

        def fail(path: Path, message: dict[str, Any]) -> dict[str, Any]:
            if path.name == "old.avi":
                raise VideoError(f"{path}: its decoder crashed")
            return ask(path, message)

        monkeypatch.setattr(cuts, "_ask", fail)
        answer = export(served, "zip", gone, damaged, good)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["03_blue_00-00-00.500.mp4", "failed.txt"]
            reasons = archive.read("failed.txt").decode().splitlines()
        assert reasons[0].startswith("film.mkv: film.mkv isn't there")
        assert reasons[1].startswith("old.avi: ")
        assert str(tmp_path) not in "".join(reasons)
        for kind in ("reel", "csv"):
            answer = export(served, kind, gone, damaged, good)
            assert answer.status_code == 200
            assert [one["name"] for one in lost(answer)] == ["film.mkv", "old.avi"]
            nothing = export(served, kind, damaged)
            assert (nothing.status_code, nothing.json()["error"]["code"]) == (415, "unsupported_file")
        assert export(served, "zip", damaged).status_code == 415
        assert export(served, "zip", gone).status_code == 410
        assert leftovers(served) == []


def test_exports_are_limited(served: Served) -> None:
    one = moment(served, "blue.mp4")
    long = moment(served, "blue.mp4", 0, 15)
    for moments, more, reason in (
        ([one] * 6, {}, "at most 5 moments"),
        ([moment(served, "blue.mp4", 0, 21)], {}, "at most 20 seconds"),
        ([long] * 5, {}, "at most 1 minutes"),
        ([one], {"pad": 10}, "at most 20 seconds"),
        ([moment(served, "blue.mp4", 2, 1)], {}, "greater than `start`"),
    ):
        for kind in ("zip", "reel"):
            answer = export(served, kind, *moments, **more)
            assert (answer.status_code, reason in answer.text) == (422, True), answer.text
    assert export(served, "csv", *[long] * 6).status_code == 200
    assert export(served, "zip").status_code == 422
    assert export(served, "gif", one).status_code == 422
    unknown = {"video_id": "0" * 32, "start": 0, "end": 1}
    assert export(served, "zip", one, unknown).status_code == 404


def test_a_visitor_who_leaves_ends_the_work(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many clips, only the one in progress is finished; a reel's parts are deleted."""
    services = served.app.state.services
    made: list[str] = []
    run = services.cutting.run

    async def slow(work: Any, **more: Any) -> Any:
        done = await run(work, **more)
        made.append("step")
        await asyncio.sleep(0.3)
        return done

    monkeypatch.setattr(services.cutting, "run", slow)
    for kind, started in (("zip", b"PK"), ("reel", b"")):
        made.clear()
        moments = [moment(served, "blue.mp4", 0.1 * n, 0.1 * n + 1) for n in range(5)]
        wanted = {"format": kind, "moments": moments}
        with (
            suppress(httpx.ReadTimeout),
            httpx.Client(base_url=served.http.base_url, timeout=0.5 if kind == "reel" else 60) as hasty,
            hasty.stream("POST", "/api/export", json=wanted) as answer,
        ):
            assert next(answer.iter_raw()).startswith(started)
        until = time.monotonic() + 20
        while time.monotonic() < until and (services.cutting.taken or leftovers(served)):
            time.sleep(0.05)
        assert len(made) < 5
        assert leftovers(served) == []


def test_the_client_downloads_clips_and_exports(served: Served, tmp_path: Path) -> None:
    with Client(str(served.http.base_url)) as client:
        hits = client.search("a red car", per_video=1).hits[:2]
        client.clip(hits[0], tmp_path / "clip.mp4", pad=0.5)
        assert media_of(tmp_path / "clip.mp4").frames > 5
        for kind in ("zip", "reel", "edl", "fcpxml", "otio", "csv"):
            assert client.export(hits, kind, tmp_path / f"all.{kind}", title="cars", root="/v") == []
        assert zipfile.is_zipfile(tmp_path / "all.zip")
        timeline = otio.adapters.read_from_file(str(tmp_path / "all.otio"))
        assert [clip.name for clip in timeline.tracks[0]] == [hit.name for hit in hits]
        with pytest.raises(ServerError, match="at most 5 moments"):
            client.export(hits * 5, "zip", tmp_path / "none.zip")
        assert not (tmp_path / "none.zip").exists()


def test_limits_have_defaults() -> None:
    assert ServerSettings().max_export_moments == 100
