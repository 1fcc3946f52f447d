"""Which folders an index job takes: those that the index's owner gave, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from serving import fill, running, tiny_encoder
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.serve import ServerSettings, create_app

FOLDERS = ("Videos", "Clips", "Private", "Videos 2")


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return tiny_encoder()


@pytest.fixture
def home(tmp_path: Path, encoder: VideoEncoder) -> Path:
    """Folders with one video each, of which two are indexed; all but one get another video afterwards."""
    home = tmp_path / "home"
    for folder in FOLDERS:
        (home / folder).mkdir(parents=True)
        make_video(home / folder / f"{folder} old.mp4", frames=8)
    make_video(home / "beside.mp4", frames=8)
    for folder in ("Videos", "Clips"):
        fill(encoder, VideoIndex(tmp_path / "index"), home / folder)
    for folder in ("Videos", "Private", "Videos 2"):
        make_video(home / folder / f"{folder} new.mp4", frames=8)
    return home


@contextmanager
def served(home: Path, encoder: VideoEncoder) -> Iterator[httpx.Client]:
    settings = ServerSettings(port=0, cache_folder=home.parent / "cache")
    app = create_app(VideoIndex(home.parent / "index"), encoder, settings)
    with running(app, settings) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield http


def run_job(http: httpx.Client, **request: object) -> dict:
    job = http.post("/api/index", json=request).json()["job"]
    http.get(f"/api/index/{job}/events")  # ends with the job
    return http.get(f"/api/index/{job}").json()


def names(http: httpx.Client) -> set[str]:
    return {video["name"] for video in http.get("/api/videos").json()["videos"]}


def test_a_job_takes_only_the_folders_that_were_given(home: Path, encoder: VideoEncoder) -> None:
    with served(home, encoder) as http:
        assert http.get("/api/stats").json()["roots"] == ["Videos", "Clips"]
        job = run_job(http, prune=True)
        assert (job["state"], job["missing"]) == ("done", [])
        assert job["states"] == {"indexed": 1, "unchanged": 2}
        assert names(http) == {"Videos old.mp4", "Videos new.mp4", "Clips old.mp4"}
        assert str(home) not in http.get("/api/stats").text


def test_a_folder_that_is_gone_is_named_and_its_videos_stay(home: Path, encoder: VideoEncoder) -> None:
    (home / "Clips").rename(home / "on another disk")
    with served(home, encoder) as http:
        job = run_job(http, prune=True)
        assert (job["state"], job["missing"]) == ("done", ["Clips"])
        assert names(http) == {"Videos old.mp4", "Videos new.mp4", "Clips old.mp4"}
        (home / "Videos").rename(home / "too")
        job = run_job(http)
        assert job["state"] == "failed"
        assert job["message"].startswith("Videos, Clips not found: ")
        assert job["missing"] == ["Videos", "Clips"]
        (home / "on another disk").rename(home / "Clips")
        assert run_job(http)["missing"] == ["Videos"]


def test_a_folder_that_is_given_later_is_taken_too(home: Path, encoder: VideoEncoder) -> None:
    with served(home, encoder) as http:
        assert http.get("/api/stats").json()["roots"] == ["Videos", "Clips"]
        with VideoIndex(home.parent / "index").writer() as writer:
            writer.add_roots([home / "Videos 2"])  # which changes nothing else
        assert http.get("/api/stats").json()["roots"] == ["Videos", "Clips", "Videos 2"]
        run_job(http)
        assert "Videos 2 new.mp4" in names(http)
        assert not {name for name in names(http) if name.startswith(("Private", "beside"))}
