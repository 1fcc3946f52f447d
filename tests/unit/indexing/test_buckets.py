"""Indexing videos in object storage, on a server of buckets on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from buckets import KEY, serve
from random_videos import rows_of
from tiny_models import clip_model
from videos import make_video, number_of

from centerclip.embedding import VideoEncoder
from centerclip.errors import VideoError
from centerclip.index import VideoIndex
from centerclip.indexing import FileResult, SyncOptions, sync
from centerclip.model import CenterCLIP
from centerclip.remote import Address, buckets
from centerclip.video import VideoReader, content_id, cut_clip

server = pytest.importorskip("moto.server", reason="moto is not installed")
boto3 = pytest.importorskip("boto3", reason="moto is not installed")
pytest.importorskip("obstore", reason="obstore is not installed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "anything")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        yield boto3.client("s3", region_name="us-east-1", endpoint_url=f"http://{host}:{port}")
    running.stop()


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for number, name in enumerate(("a.mp4", "b c.mp4")):
        make_video(folder / name, frames=20 + 5 * number)
    return folder


@pytest.fixture
def bucket(client: Any, originals: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A bucket with two videos below `videos`, and other objects."""
    name = f"b{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    for key, file in (
        ("videos/a.mp4", "a.mp4"),
        ("videos/day 1/b c.mp4", "b c.mp4"),
        ("videos2/a.mp4", "a.mp4"),
    ):
        client.upload_file(str(originals / file), name, key)
    for key in ("videos/notes.txt", "videos/.hidden/c.mp4"):
        client.put_object(Bucket=name, Key=key, Body=b"x")
    yield name
    buckets.BUCKETS._reached.clear()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each request has read."""
    counted: list[int] = []
    real = buckets.Buckets.read

    def counting(self: buckets.Buckets, *args: Any) -> bytes:
        data = real(self, *args)
        counted.append(len(data))
        return data

    monkeypatch.setattr(buckets.Buckets, "read", counting)
    return counted


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=2, batch_size=3)


def run(
    index: VideoIndex, place: str, encoder: VideoEncoder, folder: Path, **more: Any
) -> dict[str, FileResult]:
    options = SyncOptions(spool_folder=folder / "spool", **more)
    with closing(sync(index, [place], encoder, options)) as results:
        return {str(result.path).partition("/videos")[2]: result for result in results}


def states(results: dict[str, FileResult]) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def test_prefix(
    client: Any, bucket: str, read: list[int], originals: Path, encoder: VideoEncoder, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    place = f"s3://{bucket}/videos/"
    found = run(index, place, encoder, tmp_path)
    assert states(found) == {"/a.mp4": "indexed", "/day 1/b c.mp4": "indexed"}
    assert sum(read) <= 1.1 * sum(path.stat().st_size for path in originals.iterdir())
    assert [str(root) for root in index.roots] == [f"s3://{bucket}/videos"]
    assert {video.info.video_id for video in index.videos()} == set(map(content_id, originals.iterdir()))
    before = rows_of(index)

    read.clear()
    assert set(states(run(index, place, encoder, tmp_path)).values()) == {"unchanged"}
    assert read == []

    client.copy_object(Bucket=bucket, CopySource=f"{bucket}/videos/a.mp4", Key="videos/new.mp4")
    client.delete_object(Bucket=bucket, Key="videos/a.mp4")
    client.copy_object(Bucket=bucket, CopySource=f"{bucket}/videos/day 1/b c.mp4", Key="videos/copy.mp4")
    found = run(index, place, encoder, tmp_path)
    assert states(found) == {"/new.mp4": "moved", "/copy.mp4": "copied", "/day 1/b c.mp4": "unchanged"}
    after = rows_of(index)
    assert (after["new.mp4", 0.0] == before["a.mp4", 0.0]).all()
    assert (after["copy.mp4", 0.0] == before["b c.mp4", 0.0]).all()

    client.upload_file(str(originals / "a.mp4"), bucket, "videos/copy.mp4")
    client.delete_object(Bucket=bucket, Key="videos/day 1/b c.mp4")
    found = run(index, place, encoder, tmp_path, prune=True)
    assert states(found) == {"/copy.mp4": "copied", "/day 1/b c.mp4": "removed", "/new.mp4": "unchanged"}

    for key in ("videos/new.mp4", "videos/copy.mp4", "videos/notes.txt", "videos/.hidden/c.mp4"):
        client.delete_object(Bucket=bucket, Key=key)
    assert set(states(run(index, place, encoder, tmp_path)).values()) == {"missing"}
    assert set(states(run(index, place, encoder, tmp_path, prune=True)).values()) == {"removed"}
    assert index.videos() == []


def test_unreachable_store_removes_nothing(
    client: Any, bucket: str, encoder: VideoEncoder, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    place = f"s3://{bucket}/videos/a.mp4"
    run(index, place, encoder, tmp_path)
    for key in [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]:
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)
    found = run(index, place, encoder, tmp_path, prune=True)
    assert f"there is no bucket {bucket}" in found["/a.mp4"].reason
    found = run(index, f"s3://{bucket}/videos", encoder, tmp_path, prune=True)
    assert f"can't be listed (there is no bucket {bucket})" in found[""].reason
    assert len(index.videos()) == 1
    with pytest.raises(OSError, match="there is no bucket") as error:
        Address(place).status()
    assert not isinstance(error.value, FileNotFoundError)


def test_a_bucket_that_was_there_before_is_looked_for_again(
    client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server runs for months."""
    place = Address(f"s3://{bucket}/videos/other.mp4")
    with pytest.raises(FileNotFoundError):
        place.status()
    for key in [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]:
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)
    now = monotonic()
    monkeypatch.setattr(buckets, "monotonic", lambda: now + 60)
    with pytest.raises(OSError, match="there is no bucket") as error:
        place.status()
    assert not isinstance(error.value, FileNotFoundError)


@pytest.mark.parametrize(("status", "code"), [("400 Bad Request", "ExpiredToken"), ("418 Teapot", "Teapot")])
def test_what_a_store_repeats_is_not_shown(
    client: Any, status: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amazon's answer to a temporary key that has run out contains the token that it was asked with."""

    def application(environ: Any, start: Any) -> list[bytes]:
        start(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Token-0>{KEY}</Token-0></Error>".encode()]

    with serve(application) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(OSError, match="the store refuses|or failed: .* 418") as error:
            list(buckets.Buckets().below(Address("s3://abc/videos")))
    assert KEY not in str(error.value)
    assert "<" not in str(error.value)


def test_windows_and_messages(bucket: str, originals: Path, tmp_path: Path) -> None:
    place = Address(f"s3://{bucket}/videos/day 1/b c.mp4")
    with VideoReader(place) as reader:
        assert [number_of(frame) for _, frame in reader.frames_at([0.0, 2.0])] == [0, 20]
    cut_clip(place, tmp_path / "clip.mp4", start=1.0, end=2.0)
    assert (tmp_path / "clip.mp4").stat().st_size > 0
    assert buckets.BUCKETS.sign(place, 60).startswith("http://127.0.0.1:")
    with pytest.raises(VideoError, match="no.mp4: can't be read \\(it isn't there\\)"):
        VideoReader(Address(f"s3://{bucket}/no.mp4"))
