"""The Python client with a real server: every method, jobs, and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import Served, serve_library
from videos import make_video

from centerclip.api import FoundMoment
from centerclip.client import Client, ServerError


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(str(served.http.base_url)) as client:
        yield client


def test_searches(served: Served, client: Client, tmp_path: Path) -> None:
    page = client.search("a red car", top=2, per_video=5)
    assert len(page.hits) == 2
    everything = list(client.hits("a red car", top=2, per_video=5))
    assert everything[:2] == page.hits
    assert len({(hit.video_id, hit.start) for hit in everything}) == len(everything) > 2
    assert client.search("a red car", folder="Urlaub 2024").hits[0].folder == "Urlaub 2024"
    best = client.search_file(served.folder / "blue.mp4", words="+ a red car", top=1).hits
    assert len(best) == 1
    like = client.similar(page.hits[0].video_id, page.hits[0].window_start)
    assert page.hits[0].video_id not in {hit.video_id for hit in like.hits}


def test_describes_and_downloads(served: Served, client: Client, tmp_path: Path) -> None:
    hit = client.search("a red car").hits[0]
    assert client.video(hit.video_id).name == hit.name
    assert client.videos(limit=2).total == client.stats().videos + client.stats().failed
    assert len(client.curve(hit.video_id, "a red car").scores) >= 2
    assert client.thumbnail(hit).startswith(b"\xff\xd8")
    assert client.excerpt(hit)[4:8] == b"ftyp"
    assert client.reduction(hit).startswith(b"\x89PNG")
    client.download(hit, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (served.folder / hit.folder / hit.name).read_bytes()


def test_indexes(served: Served, client: Client) -> None:
    make_video(served.folder / "late.mp4", frames=12)
    before = client.stats()
    seen = list(client.watch(client.index()))
    assert [job.state for job in seen][-1] == "done"
    assert seen[-1].states == {"indexed": 1, "unchanged": 4, "skipped": 1}
    assert client.stats().videos == before.videos + 1
    assert client.stats().version > before.version
    (served.folder / "late.mp4").unlink()
    last = list(client.watch(client.index(prune=True)))[-1]
    assert last.states["removed"] == 1
    retried = list(client.watch(client.index(retry_failed=True)))[-1]
    assert [failure.name for failure in retried.failures] == ["broken.mp4"]
    assert str(served.folder) not in retried.failures[0].reason
    assert client.job(retried.job) == retried
    assert client.cancel(retried.job).state == "done"  # too late


def test_raises_errors_with_a_reason(served: Served, client: Client) -> None:
    with pytest.raises(ServerError, match="not found") as caught:
        client.video("0" * 32)
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    with pytest.raises(ServerError, match="job 'nothing' not found"):
        list(client.watch("nothing"))
    with (
        Client("http://127.0.0.1:9") as nowhere,
        pytest.raises(ServerError, match="is `centerclip serve` running"),
    ):
        nowhere.stats()


def test_sends_its_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = "0123456789abcdef"
    with serve_library(tmp_path, token=token) as served:
        address = str(served.http.base_url)
        monkeypatch.delenv("CENTERCLIP_TOKEN", raising=False)
        with Client(address) as client, pytest.raises(ServerError, match="token missing"):
            client.stats()
        monkeypatch.setenv("CENTERCLIP_TOKEN", token)
        with Client(address) as client:
            assert client.stats().videos == 4


def test_a_stream_of_something_else_is_a_server_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text='event: progress\ndata: {"state": 7}\n\n')

    with (
        Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(ServerError, match="doesn't answer like `centerclip serve`: check the address"),
    ):
        list(client.watch("5f0c1a2b3c4d5e6f"))


def test_an_export_waits_long_but_not_forever(tmp_path: Path) -> None:
    waits: list[dict[str, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200, content=b"a zip")

    moment = FoundMoment.model_construct(video_id="0" * 32, start=1.0, end=2.0)
    with Client(transport=httpx.MockTransport(answer), timeout_seconds=9) as client:
        assert client.export([moment], "zip", tmp_path / "a.zip") == []
        client.export([moment], "zip", tmp_path / "a.zip", timeout_seconds=70)
    assert waits == [{"connect": 9, "read": read, "write": 9, "pool": 9} for read in (3600, 70)]
