"""Searches in what is said, alone and fused with what is seen, in an index with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_videos import WordEncoder, new_index, random_video
from test_searcher import DOG, dog_video

from centerclip.errors import QueryError
from centerclip.index import VideoIndex
from centerclip.records import Cue, EncodedVideo, Track, Transcript
from centerclip.search import Hit, Query, Searcher, Term, parse_query
from centerclip.search.fusion import fuse
from centerclip.search.spoken import coverage

EMPTY = [dog_video(f"/v/empty{at}.mp4", [[0.1] * 4] * 3, seed=1000 * at) for at in range(10)]
ALL = dog_video("/v/all.mp4", [[0.5] * 4] * 2, seed=1)
BRIEF = dog_video("/v/brief.mp4", [[0.1] * 4, [0.1, 0.1, 0.6, 0.1], [0.1] * 4], seed=2)
FEW = dog_video("/v/few.mp4", [[0.4] * 4], seed=3)

SAID: list[tuple[EncodedVideo, list[tuple[float, float, str]]]] = [
    (EMPTY[0], [(2.0, 4.0, "I have two dogs"), (20.0, 21.0, "We are engaged"), (30.0, 31.0, "Bye")]),
    (EMPTY[1], [(0.1, 1.0, "We are engaged, and we"), (1.5, 3.0, "are engaged to be married")]),
    (ALL, [(13.0, 14.0, "What a nice dog")]),
]


@pytest.fixture
def encoder() -> WordEncoder:
    made = WordEncoder()
    made.directions["dog"] = DOG
    return made


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    made = new_index(tmp_path_factory.mktemp("spoken") / "index", *EMPTY, ALL, BRIEF, FEW)
    tracks = [(video.info, Track("film.srt", "en", tuple(Cue(*cue) for cue in cues))) for video, cues in SAID]
    with made.writer() as writer:
        writer.add_transcripts([(info, Transcript((track,), (), "1")) for info, track in tracks])
        writer.finish()
    return made


@pytest.fixture
def searcher(index: VideoIndex, encoder: WordEncoder) -> Searcher:
    return Searcher(index, encoder)


def places(hits: list[Hit]) -> list[tuple[str, float, float, tuple[str, ...]]]:
    return [(hit.path.stem, hit.start, hit.end, hit.reasons) for hit in hits]


def test_spoken_words_are_found_with_their_span(searcher: Searcher) -> None:
    hits = searcher.search('spoken:"we are engaged"')
    assert places(hits) == [("empty0", 19.5, 21.5, ("said",)), ("empty1", 0.0, 3.5, ("said",))]
    first, second = hits
    assert [said.text for said in second.said] == ["We are engaged, and we", "are engaged to be married"]
    assert (first.said[0].start, first.said[0].end, first.said[0].source) == (20.0, 21.0, "film.srt")
    assert (first.window_start, first.window_end, first.video_id) == (12.0, 24.0, "id-/v/empty0.mp4")
    assert (first.strength, [hit.rank for hit in hits]) == (1.0, [1, 2])
    assert 0 < second.strength <= 1
    assert first.score >= second.score > 0


def test_spoken_words_need_no_model(searcher: Searcher, encoder: WordEncoder) -> None:
    searcher.search("spoken:engaged")
    assert encoder.asked == []


def test_seen_words_are_not_looked_for_in_what_is_said(searcher: Searcher) -> None:
    hits = searcher.search("seen:dog")
    assert places(hits) == [
        ("brief", 18.0, 21.0, ("seen",)),
        ("all", 0.0, 24.0, ("seen",)),
        ("few", 0.0, 12.0, ("seen",)),
    ]
    assert all(hit.said == () for hit in hits)


def test_a_plain_query_uses_both_and_says_why(searcher: Searcher) -> None:
    hits = searcher.search("dog")
    assert places(hits) == [
        ("all", 12.5, 14.5, ("seen", "said")),
        ("brief", 18.0, 21.0, ("seen",)),
        ("empty0", 1.5, 4.5, ("said",)),
        ("few", 0.0, 12.0, ("seen",)),
    ]
    both, seen, said = hits[:3]
    assert [one.text for one in both.said] == ["What a nice dog"]
    assert both.score == pytest.approx(0.5, abs=1e-3)
    assert said.score == pytest.approx(0.1, abs=1e-3)  # what the picture scores
    assert seen.strength == pytest.approx(1.0)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]


def test_a_plain_query_that_nobody_says_is_answered_as_without_cues(
    searcher: Searcher, encoder: WordEncoder, tmp_path: Path
) -> None:
    encoder.directions["canine on grass"] = DOG
    silent = Searcher(new_index(tmp_path / "silent", *EMPTY, ALL, BRIEF, FEW), encoder)
    assert searcher.search("canine on grass") == silent.search("canine on grass")
    assert searcher.search("seen:dog") == silent.search("dog")


def test_a_cue_with_a_few_of_the_words_is_no_answer(searcher: Searcher, encoder: WordEncoder) -> None:
    encoder.directions["a dog catches a frisbee"] = DOG
    assert all(hit.reasons == ("seen",) for hit in searcher.search("a dog catches a frisbee"))
    assert searcher.search("spoken:a dog catches a frisbee")  # asked for, any word counts


def test_of_several_cues_those_with_most_of_the_words_count(searcher: Searcher) -> None:
    hits = searcher.search("a nice dog", tail=True)
    assert [hit.path.stem for hit in hits if "said" in hit.reasons] == ["all"]


def test_conditions_limits_and_files(searcher: Searcher, tmp_path: Path) -> None:
    where = "path like '%empty%'"
    found = searcher.search("dog", where=where)
    assert [hit.path.stem for hit in found if "said" in hit.reasons] == ["empty0"]
    assert searcher.search("spoken:engaged", where="path like '%empty0%'", top=1)[0].path.stem == "empty0"
    assert searcher.search("spoken:engaged", where="duration_seconds > 100") == []
    assert len(searcher.search("dog", top=2)) == 2
    many = searcher.search("spoken:dog + spoken:engaged", per_video=None)
    assert [hit.path.stem for hit in many].count("empty0") == 2
    file = tmp_path / "picture.jpg"
    file.touch()
    mixed = Query((Term(file), Term("dog")))
    assert all(hit.reasons == ("seen",) for hit in searcher.search(mixed))
    both = Query((Term(file), Term("engaged", sense="spoken")))
    assert any("said" in hit.reasons for hit in searcher.search(both))


def test_terms_are_added_and_subtracted(searcher: Searcher) -> None:
    without = searcher.search("spoken:engaged - spoken:engaged to be married")
    assert {said.text for hit in without for said in hit.said} == {"We are engaged, and we", "We are engaged"}
    weighted = searcher.search("spoken:engaged + 9:spoken:dog")
    assert weighted[0].said[0].text in {"What a nice dog", "I have two dogs"}


def test_several_queries_are_answered_as_one(searcher: Searcher) -> None:
    queries: list[Any] = ["dog", "spoken:engaged", "seen:dog", DOG]
    assert searcher.search_many(queries) == [searcher.search(query) for query in queries]


def test_without_words_in_the_index(encoder: WordEncoder, tmp_path: Path) -> None:
    searcher = Searcher(new_index(tmp_path / "silent", ALL), encoder)
    with pytest.raises(QueryError, match=r"no words to look for with spoken: put subtitles .* --speech"):
        searcher.search("spoken:dog")
    assert [hit.reasons for hit in searcher.search("dog", tail=True)] == [("seen",)]
    empty = Searcher(VideoIndex(tmp_path / "empty"), encoder)
    assert empty.search("spoken:dog") == empty.search("dog") == []


def test_a_curve_needs_something_that_is_seen(searcher: Searcher) -> None:
    curve = searcher.curve("dog + spoken:engaged", "id-/v/all.mp4")
    np.testing.assert_array_equal(curve.scores, searcher.curve("dog", "id-/v/all.mp4").scores)
    with pytest.raises(QueryError, match="only spoken words"):
        searcher.curve("spoken:dog", "id-/v/all.mp4")


def test_the_deadline_holds(index: VideoIndex, encoder: WordEncoder) -> None:
    with pytest.raises(QueryError, match="took too long"):
        Searcher(index, encoder, seconds=0.0).search("spoken:dog")


def test_copies_are_found_once(encoder: WordEncoder, tmp_path: Path) -> None:
    one, two = (random_video(f"/v/{name}.mp4", seed=4) for name in ("a", "b"))
    made = new_index(tmp_path / "copies", one, two)
    said = Transcript((Track("x.srt", "en", (Cue(1.0, 2.0, "hello there"),)),), (), "1")
    with made.writer() as writer:
        writer.add_transcripts([(one.info, said), (two.info, said)])
    hits = Searcher(made, encoder).search("spoken:hello", per_video=None)
    assert [(hit.path.stem, len(hit.said)) for hit in hits] == [("a", 1)]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("a red car", "The red cars are here", True),
        ("a red car", "the red house", False),
        ("dancing", "they danced", True),
        ("car", "scarf", False),
        ("resume", "Mon résumé", True),
        ("where is it", "tell me where is it", True),  # only everyday words
        ("北京", "我们明天去北京", True),
        ("北京", "我们明天去上海", False),
        ("we are engaged", "engaged", True),
        ("a dog catches a frisbee", "the dog catches it", True),
    ],
)
def test_how_much_of_a_query_a_cue_must_have(query: str, text: str, expected: bool) -> None:
    assert (coverage([query], text) > 0.5) is expected


def hit(video: str, start: float, end: float, reason: Any) -> Hit:
    from centerclip.search import Said

    said = (Said(start, end, "x", "", ""),) if reason == "said" else ()
    times = 0.0, 12.0, start, 60.0
    return Hit(Path(video), start, end, 0.5, 0, 0.5, video, *times, reasons=(reason,), said=said)


def test_ranks_are_fused_by_their_reciprocals() -> None:
    seen = [hit("a", 0, 2, "seen"), hit("b", 0, 2, "seen"), hit("c", 0, 2, "seen")]
    said = [hit("d", 20, 22, "said"), hit("c", 1, 3, "said"), hit("a", 20, 22, "said")]
    fused = fuse(seen, said, top=10, per_video=None)
    assert [(one.video_id, one.reasons, one.rank) for one in fused] == [
        ("c", ("seen", "said"), 1),  # 1/63 + 1/62
        ("d", ("said",), 2),  # 1/61, as the next
        ("a", ("seen",), 3),
        ("b", ("seen",), 4),  # 1/62
        ("a", ("said",), 5),  # 1/63, outside of the window of the other
    ]
    assert (fused[0].start, fused[0].end) == (1, 3)
    assert [one.video_id for one in fuse(seen, said, top=3, per_video=1)] == ["c", "d", "a"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('spoken:"we are engaged"', [("we are engaged", 1.0, "spoken")]),
        ("seen:beach + spoken:hello there", [("beach", 1.0, "seen"), ("hello there", 1.0, "spoken")]),
        ("2:spoken:cake - seen: cat", [("cake", 2.0, "spoken"), ("cat", -1.0, "seen")]),
        ('"spoken:word"', [("spoken:word", 1.0, "")]),
        ("he has spoken: yes", [("he has spoken: yes", 1.0, "")]),
        ('spoken:say "hi" now', [('say "hi" now', 1.0, "spoken")]),
    ],
)
def test_the_language_says_where_to_look(text: str, terms: list[tuple[str, float, str]]) -> None:
    query = parse_query(text)
    assert [(term.content, term.weight, term.sense) for term in query.terms] == terms
    assert parse_query(str(query)) == query


def test_mistakes_with_senses(tmp_path: Path) -> None:
    for text in ("spoken:", "seen: + x", 'spoken:""'):
        with pytest.raises(QueryError, match="needs words after it"):
            parse_query(text)
    with pytest.raises(QueryError, match="is a file, which can't be spoken"):
        Query((Term(tmp_path / "x.jpg", sense="spoken"),))
    assert parse_query("spoken:./x.jpg").terms[0].content == "./x.jpg"
    assert str(Query((Term('spoken:say "x"'),))) == '1: spoken:say "x"'
    assert parse_query('1: spoken:say "x"') == Query((Term('spoken:say "x"'),))
