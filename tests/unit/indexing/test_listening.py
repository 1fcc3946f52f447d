"""What is said is read with the files of a run, and read again only where it has changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from subtitled import add_subtitles, srt, vtt
from tiny_models import clip_model
from videos import make_video

from centerclip.embedding import VideoEncoder, decode
from centerclip.errors import VideoError
from centerclip.index import VideoIndex
from centerclip.indexing import FileResult, SyncOptions, listening, sync
from centerclip.model import CenterCLIP
from centerclip.records import Cue, Track
from centerclip.speech import subtitles
from centerclip.video import VideoReader


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=2, batch_size=3)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a.mp4` with sidecars, `b.mkv` with a stream, `c.mp4` with nothing, and `bad.mp4`, each 4 s long."""
    folder = tmp_path_factory.mktemp("said")
    make_video(folder / "a.mp4", frames=40, options={"bf": "0"})
    make_video(folder / "c.mp4", frames=40, options={"bf": "0"}, texture=False)
    plain = make_video(folder / "plain.mkv", frames=40, options={"bf": "0"})
    add_subtitles(folder / "b.mkv", plain, [(1.0, 2.0, "inside of the file")])
    plain.unlink()
    (folder / "bad.mp4").write_bytes(b"no video at all")
    (folder / "bad.srt").write_text(srt((0.0, 1.0, "nothing is shown")))
    (folder / "a.srt").write_text(srt((0.0, 1.5, "We are engaged"), (3.0, 9.0, "until the end")))
    (folder / "a.de.vtt").write_text(vtt((0.0, 1.5, "Wir sind verlobt")))
    return folder


@pytest.fixture
def folder(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals, tmp_path / "videos"))


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return VideoIndex(tmp_path / "index")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded for their pictures, and of those read for their words."""
    names: list[str] = []

    def open_video(path: Path, *more: Any) -> VideoReader:
        names.append(f"pictures {path.name}")
        return VideoReader(path, *more)

    def read_streams(path: Path) -> list[Track]:
        names.append(f"words {path.name}")
        return subtitles.__dict__["_read_streams"](path)  # type: ignore[no-any-return]

    monkeypatch.setitem(subtitles.__dict__, "_read_streams", subtitles.read_streams)
    monkeypatch.setattr(decode, "VideoReader", open_video)
    monkeypatch.setattr(subtitles, "read_streams", read_streams)
    return names


class Ear:
    """Hears the name of a file, or fails for `deaf` ones."""

    def __init__(self, name: str = "tiny", *, deaf: str = "") -> None:
        self.name, self.deaf, self.heard = name, deaf, []

    def listen(self, path: Path, *, should_stop: Any) -> Track | None:
        self.heard.append(path.name)  # type: ignore[attr-defined]
        if path.name == self.deaf:
            raise VideoError(f"{path}: its sound can't be decoded (damaged)")
        cues = Cue(0.5, 1.0, f"I am {path.stem}"), Cue(99.0, 99.5, "late")
        return Track(f"model {self.name}", "en", cues)


def run(index: VideoIndex, folder: Path, encoder: VideoEncoder, **options: Any) -> list[FileResult]:
    results = sync(index, [folder], encoder, SyncOptions(**options))
    return [result for result in results if result.state == "heard"]


def said(index: VideoIndex) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for video in index.videos("state = 'done'"):
        cues = index.spoken.cues(video.info.video_id)
        if cues:
            found[video.info.path.name] = [cue.text for cue in cues]
    return found


BEFORE = {
    "a.mp4": ["Wir sind verlobt", "We are engaged", "until the end"],
    "b.mkv": ["inside of the file"],
}


def test_all_subtitles_of_a_folder_are_read(encoder: VideoEncoder, folder: Path, index: VideoIndex) -> None:
    steps: list[tuple[int, int]] = []
    results = run(index, folder, encoder, on_listen=lambda done, total: steps.append((done, total)))
    assert [(result.path.name, result.cues, result.reason) for result in results] == [
        ("a.mp4", 3, ""),
        ("b.mkv", 1, ""),
    ]
    assert said(index) == BEFORE
    cues = index.spoken.cues(index.videos("path like '%a.mp4'")[0].info.video_id)
    assert [(cue.start, cue.end, cue.language, cue.source) for cue in cues] == [
        (0.0, 1.5, "de", "a.de.vtt"),
        (0.0, 1.5, "", "a.srt"),
        (3.0, 4.0, "", "a.srt"),  # a cue ends with the video
    ]
    assert steps[-1] == (3, 3)
    assert index.stats().cues == 4


def test_nothing_is_read_twice(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, read: list[str]
) -> None:
    run(index, folder, encoder)
    assert sorted(set(read)) == [
        *("pictures a.mp4", "pictures b.mkv", "pictures bad.mp4", "pictures c.mp4"),
        *("words a.mp4", "words b.mkv", "words c.mp4"),
    ]
    read.clear()
    assert run(index, folder, encoder) == []
    assert read == []
    assert said(index) == BEFORE


def test_a_changed_a_new_and_a_deleted_sidecar_are_noticed_without_encoding(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, read: list[str]
) -> None:
    run(index, folder, encoder)
    read.clear()
    (folder / "a.srt").write_text(srt((1.0, 2.0, "Something else")))
    (folder / "a.de.vtt").unlink()
    (folder / "c.eng.srt").write_text(srt((1.0, 2.0, "Now I speak")))
    assert [result.path.name for result in run(index, folder, encoder)] == ["a.mp4", "c.mp4"]
    assert sorted(read) == ["words a.mp4", "words c.mp4"]
    assert said(index) == {**BEFORE, "a.mp4": ["Something else"], "c.mp4": ["Now I speak"]}
    (folder / "a.srt").unlink()
    run(index, folder, encoder)
    assert "a.mp4" not in said(index)


def test_words_follow_a_moved_a_changed_and_a_pruned_file(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, read: list[str]
) -> None:
    run(index, folder, encoder)
    read.clear()
    (folder / "sub").mkdir()
    for name in ("a.mp4", "a.srt", "a.de.vtt"):
        (folder / name).rename(folder / "sub" / name)
    (folder / "b.mkv").unlink()
    (folder / "c.srt").write_text(srt((0.0, 1.0, "new")))
    make_video(folder / "c.mp4", frames=30)
    run(index, folder, encoder, prune=True)
    # a.mp4 only has another path.
    assert {name for name in read if name.startswith("words")} == {"words c.mp4"}
    assert said(index) == {"a.mp4": BEFORE["a.mp4"], "c.mp4": ["new"]}
    assert {Path(path).name for path in index.spoken.transcripts()} == {"a.mp4", "c.mp4"}


def test_broken_subtitles_are_reported_and_lose_nothing(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    (folder / "a.fr.srt").write_bytes(os.urandom(4000))
    (folder / "c.srt").write_text(srt((1.0, 2.0, "in time"), (50.0, 51.0, "late"), (60.0, 61.0, "later")))
    (folder / "b.srt").touch()
    results = {result.path.name: result for result in run(index, folder, encoder)}
    assert results["a.mp4"].reason == "a.fr.srt: isn't text"
    assert results["b.mkv"].reason == "b.srt: is empty"
    assert results["c.mp4"].reason == "c.srt: 2 of 3 cues begin after the video's end"
    assert said(index) == {**BEFORE, "c.mp4": ["in time"]}
    assert index.stats().videos == 3
    assert run(index, folder, encoder) == []  # reported once
    (folder / "a.fr.srt").write_text(srt((1.0, 2.0, "Nous sommes fiancés")))
    (result,) = run(index, folder, encoder)
    assert (result.cues, result.reason) == (4, "")


def test_problems_are_retried_on_request(encoder: VideoEncoder, folder: Path, index: VideoIndex) -> None:
    (folder / "c.srt").touch()
    run(index, folder, encoder)
    (result,) = run(index, folder, encoder, retry_failed=True)
    assert (result.path.name, result.reason) == ("c.mp4", "c.srt: is empty")


def test_an_index_of_an_earlier_version_gets_its_words(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, read: list[str]
) -> None:
    run(index, folder, encoder)
    with index.writer() as writer:
        writer.forget_transcripts([video.info.path for video in index.videos()])
    read.clear()
    assert len(run(index, folder, encoder)) == 2
    assert sorted(read) == ["words a.mp4", "words b.mkv", "words c.mp4"]
    assert said(index) == BEFORE


def test_a_model_hears_files_without_subtitles(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    run(index, folder, encoder)
    ear: Any = Ear()
    (result,) = run(index, folder, encoder, recognizer=ear)
    assert (result.path.name, result.cues, ear.heard) == ("c.mp4", 1, ["c.mp4"])
    assert said(index) == {**BEFORE, "c.mp4": ["I am c"]}
    assert run(index, folder, encoder, recognizer=ear) == []  # heard already
    (folder / "c.srt").touch()  # broken subtitles don't replace what was heard
    (result,) = run(index, folder, encoder)
    assert (result.cues, result.reason) == (1, "c.srt: is empty")
    assert said(index)["c.mp4"] == ["I am c"]
    other: Any = Ear("other")
    run(index, folder, encoder, recognizer=other)
    assert other.heard == ["c.mp4"]
    (folder / "c.srt").write_text(srt((0.0, 1.0, "as written")))
    run(index, folder, encoder, recognizer=other)
    assert said(index)["c.mp4"] == ["as written"]


def test_a_file_that_cannot_be_heard_is_listed_and_retried(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    ear: Any = Ear(deaf="c.mp4")
    results = run(index, folder, encoder, recognizer=ear)
    assert results[-1].reason == "its speech: its sound can't be decoded (damaged)"
    assert run(index, folder, encoder, recognizer=ear) == []
    (result,) = run(index, folder, encoder, recognizer=Ear(), retry_failed=True)
    assert (result.path.name, result.cues) == ("c.mp4", 1)


def test_a_stopped_run_keeps_what_was_read_and_the_next_goes_on(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear: Any = Ear()
    done: list[int] = []
    options: dict[str, Any] = {"recognizer": ear, "should_stop": lambda: len(done) > 1}
    options["on_listen"] = lambda count, total: done.append(count)
    monkeypatch.setattr(listening, "_TOGETHER", 1)
    before = [result.path.name for result in run(index, folder, encoder, **options)]
    after = [result.path.name for result in run(index, folder, encoder, recognizer=ear)]
    assert before + after == ["a.mp4", "b.mkv", "c.mp4"]
    assert before[:1] == ["a.mp4"]
    assert after[-1:] == ["c.mp4"]


def test_a_stopped_run_does_not_wait_for_the_speech_model(
    encoder: VideoEncoder, folder: Path, index: VideoIndex
) -> None:
    begun, go_on, heard = Event(), Event(), Event()

    class SlowEar(Ear):
        def listen(self, path: Path, *, should_stop: Any) -> Track | None:
            begun.set()
            go_on.wait(20)
            heard.set()
            return super().listen(path, should_stop=should_stop)

    results = run(index, folder, encoder, recognizer=SlowEar(), should_stop=begun.is_set)
    assert [result.path.name for result in results] == ["a.mp4", "b.mkv"]  # what was read is kept
    assert not heard.is_set()
    go_on.set()


def test_copies_keep_their_own_words(encoder: VideoEncoder, folder: Path, index: VideoIndex) -> None:
    shutil.copy(folder / "a.mp4", folder / "z.mp4")
    ear: Any = Ear()
    run(index, folder, encoder, recognizer=ear)
    assert ear.heard == ["c.mp4", "z.mp4"]
    (folder / "z.srt").touch()
    (result,) = run(index, folder, encoder)
    assert (result.path.name, result.cues) == ("z.mp4", 1)
    (content,) = {video.info.video_id for video in index.videos("path like '%z.mp4'")}
    assert [cue.text for cue in index.spoken.cues(content, path=folder / "z.mp4")] == ["I am z"]


def test_results_name_files_as_they_were_asked_for(
    encoder: VideoEncoder, folder: Path, index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    results = list(sync(index, [folder.name], encoder))
    assert {result.path.parent for result in results} == {Path(folder.name)}
    assert any(result.state == "heard" for result in results)
