"""The REST API as programs use it: a real server on this machine with a small library."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from serving import SECONDS, Served, running, serve_library, tiny_encoder

from centerclip.api import FoundMoment
from centerclip.index import VideoIndex
from centerclip.indexing import FileResult, SyncOptions, SyncProgress
from centerclip.serve import ServerSettings, create_app, jobs


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("served"), max_upload_bytes=1 << 20) as served:
        yield served


def search(served: Served, **params: object) -> dict:
    answer = served.http.get("/api/search", params={"q": "a red car", **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(answer: httpx.Response) -> str:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return body["error"]["code"]


# Searching


def test_hits_say_where_a_moment_is_and_name_no_folder_of_the_server(served: Served) -> None:
    answer = served.http.get("/api/search", params={"q": "a red car", "per_video": 5})
    found = answer.json()
    assert found["query"] == "a red car"
    assert found["version"] == served.index.version
    assert {hit["name"] for hit in found["hits"]} <= {"blue.mp4", "strand & meer.mp4", "old.avi", "film.mkv"}
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, len(found["hits"]) + 1))
    assert {hit["folder"] for hit in found["hits"]} <= {"", "Urlaub 2024"}
    for hit in found["hits"]:
        assert set(hit) == set(FoundMoment.model_fields)
        assert 0 <= hit["start"] < hit["end"] <= hit["duration"]
        assert hit["window_start"] <= hit["end"]
        assert hit["playable"] == hit["name"].endswith(".mp4")
    assert str(served.folder.parent) not in answer.text


def test_the_addresses_in_a_hit_work(served: Served) -> None:
    hit = search(served)["hits"][0]
    for name in ("thumbnail", "media", "excerpt"):
        assert served.http.get(hit[name]).status_code == 200, name


def test_filters(served: Served) -> None:
    def names(**params: object) -> set[str]:
        return {hit["name"] for hit in search(served, per_video=1, **params)["hits"]}

    assert names(folder="Urlaub 2024") == {"strand & meer.mp4", "old.avi", "film.mkv"}
    assert names(folder="Urlaub") == set()  # a folder, not the beginning of a name
    assert names(folder="../") == set()
    assert names(min_duration=SECONDS - 0.5) == {"blue.mp4"}
    assert names(max_duration=5) == {"strand & meer.mp4", "old.avi"}
    assert names(where="codec = 'mpeg4'") == {"old.avi"}
    modified = served.index.videos()[0].info.modified_seconds
    day = datetime.fromtimestamp(modified).date().isoformat()
    assert len(names(after=day, before=day)) == 4  # both days count
    assert names(after="2100-01-01") == set()
    assert names(before="2020-01-01T12:00:00Z") == set()
    assert len(names(after="1970-01-02", before="9999-12-31")) == 4
    assert names(after="9999-12-31") == set()
    assert len(names(where=f"modified_seconds >= '{day}' and video_id is not null")) == 4


def test_conditions_are_about_the_path_that_visitors_see(served: Served) -> None:
    def names(where: str) -> set[str]:
        return {hit["name"] for hit in search(served, per_video=1, where=where)["hits"]}

    assert names("path like 'Urlaub 2024/%'") == {"strand & meer.mp4", "old.avi", "film.mkv"}
    assert names("path = 'blue.mp4'") == {"blue.mp4"}
    folder = str(served.folder)
    for probe in (f"path like '{folder}%'", f"path >= '{folder}' and path < '{folder}0'", "path like '/%'"):
        assert names(probe) == set()
    assert len(names("path not like '%/videos/%'")) == 4
    assert names(f"path like '%{served.folder.parent.name[:5]}%'") == set()


@pytest.mark.parametrize(
    "where",
    [
        "array_repeat(path,1000000000) is null",
        "levenshtein(repeat('a',1000000),repeat('b',1000000))>0",
        "array_length(generate_series(1,1000000000)) > 0",
        "$1=1",
        "starts_with(path,'/')",
        "path in (select path from windows)",
        "cast(width as text) = '1'",
        "width = 1; drop table windows",
        "width = 1 -- and more",
        "(" * 1000,
        "not " * 249 + "true",
    ],
)
def test_conditions_never_reach_the_functions_of_the_store(served: Served, where: str) -> None:
    answer = served.http.get("/api/search", params={"q": "a", "where": where})
    assert (answer.status_code, error(answer)) == (422, "invalid")
    assert "Compare the columns path, video_id" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "params",
    [
        {"q": ""},
        {"q": "x" * 501},
        {"q": "beach +"},
        {"q": "a", "after": "yesterday"},
        {"q": "a", "before": "0001-01-01"},
        {"q": "a", "before": "10000-01-01"},
        {"q": "a", "where": "nothing = 1"},
        {"q": "a", "top": 0},
        {"q": "a", "cursor": "what"},
        {"q": "", "like": "../../etc/passwd"},
        {"q": "a", "min_duration": "nan"},
    ],
)
def test_invalid_searches_are_refused_with_a_reason(served: Served, params: dict) -> None:
    answer = served.http.get("/api/search", params=params)
    assert answer.status_code == 422, answer.text
    assert error(answer) == "invalid"


def test_words_never_open_files_of_the_server(served: Served) -> None:
    plain = search(served, q=f"{served.folder}/blue.mp4")
    assert plain["hits"]  # words like any others
    assert all(hit["score"] < 0.999 for hit in plain["hits"])


def test_more_like_this(served: Served) -> None:
    blue = served.id_of("blue.mp4")
    answer = served.http.get("/api/search", params={"like": blue, "start": SECONDS - 0.1})
    assert answer.status_code == 200
    assert blue not in {hit["video_id"] for hit in answer.json()["hits"]}
    assert served.http.get("/api/search", params={"like": "0" * 32}).status_code == 404
    both = served.http.get("/api/search", params={"like": blue, "start": 0, "q": "a red car"}).json()
    alone = search(served)
    assert both["query"] == "more like blue.mp4 a red car"
    assert [hit["score"] for hit in both["hits"]] != [hit["score"] for hit in alone["hits"]]
    assert blue not in {hit["video_id"] for hit in both["hits"]}


def test_all_pages_together_are_the_whole_list(served: Served) -> None:
    whole = search(served, top=100, per_video=10)["hits"]
    assert len(whole) > 3
    paged, cursor = [], ""
    while True:
        page = search(served, top=2, per_video=10, cursor=cursor)
        paged += page["hits"]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["hits"]) == 2
    assert paged == whole

    first = search(served, top=2, per_video=10)
    alone = served.http.get("/api/search", params={"cursor": first["next"], "top": 2})  # without the query
    assert alone.json()["hits"] == whole[2:4]


def test_a_query_that_the_model_cannot_read_gets_a_note(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    german = {"q": "ein Hund am Strand", "top": 2, "per_video": 10}
    assert search(served, **german)["note"] == ""  # nothing is known of this model
    monkeypatch.setattr(served.encoder, "name", "openai/clip-vit-base-patch32")
    assert search(served, top=1)["note"] == ""
    first = search(served, **german | {"q": "eine Katze am Strand"})
    assert "clip-vit-base-patch32 knows only English" in first["note"]
    assert search(served, **german | {"cursor": first["next"]})["note"] == first["note"]
    assert upload(served, picture(), data={"q": "- ein Hund"}).json()["note"] == first["note"]
    assert upload(served, picture()).json()["note"] == ""


def test_an_unknown_cursor_is_gone(served: Served) -> None:
    answer = served.http.get("/api/search", params={"q": "a red car", "cursor": f"{'0' * 24}.2"})
    assert (answer.status_code, error(answer)) == (410, "gone")


def test_a_list_does_not_change_while_the_library_grows(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        whole = search(served, top=100, per_video=10)
        first = search(served, top=2, per_video=10)
        served.add("new.mp4", shade=120)
        second = search(served, top=100, per_video=10, cursor=first["next"])
        assert first["hits"] + second["hits"] == whole["hits"]
        assert second["version"] == first["version"]
        fresh = search(served, top=100, per_video=10)
        assert fresh["version"] > first["version"]
        assert "new.mp4" in {video["name"] for video in served.http.get("/api/videos").json()["videos"]}
        assert served.http.get("/api/stats").json()["videos"] == 5


# Searching by a file


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 245, 30)).save(file, "PNG")
    return file.getvalue()


def upload(served: Served, content: bytes, name: str = "x.png", **more: Any) -> httpx.Response:
    return served.http.post("/api/search", files={"file": (name, content)}, **more)


def test_search_with_a_video_finds_that_video(served: Served) -> None:
    video = (served.folder / "Urlaub 2024" / "strand & meer.mp4").read_bytes()
    answer = upload(served, video, "../../mine.mp4", params={"top": 1})
    assert answer.status_code == 200, answer.text
    best = answer.json()["hits"][0]
    assert (best["name"], round(best["score"], 3)) == ("strand & meer.mp4", 1.0)
    assert answer.json()["query"] == "mine.mp4"


def test_search_with_a_picture_and_words(served: Served) -> None:
    alone = upload(served, picture()).json()
    combined = upload(served, picture(), data={"q": "- a red car"}).json()
    assert alone["hits"]
    assert [hit["score"] for hit in alone["hits"]] != [hit["score"] for hit in combined["hits"]]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 415, "unsupported_file"),  # FFmpeg would open that
        (b"ffconcat version 1.0\nfile /etc/passwd\n", 415, "unsupported_file"),
        (b"\x00\x00\x00\x18ftypmp42 and nothing more", 415, "unsupported_file"),
        (bytes((1 << 20) + 70_000), 413, "too_large"),
    ],
    ids=["empty", "playlist", "concat", "damaged", "large"],
)
def test_invalid_uploads_are_refused(served: Served, content: bytes, status: int, code: str) -> None:
    answer = upload(served, content)
    assert (answer.status_code, error(answer)) == (status, code)
    assert "/tmp" not in answer.text


def test_a_large_upload_of_unknown_length_is_cut_off(served: Served) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(40):
            yield bytes(1 << 16)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = served.http.post("/api/search", content=endless(), headers=headers)
    assert (answer.status_code, error(answer)) == (413, "too_large")


# Videos


def test_indexed_and_failed_videos_are_listed(served: Served) -> None:
    listed = served.http.get("/api/videos", params={"limit": 3}).json()
    assert (listed["total"], len(listed["videos"])) == (5, 3)
    rest = served.http.get("/api/videos", params={"limit": 3, "offset": 3}).json()
    videos = {video["name"]: video for video in listed["videos"] + rest["videos"]}
    assert len(videos) == 5
    assert videos["broken.mp4"]["state"] == "failed"
    assert videos["broken.mp4"]["reason"]
    assert videos["old.avi"]["codec"] == "mpeg4"
    assert str(served.folder) not in str(videos)
    one = served.http.get(f"/api/videos/{videos['old.avi']['video_id']}").json()
    assert one == videos["old.avi"] | {"path": str(served.folder / "Urlaub 2024" / "old.avi")}
    assert served.http.get(f"/api/videos/{'f' * 32}").status_code == 404


def test_the_curve_covers_the_video_and_contains_its_moments(served: Served) -> None:
    blue = served.id_of("blue.mp4")
    curve = served.http.get(f"/api/videos/{blue}/curve", params={"q": "a red car"}).json()
    assert len(curve["times"]) == len(curve["scores"]) == 4  # two windows of two segments
    assert curve["times"][0][0] == 0
    assert curve["times"][-1][1] == pytest.approx(SECONDS)
    assert all(before[1] == after[0] for before, after in pairwise(curve["times"]))
    assert curve["moments"]
    assert all(0 <= moment["start"] < moment["end"] <= SECONDS for moment in curve["moments"])
    like = served.http.get(f"/api/videos/{blue}/curve", params={"like": blue, "start": 0}).json()
    assert like["times"] == curve["times"]
    assert like["scores"] != curve["scores"]
    assert served.http.get(f"/api/videos/{blue}/curve").status_code == 422


def test_the_reduction_is_drawn(served: Served) -> None:
    answer = served.http.get(f"/api/videos/{served.id_of('blue.mp4')}/tokens", params={"start": 5})
    assert answer.headers["content-type"] == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
    assert min(shown.shape[:2]) > 100
    vivid = shown.max(axis=2).astype(int) - shown.min(axis=2) > 60
    assert 0.02 < vivid.mean() < 0.6  # some patches keep their color, others are dimmed


# Files, thumbnails, excerpts


def test_media_by_ranges(served: Served) -> None:
    address, content = f"/media/{served.id_of('blue.mp4')}", (served.folder / "blue.mp4").read_bytes()
    assert served.http.get(address).content == content
    part = served.http.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert served.http.get(address, headers={"Range": "bytes=-5"}).content == content[-5:]
    beyond = served.http.get(address, headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    head = served.http.head(address)
    assert (head.headers["content-length"], head.content) == (str(len(content)), b"")
    assert head.headers["accept-ranges"] == "bytes"


def test_unchanged_thumbnails_are_not_sent_again(served: Served) -> None:
    address = f"/thumbnails/{served.id_of('blue.mp4')}?t=5.5"
    answer = served.http.get(address)
    assert (answer.headers["content-type"], answer.content[:2]) == ("image/jpeg", b"\xff\xd8")
    again = served.http.get(address, headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/media/../blue.mp4",
        "/media/%2e%2e%2fblue.mp4",
        "/media/..%5c..%5cetc%5cpasswd",
        "/media/%2fetc%2fpasswd",
        f"/media/{'0' * 32}",
        "/thumbnails/../../index",
        "/static/../application.py",
        "/static/%2e%2e/application.py",
        "/static//etc/passwd",
        "/excerpts/..%2fold.avi?start=0&end=1",
        "/api/index/..%2f..%2fetc%2fpasswd",
    ],
)
def test_only_indexed_files_can_be_reached(served: Served, path: str) -> None:
    connection = served.http._transport  # httpx would tidy such paths up
    request = served.http.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = connection.handle_request(request)
    answer.read()
    assert answer.status_code in {404, 405, 422}, path
    assert error(answer)


def test_a_file_that_changed_is_gone(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        video = served.id_of("blue.mp4")
        path = served.folder / "blue.mp4"
        stat = path.stat()
        os.utime(path, (stat.st_atime, stat.st_mtime + 10))
        for address in (f"/media/{video}", f"/excerpts/{video}?start=0&end=1", f"/api/videos/{video}/tokens"):
            answer = served.http.get(address)
            assert (answer.status_code, error(answer)) == (410, "gone")
            assert str(served.folder) not in answer.text
        path.unlink()
        path.symlink_to("/etc/passwd")
        assert served.http.get(f"/media/{video}").status_code == 410


@pytest.mark.parametrize("name", ["old.avi", "film.mkv", "strand & meer.mp4"])
def test_excerpts_of_any_format_play_in_browsers(served: Served, name: str) -> None:
    answer = served.http.get(f"/excerpts/{served.id_of(name)}", params={"start": 1.0, "end": 3.0})
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content)) as excerpt:
        video = excerpt.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.height, video.width) == (48, 64)
        times = [frame.time for frame in excerpt.decode(video)]
    assert times[0] == 0
    assert 1.7 <= times[-1] <= 2.5
    part = served.http.get(str(answer.url), headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, answer.content[:4])


def test_an_excerpt_shows_the_moment(served: Served) -> None:
    def at(content: bytes, seconds: float) -> np.ndarray:
        with av.open(io.BytesIO(content)) as video:
            frames = [frame for frame in video.decode(video=0) if frame.time <= seconds + 0.01]
        return frames[-1].to_ndarray(format="rgb24").astype(int)

    empty = served.http.get(f"/excerpts/{served.id_of('old.avi')}?start=2&end=2")
    assert empty.status_code == 422
    whole = (served.folder / "Urlaub 2024" / "old.avi").read_bytes()
    excerpt = served.http.get(f"/excerpts/{served.id_of('old.avi')}?start=2&end=3").content
    assert np.abs(at(excerpt, 0.5) - at(whole, 2.5)).mean() < 6
    assert np.abs(at(excerpt, 0.5) - at(whole, 0.5)).mean() > 6


# Indexing

HOLD_THE_INDEX = """
import sys, time
from centerclip.index import VideoIndex
with VideoIndex(sys.argv[1]).writer():
    print("writing", flush=True)
    time.sleep(120)
"""


def test_another_process_blocks_indexing_until_it_dies(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        command = [sys.executable, "-c", HOLD_THE_INDEX, served.index.location]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "writing\n"
            answer = served.http.post("/api/index", json={})
            assert (answer.status_code, error(answer)) == (409, "conflict")
            assert f"is being written by process {other.pid}" in answer.text
            assert str(tmp_path) not in answer.text
            other.kill()
        job = served.http.post("/api/index", json={}).json()["job"]
        assert '"state":"done"' in served.http.get(f"/api/index/{job}/events").text


def test_jobs_run_one_at_a_time_until_they_are_canceled_or_the_server_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(index: object, roots: object, encoder: object, options: SyncOptions) -> Iterator[FileResult]:
        assert options.on_progress is not None
        options.on_progress(SyncProgress(0, 9))
        yield FileResult(tmp_path / "a.mp4", "indexed")
        while not options.should_stop():
            time.sleep(0.01)

    with httpx.Client(timeout=60) as watcher:
        with serve_library(tmp_path) as served:
            monkeypatch.setattr(jobs, "sync", endless)
            job = served.http.post("/api/index", json={}).json()["job"]
            second = served.http.post("/api/index", json={})
            assert (second.status_code, error(second)) == (409, "conflict")
            assert f"job {job} is running" in second.text
            served.http.delete(f"/api/index/{job}")
            last = served.http.get(f"/api/index/{job}/events").text.split("data: ")[-1]
            assert json.loads(last)["state"] == "canceled"
            assert (json.loads(last)["total"], json.loads(last)["states"]) == (9, {"indexed": 1})
            job = served.http.post("/api/index", json={}).json()["job"]
            request = watcher.build_request("GET", f"{served.http.base_url}/api/index/{job}/events")
            events = watcher.send(request, stream=True)
            lines = events.iter_lines()
            assert next(lines) == "event: progress"
        list(lines)  # ends, and isn't broken off
    assert served.app.state.services.jobs.get(job).state == "canceled"


def test_a_job_names_files_whose_names_are_not_utf_8(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        (served.folder / "blue.mp4").rename(os.fsdecode(bytes(served.folder) + b"/caf\xe9.mp4"))
        job = served.http.post("/api/index", json={}).json()["job"]
        last = json.loads(served.http.get(f"/api/index/{job}/events").text.split("data: ")[-1])
    assert last["state"] == "done"
    assert {"name": "caf\\xe9.mp4", "reason": "its name is not valid UTF-8; rename the file"} in last[
        "failures"
    ]


# The rest


def test_stats_describe_the_library_and_the_model(served: Served) -> None:
    stats = served.http.get("/api/stats").json()
    assert (stats["videos"], stats["failed"], stats["folders"]) == (4, 1, ["Urlaub 2024"])
    assert stats["model"]["name"] == "tiny"  # of the folder /models/tiny
    assert (stats["model"]["schedule"], stats["model"]["nano"]) == ("B2-2,8", False)
    assert len(stats["examples"]) == 6


def test_concurrent_searches_share_passes_of_the_model(served: Served) -> None:
    def ask(number: int) -> int:
        return served.http.get("/api/search", params={"q": f"car number {number}"}).status_code

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(ask, range(96))) == {200}
    lines = served.http.get("/metrics").text.splitlines()
    metrics = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    batches, texts = (metrics[f"centerclip_text_batch_size_{name}"] for name in ("count", "sum"))
    assert float(batches) < float(texts)


def test_256_clients_at_once_are_answered_or_turned_away(served: Served) -> None:
    pages = ("/api/search?q=car+{}", "/api/videos?limit=5&q={}", "/api/stats", "/healthz")
    limits = httpx.Limits(max_connections=256)
    with httpx.Client(base_url=served.http.base_url, timeout=60, limits=limits) as http:

        def ask(number: int) -> int:
            return http.get(pages[number % len(pages)].format(number)).status_code

        with ThreadPoolExecutor(256) as pool:
            codes = Counter(pool.map(ask, range(1024)))
        assert codes.keys() <= {200, 503}
        assert codes[200] > 256
        assert http.get("/api/search", params={"q": "car"}).status_code == 200


def test_unknown_jobs_are_not_found_whatever_their_name(served: Served) -> None:
    for name in ("x" * 300, "é" * 300, "%ff" * 300, "%00", "..%2f" * 100):
        for method, path in (("GET", name), ("DELETE", name), ("GET", f"{name}/events")):
            answer = served.http.request(method, f"/api/index/{path}")
            assert (answer.status_code, error(answer)) == (404, "not_found"), path
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_empty_library_can_be_served(tmp_path: Path) -> None:
    settings = ServerSettings(port=0, cache_folder=tmp_path / "cache")
    app = create_app(VideoIndex(tmp_path / "index"), tiny_encoder(), settings)
    with running(app, settings) as address, httpx.Client(base_url=address) as http:
        assert http.get("/api/stats").json()["videos"] == 0
        assert http.get("/api/search?q=a").json()["hits"] == []
        assert http.get("/api/videos").json()["videos"] == []
        assert http.get("/readyz").status_code == 200
        assert http.post("/api/index", json={}).status_code == 409  # there is nothing to index
