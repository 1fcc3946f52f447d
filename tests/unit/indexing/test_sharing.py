"""Several runs that share the files and the index."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tiny_models import clip_model
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.errors import IndexLockedError
from centerclip.index import VideoIndex
from centerclip.index.sql import equals
from centerclip.indexing import FileResult, Shard, SyncOptions, sharing, sync
from centerclip.indexing.attempts import NOTE, Attempts
from centerclip.indexing.sharing import Turns
from centerclip.model import CenterCLIP
from centerclip.records import Cue, Track, Transcript

COUNT = 9


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Videos of which each of two parts has some, which depends on the folder's name."""
    folder = next(folder for n in range(99) if 3 <= part_of(folder := tmp_path / f"videos{n}") <= COUNT - 3)
    folder.mkdir()
    for number in range(COUNT):
        make_video(folder / f"{number}.mp4", frames=8 + number)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


def part_of(folder: Path) -> int:
    return sum(Shard(1, 2).has(folder / f"{number}.mp4") for number in range(COUNT))


def states(results: list[FileResult]) -> dict[str, str]:
    return {result.path.name: result.state for result in results}


def run_part(
    place: Path, folder: Path, encoder: VideoEncoder, shard: Shard, **more: object
) -> dict[str, str]:
    options = SyncOptions(shard=shard, **more)  # type: ignore[arg-type]
    return states(list(sync(VideoIndex(place), [folder], encoder, options)))


def test_each_file_is_in_one_part() -> None:
    paths = [Path(f"/videos/{number}.mp4") for number in range(1000)]
    parts = [[path for path in paths if Shard(number, 4).has(path)] for number in (1, 2, 3, 4)]
    assert sorted(path for part in parts for path in part) == sorted(paths)
    assert all(200 < len(part) < 300 for part in parts)
    assert all(Shard(1, 1).has(path) for path in paths)


def test_runs_side_by_side_do_all_files_once(encoder: VideoEncoder, folder: Path, tmp_path: Path) -> None:
    place, both = tmp_path / "index", Barrier(2)
    VideoIndex(place).bind(encoder.card())

    def run(number: int) -> dict[str, str]:
        met = False

        def meet() -> bool:  # each run begins to encode only while the other one does
            nonlocal met
            if not met:
                met = True
                both.wait(60)
            return False

        return run_part(place, folder, encoder, Shard(number, 2), should_stop=meet)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, (1, 2))
    assert not first.keys() & second.keys()
    assert len(first) > 1
    assert len(second) > 1
    assert first | second == {f"{n}.mp4": "indexed" for n in range(COUNT)} | {"bad.mp4": "failed"}
    alone = VideoIndex(tmp_path / "alone")
    list(sync(alone, [folder], encoder))
    index = VideoIndex(place)
    assert (len(index), index.stats().videos, index.stats().failed) == (len(alone), COUNT, 1)
    again = states(list(sync(index, [folder], encoder)))
    assert set(again.values()) == {"unchanged", "skipped"}


def test_a_part_leaves_the_files_of_the_others_alone(
    encoder: VideoEncoder, folder: Path, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    list(sync(index, [folder], encoder))
    mine = [n for n in range(COUNT) if Shard(1, 2).has(folder / f"{n}.mp4")]
    others = [n for n in range(COUNT) if n not in mine]
    (folder / f"{mine[0]}.mp4").unlink()
    (folder / f"{others[0]}.mp4").unlink()
    moved = next(name for name in (f"new{n}.mp4" for n in range(99)) if Shard(2, 2).has(folder / name))
    (folder / f"{mine[1]}.mp4").rename(folder / moved)
    first = run_part(tmp_path / "index", folder, encoder, Shard(1, 2), prune=True)
    assert first.pop(f"{mine[0]}.mp4") == "removed"
    assert f"{mine[1]}.mp4" not in first  # the other part's run moves it
    assert set(first.values()) <= {"unchanged", "skipped"}
    second = run_part(tmp_path / "index", folder, encoder, Shard(2, 2), prune=True)
    assert second.pop(f"{others[0]}.mp4") == "removed"
    assert second.pop(moved) == "moved"
    assert set(second.values()) <= {"unchanged", "skipped"}
    assert index.stats().videos == COUNT - 2


def test_a_run_that_keeps_the_index_to_itself_is_waited_for_only_so_long(
    encoder: VideoEncoder, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_TURN_SECONDS", 0.2)
    index = VideoIndex(tmp_path / "index")
    index.bind(encoder.card())
    with index.writer(), pytest.raises(IndexLockedError, match="is being written by process"):
        run_part(tmp_path / "index", folder, encoder, Shard(1, 2))


def test_words_of_a_file_that_another_run_has_removed_are_dropped(
    encoder: VideoEncoder, folder: Path, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    list(sync(index, [folder], encoder))
    one, other = (video.info for video in index.videos(equals("state", "done"))[:2])
    said = Transcript((Track("x.srt", "en", (Cue(0.1, 0.4, "hello"),)),), (), "1")
    turns = Turns(index, 0, shared=True)
    with turns.take() as writer:
        writer.remove([one.path])
    assert turns.add_transcripts([(one, said), (other, said)]) == [(other, said)]
    assert [cue.text for cue in index.spoken.cues(other.video_id)] == ["hello"]
    assert turns.add_transcripts([(one, said)]) == []


def test_parts_keep_separate_notes_of_what_they_decode(tmp_path: Path) -> None:
    names = []
    for shard in (None, Shard(1, 2), Shard(2, 2)):
        attempts = Attempts(str(tmp_path), shard)
        attempts._decoding.add((f"{shard}", 1, 1.0))
        attempts._write()
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".attempts-1-of-2.json", ".attempts-2-of-2.json", NOTE]
    for name in names:
        assert len(json.loads((tmp_path / name).read_text())["decoding"]) == 1
