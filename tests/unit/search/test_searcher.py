"""From a query to ranked hits, in an index with known answers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from random_videos import EMBED_SIZE, WordEncoder, new_index, random_units, random_video

from centerclip.errors import FingerprintError, QueryError
from centerclip.index import VideoIndex
from centerclip.records import EncodedVideo, EncodedWindow, Window
from centerclip.search import Query, Searcher, Term
from centerclip.search import encoders as encoders_module
from centerclip.search import searcher as searcher_module

DOG, CAT = np.eye(EMBED_SIZE, dtype=np.float32)[:2]


def toward(direction: np.ndarray, cosine: float, seed: int) -> np.ndarray:
    """Return a unit vector with the given cosine to `direction`, otherwise random."""
    rest = random_units(seed)
    rest[:2] = 0
    rest /= np.linalg.norm(rest)
    return cosine * direction + np.sqrt(1 - cosine**2, dtype=np.float32) * rest


def dog_video(path: str, cosines: list[list[float]], *, seed: int = 0) -> EncodedVideo:
    """Make a video whose windows' segments have these cosines with "dog", and its vectors the highest."""
    windows = []
    for at, row in enumerate(cosines):
        segments = np.stack([toward(DOG, cosine, seed + 31 * at + 7 * s) for s, cosine in enumerate(row)])
        vector = toward(DOG, max(row), seed + 31 * at)
        window = Window(12.0 * at, 12.0 * at + 12)
        bounds = np.linspace(window.start_seconds, window.end_seconds, len(row) + 1)
        windows.append(EncodedWindow(window, vector, segments, bounds, ((window.start_seconds, b""),)))
    return replace(random_video(path, windows=len(cosines)), windows=tuple(windows))


@pytest.fixture
def encoder() -> WordEncoder:
    made = WordEncoder()
    made.directions.update({"dog": DOG, "cat": CAT})
    return made


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    """Three videos with dogs, and thirty windows without."""
    across = [[0.1, 0.1, 0.1, 0.4], [0.45] * 4, [0.4, 0.1, 0.1, 0.1], [0.1] * 4, [0.1, 0.38, 0.1, 0.1]]
    return new_index(
        tmp_path_factory.mktemp("searched") / "index",
        *(dog_video(f"/v/empty{at}.mp4", [[0.1] * 4] * 3, seed=1000 * at) for at in range(10)),
        dog_video("/v/all.mp4", [[0.5] * 4], seed=1),
        dog_video("/v/brief.mp4", [[0.1] * 4, [0.1, 0.1, 0.6, 0.1], [0.1] * 4], seed=2),
        dog_video("/v/across.mp4", across, seed=3),
    )


@pytest.fixture
def searcher(index: VideoIndex, encoder: WordEncoder) -> Searcher:
    return Searcher(index, encoder)


def test_moments_are_found_cut_and_joined_and_the_tail_is_dropped(searcher: Searcher) -> None:
    hits = searcher.search("dog")
    assert [(str(hit.path), hit.start, hit.end, hit.rank) for hit in hits] == [
        ("/v/brief.mp4", 18.0, 21.0, 1),
        ("/v/all.mp4", 0.0, 12.0, 2),
        ("/v/across.mp4", 9.0, 27.0, 3),
    ]
    assert [hit.score for hit in hits] == pytest.approx([0.6, 0.5, 0.45], abs=3e-3)  # stored as int8
    assert [hit.strength for hit in hits] == pytest.approx([1, 0.8, 0.7], abs=1e-3)
    across = hits[2]
    assert (across.window_start, across.window_end, across.duration_seconds) == (12.0, 24.0, 60.0)
    assert across.video_id == "id-/v/across.mp4"


def test_the_tail_is_kept_on_request(searcher: Searcher) -> None:
    hits = searcher.search("dog", top=50, tail=True)
    assert [hit.rank for hit in hits] == list(range(1, 14))
    assert all(hit.strength == pytest.approx(0, abs=5e-3) for hit in hits[3:])  # stored as int8
    assert hits == sorted(hits, key=lambda hit: -hit.score)
    for top in range(1, 12):
        assert searcher.search("dog", top=top, tail=True) == hits[:top]


def test_more_moments_of_a_video_on_request(searcher: Searcher) -> None:
    for per_video in (2, None):
        across = [h for h in searcher.search("dog", per_video=per_video) if h.path.name == "across.mp4"]
        assert [(hit.start, hit.end) for hit in across] == [(9.0, 27.0), (51.0, 54.0)]
    everything = searcher.search("dog", top=999, per_video=None, tail=True)
    one_each = searcher.search("dog", top=99, tail=True)
    assert {hit.video_id for hit in everything} == {hit.video_id for hit in one_each}
    by_time = sorted(everything, key=lambda hit: (hit.path, hit.start))
    assert all(a.path != b.path or a.end <= b.start for a, b in pairwise(by_time))


def test_a_condition_narrows_the_search(searcher: Searcher) -> None:
    hits = searcher.search("dog", where="path like '%/across.mp4' and start_ms > 30000")
    assert [(hit.start, hit.end) for hit in hits] == [(51.0, 54.0)]
    with pytest.raises(QueryError, match="nope"):
        searcher.search("dog", where="nope")


def test_terms_are_weighted_and_summed(searcher: Searcher, encoder: WordEncoder, tmp_path: Path) -> None:
    picture, clip = tmp_path / "p.JPG", tmp_path / "c.mp4"
    picture.touch()
    clip.touch()
    encoder.directions.update({"picture p.JPG": CAT, "clip c.mp4": DOG})
    vectors = searcher.vectors
    half = np.sqrt(0.5)
    for query, expected in (
        (Query((Term("dog"), Term("cat", -1.0))), half * (DOG - CAT)),
        (Query((Term("dog", 3.0), Term("cat", 4.0))), 0.6 * DOG + 0.8 * CAT),
        (Query((Term("dog", -5.0),)), -DOG),
        (Query((Term("dog"), Term(picture))), half * (DOG + CAT)),
        (Query((Term(clip), Term("cat", -1.0))), half * (DOG - CAT)),
    ):
        np.testing.assert_allclose(vectors.encode([query])[0], expected, atol=1e-6)
    assert searcher.search(clip)[0].path.name == "brief.mp4"
    assert searcher.search(f"{clip} - 0.1:cat")[0].path.name == "brief.mp4"
    with pytest.raises(QueryError, match="cancel each other"):
        searcher.search("dog - dog")
    with pytest.raises(QueryError, match="File not found"):
        searcher.search("./none.mp4")
    searcher.search("./none.mp4", files=False)


def test_each_sentence_is_encoded_once(
    searcher: Searcher, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders_module, "_CACHED", 3)
    for query in ("dog + cat", "dog", "cat - dog", "dog + dog"):
        searcher.search(query)
    assert sorted(encoder.asked) == ["cat", "dog"]
    for query in ("one", "two", "dog", "three"):  # drops "cat" and "one", which were used longest ago
        searcher.search(query)
    encoder.asked.clear()
    searcher.search("dog + three + two")
    assert encoder.asked == []
    searcher.search("cat")
    assert encoder.asked == ["cat"]


@pytest.mark.parametrize("in_memory", [1, 120, 3200], ids=["one by one", "in pairs", "all together"])
def test_queries_together_get_the_same_answers_as_alone(
    searcher: Searcher, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(searcher_module, "_IN_MEMORY", in_memory)
    queries = ["dog", "dog - cat", 7 * DOG, Query((Term("cat"),)), "dog", random_units(5)]
    for options in ({}, {"top": 30, "tail": True}, {"per_video": None, "where": "path like '%a%'"}):
        alone = [searcher.search(query, **options) for query in queries]
        together = searcher.search_many(queries, **options)
        for hits, expected in zip(together, alone, strict=True):
            assert [replace(hit, score=0, strength=0) for hit in hits] == [
                replace(hit, score=0, strength=0) for hit in expected
            ]
            # Products of matrices and of vectors are rounded differently.
            for name in ("score", "strength"):
                wanted = [getattr(hit, name) for hit in expected]
                assert [getattr(hit, name) for hit in hits] == pytest.approx(wanted, abs=1e-5)
        assert any(alone)
    assert searcher.search(7 * DOG) == searcher.search("dog")
    assert searcher.search_many([]) == []
    with pytest.raises(QueryError, match="shape"):
        searcher.search_many(["dog", DOG[:3]])


def test_sentences_go_through_the_model_together(
    searcher: Searcher, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    encode = encoder.encode_text
    monkeypatch.setattr(encoder, "encode_text", lambda texts: batches.append(texts) or encode(texts))
    searcher.search_many(["a bird", "dog + a bird", "two birds", "a bird"])
    assert batches == [["a bird", "dog", "two birds"]]


def test_similar_windows_are_found_in_other_videos(searcher: Searcher) -> None:
    hits = searcher.similar("id-/v/all.mp4", 0.0, top=3, tail=True)
    assert len(hits) == 3
    assert all(hit.path.name != "all.mp4" for hit in hits)
    assert searcher.similar("id-/v/all.mp4", 0.0, where="path = '/v/brief.mp4'")[0].path.name == "brief.mp4"
    with pytest.raises(QueryError, match="starts at 5 seconds"):
        searcher.similar("id-/v/all.mp4", 5.0)


def test_the_curve_covers_the_whole_video(searcher: Searcher) -> None:
    curve = searcher.curve("dog", "id-/v/brief.mp4")
    assert curve.path == Path("/v/brief.mp4")
    np.testing.assert_allclose(curve.starts, np.arange(0, 36, 3))
    np.testing.assert_allclose(curve.ends, np.arange(3, 39, 3))
    np.testing.assert_allclose(curve.scores, [0.1] * 6 + [0.6] + [0.1] * 5, atol=3e-3)  # stored as int8
    with pytest.raises(QueryError, match="no video 'x'"):
        searcher.curve("dog", "x")


def test_another_model_is_refused_at_once_and_later(tmp_path: Path, index: VideoIndex) -> None:
    with pytest.raises(FingerprintError, match="made by tiny"):
        Searcher(index, WordEncoder("ffff"))
    later = VideoIndex(tmp_path / "later")
    searcher = Searcher(later, WordEncoder("ffff"))
    assert searcher.search("dog") == []
    new_index(tmp_path / "later")
    with pytest.raises(FingerprintError, match="made by tiny"):
        searcher.search("dog")


def test_a_small_index_has_no_tail(tmp_path: Path, encoder: WordEncoder) -> None:
    searcher = Searcher(new_index(tmp_path), encoder)
    assert searcher.search("dog") == []
    new_index(tmp_path, dog_video("/v/one.mp4", [[0.5, 0.1]]))
    (hit,) = searcher.search("dog")
    assert (hit.rank, hit.strength) == (1, 1.0)
    new_index(tmp_path, dog_video("/v/two.mp4", [[0.1, 0.1]], seed=9))
    assert [hit.path.name for hit in searcher.search("dog")] == ["one.mp4", "two.mp4"]


def test_the_same_content_under_two_paths_is_one_hit(tmp_path: Path, encoder: WordEncoder) -> None:
    video = dog_video("/v/a.mp4", [[0.5, 0.5], [0.4, 0.1]])
    copy = replace(video, info=replace(video.info, path=Path("/v/b.mp4")))
    others = [dog_video(f"/v/{at}.mp4", [[0.1]], seed=at) for at in range(20)]
    index = new_index(tmp_path, copy, video, *others)
    for per_video in (1, 3, None):
        (hit,) = Searcher(index, encoder).search("dog", per_video=per_video)
        assert (str(hit.path), hit.start, hit.end) == ("/v/a.mp4", 0.0, 18.0)


def test_many_threads_get_the_same_answer(index: VideoIndex) -> None:
    searcher = Searcher(VideoIndex(index.location), WordEncoder())
    queries = [f"word {at % 5} - word {at % 3}" if at % 5 != at % 3 else "dog" for at in range(40)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(searcher.search, queries))
    assert together == [searcher.search(query) for query in queries]


def test_a_long_moment_does_not_crowd_out_the_others(tmp_path: Path, encoder: WordEncoder) -> None:
    film = dog_video("/v/film.mp4", [[0.6 - at / 1000] * 4 for at in range(30)] + [[0.1] * 4] * 60)
    others = [dog_video(f"/v/{at}.mp4", [[0.5]], seed=at + 1) for at in range(3)]
    hits = Searcher(new_index(tmp_path, film, *others), encoder).search("dog", top=4, per_video=None)
    assert [(hit.path.stem, hit.end) for hit in hits][:1] == [("film", 360.0)]
    assert sorted(hit.path.stem for hit in hits[1:]) == ["0", "1", "2"]
