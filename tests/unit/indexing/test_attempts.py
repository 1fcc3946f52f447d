"""A file that ends the program itself is recorded after two runs, and nothing else is blamed."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hostile_decoder import hostile_workers
from test_sync import make_encoder, states
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import FileStamp, VideoIndex
from centerclip.indexing import SyncOptions, SyncProgress, sync
from centerclip.indexing.attempts import NOTE, VANISHED, Attempts

GOOD = ["a.mp4", "b.mp4", "l.mp4", "z.mp4"]


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return make_encoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of videos, one of which kills the program that lets a hostile worker decode it."""
    (tmp_path / "videos").mkdir()
    for number, name in enumerate([*GOOD, "kills.mp4"]):
        make_video(tmp_path / "videos" / name, frames=10 + number)
    return tmp_path / "videos"


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return VideoIndex(tmp_path / "index")


def note(index: VideoIndex) -> Path:
    return Path(index.location, NOTE)


def index_hostile(folder: Path, location: Path) -> None:
    with hostile_workers():
        for result in sync(VideoIndex(location), [folder], make_encoder()):
            print(result.path.name, result.state, result.reason, sep=": ", flush=True)


def run(folder: Path, index: VideoIndex) -> tuple[int, list[str]]:
    """Index in another process; return its exit code and what it printed."""
    program = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "from pathlib import Path; from test_attempts import index_hostile\n"
        f"index_hostile(Path({str(folder)!r}), Path({index.location!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_a_file_that_kills_the_program_twice_is_recorded(
    folder: Path, index: VideoIndex, encoder: VideoEncoder
) -> None:
    for _ in range(2):
        assert run(folder, index)[0] == -signal.SIGKILL
        assert "kills.mp4" in note(index).read_text()
    code, lines = run(folder, index)
    assert code == 0
    assert f"kills.mp4: failed: {VANISHED}" in lines
    assert {video.info.path.name: video.state for video in index.videos()} == {
        **dict.fromkeys(GOOD, "done"),
        "kills.mp4": "failed",
    }
    assert not note(index).exists()
    assert states(sync(index, [folder], encoder))["kills.mp4"] == "skipped"
    assert states(sync(index, [folder], encoder, SyncOptions(retry_failed=True))) == {"kills.mp4": "indexed"}


@pytest.mark.parametrize("how", ["ends", "closes", "interrupted", "stopped"])
def test_a_run_that_ends_leaves_no_note(
    folder: Path, index: VideoIndex, encoder: VideoEncoder, how: str
) -> None:
    noted: list[str] = []

    def watch(progress: SyncProgress) -> None:
        if progress.files == 1:
            noted.append(note(index).read_text())
            if how == "interrupted":
                raise KeyboardInterrupt

    options = SyncOptions(on_progress=watch, should_stop=lambda: how == "stopped" and bool(noted))
    with closing(sync(index, [folder], encoder, options)) as results:
        if how == "interrupted":
            with pytest.raises(KeyboardInterrupt):
                list(results)
        elif how == "closes":
            next(results)
        else:
            list(results)
    assert len(noted) == 1
    assert "mp4" in noted[0]
    assert not note(index).exists()


@pytest.fixture
def file(index: VideoIndex) -> FileStamp:
    note(index).parent.mkdir()
    return FileStamp(Path("/v/a.mp4"), 5, 1.5)


def test_only_the_same_content_is_blamed(index: VideoIndex, file: FileStamp) -> None:
    other = FileStamp(Path("/v/b.mp4"), 5, 1.5)
    for blamed in ([[file, other], [], []], [[other], [file], []], [[other], [], [file]]):
        attempts = Attempts(index.location)
        assert list(attempts.sort([file, other])) == blamed
        attempts.begin(file)
        attempts.begin(other)
        attempts.end(other)
    changed = FileStamp(file.path, 6, 1.5)
    attempts = Attempts(index.location)
    assert list(attempts.sort([changed, file])) == [[changed], [], [file]]
    attempts.forget(file)
    attempts.close()
    assert not note(index).exists()


@pytest.mark.parametrize("text", ["", "[]", "3", '{"decoding": [3]}', '{"vanished": 1}', "[" * 100_000, "\0"])
def test_a_damaged_note_blames_nothing(index: VideoIndex, file: FileStamp, text: str) -> None:
    note(index).write_text(text)
    assert list(Attempts(index.location).sort([file])) == [[file], [], []]


def test_there_is_no_note_about_an_index_in_object_storage(file: FileStamp) -> None:
    attempts = Attempts("s3://bucket/index")
    attempts.begin(file)
    assert list(attempts.sort([file])) == [[file], [], []]
