"""What is said, in an index: stored with its file, found by its words, and consistent whatever happens."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from damage import halve, newest
from random_videos import new_index, random_video

from centerclip.errors import IndexStoreError, QueryError
from centerclip.index import FileStamp, VideoIndex, examine, repair, summarize
from centerclip.index.columns import WINDOW_COLUMNS
from centerclip.index.conditions import parse_condition
from centerclip.index.cues import CUE_INDEX
from centerclip.index.restriction import Restriction
from centerclip.records import Cue, EncodedVideo, Failed, Track, Transcript, VideoInfo

VIDEOS = [random_video(f"/v/{at}.mp4", windows=3) for at in range(3)]
EVERYTHING = Restriction()


def transcript(*texts: str, language: str = "en", source: str = "film.srt", stamp: str = "1") -> Transcript:
    """Return a transcript with a cue per ten seconds."""
    cues = tuple(Cue(10.0 * at, 10.0 * at + 2, text) for at, text in enumerate(texts))
    return Transcript((Track(source, language, cues),) if cues else (), (), stamp)


def say(index: VideoIndex, *said: tuple[EncodedVideo, Transcript]) -> None:
    with index.writer() as writer:
        writer.add_transcripts([(video.info, made) for video, made in said])
        writer.finish()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index, which each test copies."""
    folder = tmp_path_factory.mktemp("original") / "index"
    made = new_index(folder, *VIDEOS)
    say(
        made,
        (VIDEOS[0], transcript("The dogs are running", "We are engaged")),
        (VIDEOS[1], transcript("A dog barks")),
        (VIDEOS[2], transcript()),
    )
    return folder


@pytest.fixture
def index(original: Path, tmp_path: Path) -> VideoIndex:
    shutil.copytree(original, tmp_path / "index")
    return VideoIndex(tmp_path / "index")


def texts(index: VideoIndex, *words: tuple[str, float], where: str | None = None) -> list[str]:
    only = Restriction(parse_condition(where, WINDOW_COLUMNS))
    return [cue.text for cue in index.spoken.search(words, 10, only)]


def test_cues_are_found_by_any_form_of_their_words(index: VideoIndex) -> None:
    assert sorted(texts(index, ("dog", 1.0))) == ["A dog barks", "The dogs are running"]
    (cue,) = index.spoken.search([("engagement", 1.0)], 10, EVERYTHING)
    assert (cue.path, cue.video_id, cue.duration_seconds) == (Path("/v/0.mp4"), "id-/v/0.mp4", 36.0)
    assert (cue.start, cue.end, cue.text) == (10.0, 12.0, "We are engaged")
    assert (cue.language, cue.source) == ("en", "film.srt")
    assert cue.score > 0
    assert texts(index, ("the", 1.0)) == []
    assert len(index.spoken) == index.stats().cues == 3
    summary = summarize(index.location, create=False)
    assert summary is not None
    assert summary.stats.cues == 3


def test_words_can_be_weighted_and_excluded(index: VideoIndex) -> None:
    assert texts(index, ("run", 5.0), ("bark", 1.0))[0] == "The dogs are running"
    assert texts(index, ("run", 1.0), ("bark", 5.0))[0] == "A dog barks"
    assert texts(index, ("dog", 1.0), ("barks", -1.0)) == ["The dogs are running"]
    assert len(texts(index, ("dog", 1.0), ("barks loudly", -1.0))) == 2  # without all of the words
    assert texts(index, ("dog", -1.0)) == []


@pytest.mark.parametrize(
    "text", ['"', "a:b", "(dog", "AND OR NOT", "\\", "*", "'; drop table", "", " ", "\0"]
)
def test_any_text_is_only_words(index: VideoIndex, text: str) -> None:
    assert {*texts(index, (text, 1.0))} <= {"A dog barks", "The dogs are running"}


def test_conditions_and_deadlines_apply(index: VideoIndex) -> None:
    assert texts(index, ("dog", 1.0), where="path like '%/1.mp4'") == ["A dog barks"]
    assert texts(index, ("dog", 1.0), where="duration_seconds > 36") == []
    assert texts(index, ("engaged", 1.0), where="start_ms >= 10000") == ["We are engaged"]
    with pytest.raises(QueryError, match="took too long"):
        index.spoken.search([("dog", 1.0)], 10, Restriction.within(None, 0.0))


def test_cues_that_are_not_indexed_yet_are_found(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.add_transcripts([(VIDEOS[2].info, transcript("Yet another dog"))])
        table = writer._spoken.cues
        assert table.index_stats(CUE_INDEX).num_unindexed_rows == 1
    assert "Yet another dog" in texts(index, ("dogs", 1.0))


def test_the_index_is_made_again_in_the_language_of_most_cues(index: VideoIndex) -> None:
    say(index, (VIDEOS[2], transcript(*["Die Häuser sind groß"] * 4, language="de")))
    assert len(texts(index, ("Haus", 1.0))) == 4
    (found,) = index._store.table("cues").list_indices()
    assert found.index_details["language"] == "German"
    say(index, (VIDEOS[2], transcript(*["我们明天去北京"] * 4, language="zh")))
    assert len(texts(index, ("北京", 1.0))) == 4


def test_cues_come_in_order_of_time(index: VideoIndex) -> None:
    found = index.spoken.cues("id-/v/0.mp4")
    assert [cue.text for cue in found] == ["The dogs are running", "We are engaged"]
    assert index.spoken.cues("unknown") == []


def test_several_sources_and_texts_of_one_instant_are_kept(index: VideoIndex) -> None:
    english = Track("a.srt", "en", (Cue(0.0, 1.0, "one"), Cue(0.0, 2.0, "two")))
    german = Track("b.srt", "de", (Cue(0.0, 1.0, "eins"),))
    say(index, (VIDEOS[0], Transcript((english, german), (), "2")))
    found = [(cue.text, cue.end, cue.source) for cue in index.spoken.cues("id-/v/0.mp4")]
    assert found == [("one\ntwo", 2.0, "a.srt"), ("eins", 1.0, "b.srt")]


def test_transcripts_are_replaced_and_known(index: VideoIndex) -> None:
    version = index.version
    made = replace(transcript("Something else", stamp="2"), problems=("a.srt: is empty", "b.srt: isn't text"))
    say(index, (VIDEOS[0], made), (VIDEOS[1], transcript(stamp="2")))
    assert [cue.text for cue in index.spoken.cues("id-/v/0.mp4")] == ["Something else"]
    known = index.spoken.transcripts()
    assert {path: (one.stamp, one.cues) for path, one in known.items()} == {
        "/v/0.mp4": ("2", 1),
        "/v/1.mp4": ("2", 0),
        "/v/2.mp4": ("1", 0),
    }
    assert known["/v/0.mp4"].problems == made.problems
    assert index.version > version
    with index.writer() as writer:
        writer.finish()


def test_cues_follow_their_file(index: VideoIndex) -> None:
    with index.writer() as writer:
        writer.move(Path("/v/0.mp4"), FileStamp(Path("/w/new.mp4"), 0, 77.0))
        writer.add([random_video("/v/1.mp4", seed=5), Failed(Path("/v/2.mp4"), "damaged")])
        writer.finish()
    assert [cue.path for cue in index.spoken.cues("id-/v/0.mp4")] == [Path("/w/new.mp4")] * 2
    assert texts(index, ("engaged", 1.0), where="modified_seconds = 77") == ["We are engaged"]
    assert set(index.spoken.transcripts()) == {"/w/new.mp4"}
    with index.writer() as writer:
        writer.remove([Path("/w/new.mp4")])
        writer.finish()
    assert (len(index.spoken), index.spoken.transcripts()) == (0, {})


def test_words_of_a_file_that_is_not_encoded_are_refused(index: VideoIndex) -> None:
    info: VideoInfo = random_video("/v/other.mp4").info
    with index.writer() as writer, pytest.raises(IndexStoreError, match=r"/v/other.mp4 isn't in the index"):
        writer.add_transcripts([(info, transcript("x"))])


@pytest.mark.parametrize("sql", ["start_ms = 0", "path = '/v/1.mp4'"])
def test_a_transcript_that_lost_rows_is_forgotten_and_the_video_stays(index: VideoIndex, sql: str) -> None:
    index._store.newest("cues").delete(sql)
    index._store.commit()
    with index.writer() as writer:
        writer.finish()
    assert "/v/1.mp4" not in index.spoken.transcripts()
    assert index.stats().videos == 3


def test_a_transcript_of_another_content_is_forgotten(index: VideoIndex) -> None:
    for name in ("cues", "transcripts"):
        index._store.newest(name).update(where="path = '/v/1.mp4'", values={"video_id": "old"})
    index._store.commit()
    with index.writer() as writer:
        writer.finish()
    assert set(index.spoken.transcripts()) == {"/v/0.mp4", "/v/2.mp4"}
    assert len(index.spoken) == 2


def damaged(location: str) -> Sequence[str]:
    return [report.table for report in examine(location) if report.state != "good"]


def test_damaged_tables_are_mended(index: VideoIndex) -> None:
    index._store.newest("cues").update(where="path = '/v/0.mp4'", values={"text": "\0\0"})
    index._store.newest("transcripts").update(where="path = '/v/1.mp4'", values={"cues": 7})
    index._store.commit()
    assert damaged(index.location) == ["cues", "transcripts"]
    repair(index.location)
    assert damaged(index.location) == []
    fresh = VideoIndex(index.location)
    assert set(fresh.spoken.transcripts()) == {"/v/2.mp4"}
    assert fresh.stats().videos == 3


def test_a_damaged_full_text_index_is_made_again(index: VideoIndex) -> None:
    for file in Path(index.location, "cues.lance", "_indices").rglob("*"):
        if file.is_file():
            halve(file)
    assert damaged(index.location) == ["cues"]
    repair(index.location)
    assert sorted(texts(VideoIndex(index.location), ("dog", 1.0))) == ["A dog barks", "The dogs are running"]


def test_a_damaged_data_file_loses_only_words(index: VideoIndex) -> None:
    say(index, (VIDEOS[2], transcript("a third dog")))
    halve(newest(index, "cues", "data/*"))
    with VideoIndex(index.location).writer() as writer:
        writer.finish()
    fresh = VideoIndex(index.location)
    assert fresh.stats().videos == 3
    assert len(fresh.spoken) == sum(known.cues for known in fresh.spoken.transcripts().values())
