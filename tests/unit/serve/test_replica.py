"""Servers that only read: not ready before they can answer, soon up to date, and calm when stopped."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from counted_buckets import Buckets, serve_buckets
from serving import fill, make_library, running, tiny_encoder
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.errors import ConfigError
from centerclip.index import Mirror, VideoIndex
from centerclip.serve import ServerSettings, create_app
from centerclip.serve.running import listen, make_server

SEARCH = "/api/search?q=a+red+car"
RARELY = 3600.0


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return tiny_encoder()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "videos"
    make_library(folder)
    return folder


@pytest.fixture(scope="module")
def local(videos: Path, encoder: VideoEncoder) -> VideoIndex:
    index = VideoIndex(videos.parent / "index")
    fill(encoder, index, videos)
    return index


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with serve_buckets() as served:
        yield served


@pytest.fixture
def remote(buckets: Buckets, videos: Path, encoder: VideoEncoder) -> Iterator[VideoIndex]:
    name = f"bucket-{len(buckets.client.list_buckets()['Buckets'])}"
    index = VideoIndex(f"{buckets.make(name)}/index")
    fill(encoder, index, videos)
    yield index
    buckets.refuses = lambda request: False


@contextmanager
def replica(
    location: str, place: Path, encoder: VideoEncoder, poll: float, before: Callable[[], None] = lambda: None
) -> Iterator[httpx.Client]:
    """Serve a copy of an index in object storage."""
    settings = ServerSettings(port=0, replica=True, poll_seconds=poll, cache_folder=place / "cache")
    mirror = Mirror(location, place / "mirror")
    before()
    app = create_app(VideoIndex(mirror.folder), encoder, settings, mirror=mirror)
    with running(app, settings) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield http


def wait_until(is_so: Callable[[], bool]) -> None:
    pause = Event()
    for _ in range(1200):
        if is_so():
            return
        pause.wait(0.05)
    pytest.fail("nothing has changed for a minute")


def is_ready(http: httpx.Client) -> bool:
    return http.get("/readyz").status_code == 200


def test_it_is_not_ready_before_the_first_copy(
    remote: VideoIndex, buckets: Buckets, tmp_path: Path, encoder: VideoEncoder
) -> None:
    def refuse() -> None:
        buckets.refuses = lambda request: "windows.lance/data" in request

    with replica(remote.location, tmp_path, encoder, 0.1, before=refuse) as http:
        wait_until(lambda: "can't be copied" in http.get("/readyz").text)
        assert http.get("/healthz").status_code == 200
        for path in (SEARCH, "/api/stats", "/api/videos"):
            assert http.get(path).status_code == 503
        assert "copied" in http.get(SEARCH).json()["error"]["message"]
        for path in ("/readyz", SEARCH):  # nobody needs a token for the first one
            assert "bucket" not in http.get(path).text
            assert buckets.address not in http.get(path).text
        assert http.get("/metrics").status_code == 200
        buckets.refuses = lambda request: False
        wait_until(lambda: is_ready(http))
        assert http.get(SEARCH).json()["hits"]
        buckets.refuses = lambda request: True
        assert is_ready(http)  # a store that can't be reached doesn't matter now
        assert http.get(SEARCH).json()["hits"]


def test_it_is_not_ready_while_another_index_takes_the_place_of_its_copy(
    remote: VideoIndex,
    buckets: Buckets,
    tmp_path: Path,
    encoder: VideoEncoder,
    videos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy, go_on = Mirror._copy, Event()

    def late(self: Mirror, name: str, size: int) -> int:
        assert go_on.wait(60)
        return copy(self, name, size)

    with replica(remote.location, tmp_path, encoder, 0.1) as http:
        wait_until(lambda: is_ready(http))
        monkeypatch.setattr(Mirror, "_copy", late)
        bucket = remote.location.split("/")[2]
        for name in buckets.names(bucket):
            buckets.client.delete_object(Bucket=bucket, Key=name)
        fill(encoder, VideoIndex(remote.location), videos)
        try:
            wait_until(lambda: not is_ready(http))
            assert http.get(SEARCH).status_code == 503
        finally:
            go_on.set()
        wait_until(lambda: is_ready(http) and http.get(SEARCH).json()["hits"])


def test_two_replicas_show_an_addition_and_answer_alike(
    remote: VideoIndex, tmp_path: Path, encoder: VideoEncoder, videos: Path
) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(replica(remote.location, tmp_path / name, encoder, 0.1)) for name in "ab"]
        for http in both:
            wait_until(lambda http=http: is_ready(http))
        before = both[0].get("/api/stats").json()["videos"]
        more = tmp_path / "more"
        more.mkdir()
        make_video(more / "added.mp4", frames=20)
        fill(encoder, remote, more)
        for http in both:
            wait_until(lambda http=http: http.get("/api/stats").json()["videos"] == before + 1)
        first = both[0].get(f"{SEARCH}&top=2").json()
        assert first == both[1].get(f"{SEARCH}&top=2").json()
        # The next page may come from another replica.
        pages = [http.get(f"{SEARCH}&top=2&cursor={first['next']}").json() for http in both]
        assert pages[0] == pages[1]
        assert pages[0]["hits"]


def test_a_search_takes_no_request_to_the_store(
    remote: VideoIndex, buckets: Buckets, tmp_path: Path, encoder: VideoEncoder
) -> None:
    with replica(remote.location, tmp_path, encoder, RARELY) as http:
        wait_until(lambda: is_ready(http))
        buckets.requests.clear()
        for query in ("a+red+car", "a+boat", "a+red+car"):
            hit = http.get(f"/api/search?q={query}").json()["hits"][0]
            assert http.get(hit["thumbnail"]).status_code == 200
        assert buckets.requests == []


def test_an_index_on_a_disk_that_cannot_be_written_is_served(
    local: VideoIndex, tmp_path: Path, encoder: VideoEncoder
) -> None:
    folders = [Path(folder) for folder, _, _ in os.walk(local.location)]
    before = sorted(Path(local.location).rglob("*"))
    for folder in folders:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        settings = ServerSettings(port=0, replica=True, cache_folder=tmp_path / "cache")
        app = create_app(VideoIndex(local.location), encoder, settings)
        with running(app, settings) as address, httpx.Client(base_url=address) as http:
            assert is_ready(http)
            assert http.get(SEARCH).json()["hits"]
            assert http.get("/api/stats").json()["replica"]
            answer = http.post("/api/index", json={})
            assert answer.status_code == 403
            assert "only reads its index: index with `centerclip index`" in answer.text
            assert http.get("/api/index").json() == {"jobs": []}
    finally:
        for folder in folders:
            folder.chmod(stat.S_IRWXU)
    assert sorted(Path(local.location).rglob("*")) == before


@contextmanager
def drained(index: VideoIndex, place: Path, encoder: VideoEncoder, seconds: float) -> Iterator[Any]:
    """Serve, and yield the server, its thread and a client of it."""
    settings = ServerSettings(port=0, replica=True, drain_seconds=seconds, cache_folder=place / "cache")
    with listen(settings) as listening:
        server = make_server(create_app(index, encoder, settings))
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as http:
                yield server, thread, http
        finally:
            server.should_exit = True
            thread.join(30)


def test_it_turns_unready_and_goes_on_until_it_has_drained(
    local: VideoIndex, tmp_path: Path, encoder: VideoEncoder
) -> None:
    with drained(local, tmp_path, encoder, RARELY) as (server, thread, http):
        assert is_ready(http)
        server.handle_exit(signal.SIGTERM, None)
        answer = http.get("/readyz")
        assert (answer.status_code, "about to stop" in answer.text) == (503, True)
        assert http.get("/healthz").status_code == 200
        assert http.get(SEARCH).json()["hits"]
        server.handle_exit(signal.SIGTERM, None)  # whoever asks twice means it
        thread.join(30)
        assert not thread.is_alive()
    with drained(local, tmp_path, encoder, 0.1) as (server, thread, http):
        assert is_ready(http)
        server.handle_exit(signal.SIGTERM, None)
        thread.join(30)
        assert not thread.is_alive()


def test_ctrl_c_does_not_drain(local: VideoIndex, tmp_path: Path, encoder: VideoEncoder) -> None:
    with drained(local, tmp_path, encoder, RARELY) as (server, thread, http):
        assert is_ready(http)
        server.handle_exit(signal.SIGINT, None)
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("more", [{"watch": True}, {"folders": (Path("/v"),)}])
def test_a_replica_does_not_index(more: Any) -> None:
    with pytest.raises(ConfigError, match="a replica only reads: leave out --watch and --folder"):
        ServerSettings(replica=True, **more)
