"""Indexing videos at addresses: little is read, and what goes wrong on the way loses nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_videos import rows_of
from subtitled import add_subtitles
from tiny_models import clip_model
from videos import make_video
from web_files import WebFiles, web_files

from centerclip.embedding import VideoEncoder
from centerclip.errors import IndexStoreError, VideoError
from centerclip.index import FileStamp, VideoIndex
from centerclip.indexing import FileResult, SyncOptions, spool, sync
from centerclip.model import CenterCLIP
from centerclip.remote import Address, as_place, web
from centerclip.remote.access import source_of
from centerclip.remote.address import Status

NAMES = ("0.mp4", "1.mp4", "2.mp4")


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=2, batch_size=3)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for number, name in enumerate(NAMES):
        make_video(folder / name, frames=8 + 5 * number)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture
def site(originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    folder = Path(shutil.copytree(originals, tmp_path / "site"))
    with web_files(folder) as state:
        yield state


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return VideoIndex(tmp_path / "index")


def run(
    index: VideoIndex, places: list[str], encoder: VideoEncoder, folder: Path, **options: object
) -> dict[str, FileResult]:
    """Index places, and return the result of each by its name."""
    wanted = SyncOptions(spool_folder=folder, **options)  # type: ignore[arg-type]
    with closing(sync(index, places, encoder, wanted)) as results:
        found = {result.path.name: result for result in results if result.state != "heard"}
    assert list(folder.glob("*/*.mp4")) == []
    return found


def states(results: dict[str, FileResult]) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def addresses(site: WebFiles, *names: str) -> list[str]:
    return [site.address(name) for name in names or NAMES]


def test_rows_are_those_of_local_files(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert set(states(found).values()) == {"indexed"}
    total = sum((site.folder / name).stat().st_size for name in NAMES)
    assert site.sent_bytes <= 1.1 * total

    local = VideoIndex(tmp_path / "local")
    run(local, [str(site.folder / name) for name in NAMES], encoder, tmp_path / "spool")
    there, here = rows_of(index), rows_of(local)
    assert there.keys() == here.keys()
    assert all(np.array_equal(there[key], here[key]) for key in here)
    ids = {video.info.path.name: video.info.video_id for video in local.videos()}
    assert {video.info.path.name: video.info.video_id for video in index.videos()} == ids
    assert {str(video.info.path) for video in index.videos()} == set(addresses(site))
    assert index.roots == tuple(map(as_place, addresses(site)))


def test_second_run_reads_nothing(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    run(index, addresses(site), encoder, tmp_path / "spool")
    site.sent_bytes = 0
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert (set(states(found).values()), site.sent_bytes) == ({"unchanged"}, 0)


def test_server_without_ranges_head_or_tags(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_PIECE_BYTES", 1000)
    site.ranges = site.tags = False
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert set(states(found).values()) == {"indexed"}
    site.head = False
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert set(states(found).values()) == {"unchanged"}
    address = Address(site.address("0.mp4"))
    with pytest.raises(OSError, match="sends whole files only"):
        source_of(address).read(address, address.status(), 10, 20)


def test_broken_connection_goes_on_where_it_was(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_PIECE_BYTES", 500)
    site.break_after = 300
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert set(states(found).values()) == {"indexed"}
    total = sum((site.folder / name).stat().st_size for name in NAMES)
    assert total < site.sent_bytes <= total + 300


def test_unreachable_server_removes_and_records_nothing(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    run(index, addresses(site, "0.mp4"), encoder, tmp_path / "spool")
    site.down = True
    found = run(index, addresses(site, "0.mp4", "1.mp4"), encoder, tmp_path / "spool", prune=True)
    assert states(found) == {"0.mp4": "failed", "1.mp4": "failed"}
    assert "its server failed (503)" in found["0.mp4"].reason
    assert [(video.info.path.name, video.state) for video in index.videos()] == [("0.mp4", "done")]


def test_download_that_fails_is_tried_again_by_the_next_run(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_PIECE_BYTES", 500)
    site.change_after = (1, site.folder / "0.mp4")
    found = run(index, addresses(site, "0.mp4"), encoder, tmp_path / "spool")
    assert "can't be downloaded: it was changed meanwhile" in found["0.mp4"].reason
    assert index.videos() == []
    shutil.copy(site.folder / "1.mp4", site.folder / "0.mp4")
    found = run(index, addresses(site, "0.mp4"), encoder, tmp_path / "spool")
    assert states(found) == {"0.mp4": "indexed"}


def test_file_that_is_no_video_is_recorded(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    found = run(index, addresses(site, "bad.mp4"), encoder, tmp_path / "spool")
    assert found["bad.mp4"].reason.startswith("is not a video")
    found = run(index, addresses(site, "bad.mp4"), encoder, tmp_path / "spool")
    assert states(found) == {"bad.mp4": "skipped"}


@pytest.mark.parametrize("prune", [False, True])
def test_deleted_file(
    prune: bool, index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    run(index, addresses(site), encoder, tmp_path / "spool")
    (site.folder / "0.mp4").unlink()
    found = run(index, addresses(site), encoder, tmp_path / "spool", prune=prune)
    assert states(found)["0.mp4"] == ("removed" if prune else "missing")
    assert len(index.videos()) == (2 if prune else 3)
    with pytest.raises(VideoError, match="it isn't there; check the spelling"):
        run(index, addresses(site, "other.mp4"), encoder, tmp_path / "spool")


def test_moved_and_copied_files_are_recognized(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    run(index, [str(site.folder / "0.mp4")], encoder, tmp_path / "spool")
    run(index, addresses(site, "1.mp4"), encoder, tmp_path / "spool")
    before = rows_of(index)
    (site.folder / "1.mp4").rename(site.folder / "moved.mp4")
    os.utime(site.folder / "moved.mp4", (1e9, 1e9))
    site.sent_bytes = 0
    places = addresses(site, "0.mp4", "moved.mp4")
    found = run(index, [*places, site.address("1.mp4")], encoder, tmp_path / "spool")
    assert states(found) == {"0.mp4": "copied", "moved.mp4": "moved"}
    paths = {str(video.info.path) for video in index.videos()}
    assert paths == {str(site.folder / "0.mp4"), *places}
    for (name, start), vectors in rows_of(index).items():
        old = {"moved.mp4": "1.mp4"}.get(name, name)
        assert np.array_equal(vectors, before[old, start])
    site.sent_bytes = 0
    found = run(index, places, encoder, tmp_path / "spool")
    assert (set(states(found).values()), site.sent_bytes) == ({"unchanged"}, 0)


def test_new_tag_of_the_same_content(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    run(index, addresses(site), encoder, tmp_path / "spool")
    before = rows_of(index)
    os.utime(site.folder / "0.mp4", (1e9, 1e9))
    for _ in range(2):
        found = run(index, addresses(site), encoder, tmp_path / "spool")
        assert set(states(found).values()) == {"unchanged"}
    after = rows_of(index)
    assert after.keys() == before.keys()
    assert index.videos()[0].info.modified_seconds < 1.1e9


def test_spool_is_bounded(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = max((site.folder / name).stat().st_size for name in NAMES)
    held: list[int] = []
    real = spool.Spool._download

    def download(self: spool.Spool, file: FileStamp) -> Path:
        made = real(self, file)
        held.append(sum(path.stat().st_size for path in made.parent.glob("*.mp4")))
        return made

    monkeypatch.setattr(spool.Spool, "_download", download)
    found = run(index, addresses(site), encoder, tmp_path / "spool", spool_bytes=largest)
    assert set(states(found).values()) == {"indexed"}
    assert 0 < max(held) <= largest


def test_full_disk_ends_the_run_and_keeps_what_is_encoded(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = spool._pieces

    def pieces(address: Address, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        if address.name == "2.mp4":
            raise OSError(errno.ENOSPC, "No space left on device")
        yield from real(address, is_stopped)

    monkeypatch.setattr(spool, "_pieces", pieces)
    with pytest.raises(IndexStoreError, match="the disk is full, so .*2.mp4 can't be downloaded"):
        run(index, addresses(site), encoder, tmp_path / "spool", spool_bytes=1)
    assert list((tmp_path / "spool").iterdir()) == []
    monkeypatch.undo()
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert states(found) == {"0.mp4": "unchanged", "1.mp4": "unchanged", "2.mp4": "indexed"}


def test_a_file_that_no_disk_holds_costs_only_itself(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server may be wrong about its size, too."""
    real = Address.status

    def status(self: Address) -> Status:
        known = real(self)
        return replace(known, size_bytes=10**17) if self.name == "1.mp4" else known

    monkeypatch.setattr(Address, "status", status)
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert states(found) == {"0.mp4": "indexed", "1.mp4": "failed", "2.mp4": "indexed"}
    assert "it has 100,000,000.0 GB, but" in found["1.mp4"].reason
    assert "choose another folder with --spool" in found["1.mp4"].reason
    assert {video.info.path.name for video in index.videos()} == {"0.mp4", "2.mp4"}


def test_stopped_run_goes_on(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    options = SyncOptions(spool_folder=tmp_path / "spool", spool_bytes=1)
    results = sync(index, addresses(site), encoder, options)
    assert next(results).state == "indexed"
    results.close()
    assert list((tmp_path / "spool").iterdir()) == []
    found = run(index, addresses(site), encoder, tmp_path / "spool")
    assert states(found)["0.mp4"] == "unchanged"
    assert states(found)["2.mp4"] == "indexed"


def test_folder_of_a_killed_run_is_deleted(site: WebFiles, tmp_path: Path) -> None:
    left = tmp_path / "spool" / "centerclip-spool-left"
    left.mkdir(parents=True)
    (left / "0.mp4").write_bytes(b"half")
    (left / "lock").touch()
    os.utime(left, (1e9, 1e9))
    file = FileStamp.of(Address(site.address("0.mp4")))
    with spool.Spool([file], folder=tmp_path / "spool") as mine:
        assert not left.exists()
        os.utime(mine.local(file.path).parent, (1e9, 1e9))
        with spool.Spool([file], folder=tmp_path / "spool"):
            assert mine.local(file.path).exists()


def test_a_folder_that_vanishes_meanwhile_is_no_error(
    site: WebFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run ends just now."""
    other = tmp_path / "centerclip-spool-other"
    other.mkdir()
    (other / "lock").touch()
    is_file = Path.is_file

    def ending(self: Path) -> bool:
        there = is_file(self)
        if self == other / "lock":
            shutil.rmtree(other)
        return there

    monkeypatch.setattr(Path, "is_file", ending)
    with spool.Spool([FileStamp.of(Address(site.address("0.mp4")))], folder=tmp_path):
        pass
    assert not other.exists()


def test_whatever_else_the_folder_holds_is_kept(site: WebFiles, tmp_path: Path) -> None:
    """`--spool` may name the folder of somebody's videos."""
    for name in ("films", "centerclip-spool-of-mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "film.mp4").write_bytes(b"precious")
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / "film.mp4").write_bytes(b"precious")
    before = sorted(tmp_path.rglob("*"))
    with spool.Spool([FileStamp.of(Address(site.address("0.mp4")))], folder=tmp_path):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_subtitles_in_a_file_are_read_while_it_is_there(
    index: VideoIndex, site: WebFiles, encoder: VideoEncoder, tmp_path: Path
) -> None:
    plain = make_video(tmp_path / "plain.mp4")
    add_subtitles(site.folder / "said.mkv", plain, [(0.5, 1.5, "a seagull cries")])
    run(index, addresses(site, "said.mkv"), encoder, tmp_path / "spool")
    (video,) = index.videos()
    assert [cue.text for cue in index.spoken.cues(video.info.video_id)] == ["a seagull cries"]
    assert site.sent_bytes <= 1.1 * (site.folder / "said.mkv").stat().st_size
