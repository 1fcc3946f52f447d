"""A server that watches its folders, and one that starts with an empty index: jobs over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from command_line import Run, assert_refused
from serving import running, tiny_encoder
from videos import make_video

from centerclip.api import Job
from centerclip.client import Client, ServerError
from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.serve import ServerSettings, create_app

PATIENCE = 600
"""How many times to look for a job, a fifth of a second apart; reaching it is a failure."""


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return tiny_encoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@contextmanager
def served(folder: Path, encoder: VideoEncoder, **more: object) -> Iterator[Client]:
    settings = ServerSettings(
        port=0, folders=(folder,), cache_folder=folder.parent / "cache", **{"watch": True, **more}
    )
    app = create_app(VideoIndex(folder.parent / "index"), encoder, settings)
    with running(app, settings) as address, Client(address) as client:
        yield client


def add(path: Path, *, frames: int = 8) -> None:
    """Put a complete file into a folder at once."""
    part = path.with_name(f".{path.stem}.part.mp4")
    make_video(part, frames=frames)
    os.utime(part, (0, 1_600_000_000))
    part.rename(path)


def wait_for(client: Client, holds: Callable[[list[Job]], bool]) -> list[Job]:
    """Look at the list of jobs, which has no events, until a condition holds."""
    pause = Event()
    for _ in range(PATIENCE):
        if holds(jobs := client.jobs().jobs):
            return jobs
        pause.wait(0.2)
    raise AssertionError(jobs)


def indexed(jobs: list[Job]) -> int:
    return sum(job.states.get("indexed", 0) for job in jobs if job.state == "done")


def test_changes_become_jobs(folder: Path, encoder: VideoEncoder) -> None:
    add(folder / "first.mp4")
    with served(folder, encoder) as client:
        wait_for(client, lambda jobs: indexed(jobs) == 1)
        add(folder / "second.mp4", frames=9)
        jobs = wait_for(client, lambda jobs: indexed(jobs) == 2)
        assert all(job.watch for job in jobs)
        assert [job.started for job in jobs] == sorted((job.started for job in jobs), reverse=True)
        assert client.job(jobs[0].job) == jobs[0]
        assert client.stats().watching

        (folder / "first.mp4").unlink()
        jobs = wait_for(client, lambda jobs: jobs[0].state == "done" and jobs[0].states.get("missing") == 1)
        assert {video.name: video.missing for video in client.videos().videos} == {
            "first.mp4": True,
            "second.mp4": False,
        }
        (pruned,) = [job for job in client.watch(client.index(prune=True)) if job.state == "done"]
        assert (pruned.states["removed"], pruned.watch) == (1, False)
        assert [video.name for video in client.videos().videos] == ["second.mp4"]


def test_a_folder_that_vanishes_loses_nothing(folder: Path, encoder: VideoEncoder) -> None:
    add(folder / "first.mp4")
    with served(folder, encoder, poll_seconds=0.5) as client:
        wait_for(client, lambda jobs: indexed(jobs) == 1)
        folder.rename(folder.parent / "away")
        assert client.videos().videos[0].missing
        add(folder.parent / "away" / "second.mp4", frames=9)
        (folder.parent / "away").rename(folder)
        wait_for(client, lambda jobs: indexed(jobs) == 2)
        assert not any(video.missing for video in client.videos().videos)


def test_a_watching_server_stops_while_it_indexes(folder: Path, encoder: VideoEncoder) -> None:
    for number in range(20):
        add(folder / f"{number}.mp4", frames=8 + number)
    with served(folder, encoder) as client:
        wait_for(client, lambda jobs: any(job.state == "running" for job in jobs))
    # `served` returns only once the server has ended, and the index is usable.
    with VideoIndex(folder.parent / "index").writer() as writer:
        writer.finish()


def test_a_new_index_is_filled_from_the_folder_that_the_owner_gave(
    folder: Path, encoder: VideoEncoder
) -> None:
    with served(folder, encoder, watch=False) as client:
        assert not client.stats().watching
        assert client.stats().roots == ["videos"]
        assert client.months().months == client.videos().videos == client.jobs().jobs == []
        add(folder / "first.mp4")
        *_, job = client.watch(client.index())
        assert (job.state, job.states) == ("done", {"indexed": 1})
        assert [video.name for video in client.videos().videos] == ["first.mp4"]


def test_a_page_cannot_add_folders(tmp_path: Path, encoder: VideoEncoder) -> None:
    settings = ServerSettings(port=0, cache_folder=tmp_path / "cache")
    app = create_app(VideoIndex(tmp_path / "index"), encoder, settings)
    with running(app, settings) as address, Client(address) as client:
        with pytest.raises(ServerError, match="start the server with --folder PATH"):
            client.index()
        answer = client._http.post("/api/index", json={"folders": ["/"]})
        assert answer.status_code == 422


def test_the_command_needs_folders(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "index"
    assert_refused(run, "--watch needs a folder", "serve", "--watch", "--index", place)
    message = "none: there is no such file or folder"
    assert_refused(run, message, "serve", "--folder", tmp_path / "none", "--watch", "--index", place)
