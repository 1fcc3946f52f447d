"""The search for the nearest windows, exact and by the ANN index, compared with a loop over all of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import random_videos
from random_videos import CARD, new_index, random_units, random_video

from centerclip.errors import QueryError
from centerclip.index import Matches, VideoIndex, snapshot, vectors, writer
from centerclip.index.ann import default_probes, partitions_for
from centerclip.records import EncodedVideo

VIDEOS = 90


def video_at(at: int) -> EncodedVideo:
    """Three in ten paths are copies of others."""
    return random_video(f"/v/{at}.mp4", windows=1 + at % 7, seed=100 * (at % 63))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    return new_index(tmp_path_factory.mktemp("searched"), *map(video_at, range(VIDEOS)))


@pytest.fixture(params=["memory", "store", "ann"])
def searched(
    request: pytest.FixtureRequest, index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> VideoIndex:
    """The index, searched in memory, or by the store without or with an ANN index."""
    if request.param != "memory":
        monkeypatch.setattr(snapshot, "EXACT_LIMIT", 5)
        monkeypatch.setattr(writer, "EXACT_LIMIT", 5)
    monkeypatch.setattr(vectors, "_PIECE", 100)  # several, as in a large collection
    if request.param == "ann":
        monkeypatch.setattr("centerclip.index.ann._PARTITION", 64)
        with index.writer() as w:
            finished = w.finish()
        assert finished.stats.search == "ann"
        assert index.stats().search == "ann"
    return VideoIndex(index.location)


def slow_search(query: np.ndarray, top: int, per_video: int | None) -> list[float]:
    """Return the scores of the best windows by definition, in float64."""
    scored = []
    for at in range(VIDEOS):
        video = video_at(at)
        scored += [
            (float(w.vector.astype(np.float64) @ query / np.linalg.norm(query)), video.info.video_id)
            for w in video.windows
        ]
    seen: dict[str, int] = {}
    best = []
    for score, video_id in sorted(scored, reverse=True):
        seen[video_id] = seen.get(video_id, 0) + 1
        if per_video is None or seen[video_id] <= per_video:
            best.append(score)
    return best[:top]


@pytest.mark.parametrize(
    ("top", "per_video"), [(1, None), (10, None), (10, 1), (25, 2), (1000, None), (1000, 1)]
)
def test_the_best_windows_are_found(searched: VideoIndex, top: int, per_video: int | None) -> None:
    queries = random_units(3, 2).astype(np.float64) * 7
    for query, matches in zip(queries, searched.search(queries, top=top, per_video=per_video), strict=True):
        scores = [hit.score for hit in matches.windows]
        # In float16, vectors aren't exactly of unit length; the store rounds queries too.
        np.testing.assert_allclose(scores, slow_search(query, top, per_video), atol=4e-4)
        for hit in matches.windows:
            np.testing.assert_allclose(hit.score, hit.vector @ query / np.linalg.norm(query), atol=4e-4)


def test_the_background_is_the_median_over_all_windows(searched: VideoIndex) -> None:
    query = random_units(3)
    (plain,) = searched.search(query, top=1)
    everything = slow_search(query, 10**6, None)
    assert plain.sampled == len(everything)
    np.testing.assert_allclose(plain.background, np.median(everything), atol=1e-6)
    assert searched.search(query, where="path = '/v/3.mp4'")[0].background == plain.background


def test_a_condition_restricts_what_is_searched(searched: VideoIndex) -> None:
    query = random_units(4)
    (every,) = searched.search(query, top=1000)
    where = "path like '/v/1%' and start_ms > 0 or path = '/v/5.mp4'"
    (some,) = searched.search(query, top=1000, where=where)

    def meets(path: str, start: float) -> bool:
        return (path.startswith("/v/1") and start > 0) or path == "/v/5.mp4"

    wanted = [h for h in every.windows if meets(str(h.path), h.window.start_seconds)]
    assert [h.score for h in some.windows] == pytest.approx([h.score for h in wanted], abs=1e-6)
    assert {(h.path, h.window) for h in some.windows} == {(h.path, h.window) for h in wanted}
    assert searched.search(query, where="path = 'none'")[0].windows == ()
    with pytest.raises(QueryError, match="nope"):
        searched.search(query, where="nope > 1")


def test_limits_below_one_are_refused(index: VideoIndex) -> None:
    for bad in ({"top": 0}, {"per_video": 0}):
        with pytest.raises(QueryError, match="must be at least 1"):
            index.search(random_units(0), **bad)


def test_an_index_without_windows_finds_nothing(tmp_path: Path) -> None:
    empty = new_index(tmp_path)
    assert empty.search(random_units(0, 2)) == [Matches((), 0.0, 0)] * 2


def test_the_ann_index_adds_later_videos_and_is_rebuilt_when_they_are_the_majority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", 5)
    monkeypatch.setattr(writer, "EXACT_LIMIT", 5)
    growing = new_index(tmp_path)
    built = []
    with growing.writer() as w:
        for videos in range(40, 320, 40):
            batch = range(videos - 40, videos)
            w.add([random_video(f"/v/{at}.mp4", windows=8, seed=50 * at) for at in batch])
            built.append(w.finish().built_ann)
            last = random_video("x", windows=8, seed=50 * (videos - 1)).windows[7]
            (best,) = growing.search(last.vector, top=1)[0].windows
            assert best.path == Path(f"/v/{videos - 1}.mp4")
            assert best.score == pytest.approx(1)
    assert built == [True, True, False, True, False, False, False]
    (ann,) = growing._store.table("windows").list_indices()
    assert ann.num_indexed_rows + ann.num_unindexed_rows == len(growing) == 8 * 280


@pytest.mark.parametrize(("rows", "probes", "of"), [(10**5, 64, 6), (10**6, 64, 61), (10**7, 122, 610)])
def test_the_partitions_to_search_grow_with_the_index(rows: int, probes: int, of: int) -> None:
    assert (default_probes(rows), partitions_for(rows)) == (probes, of)


def test_the_ann_index_is_rebuilt_before_it_has_many_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_UNINDEXED": 10, "_PARTS": 3}.items():
        monkeypatch.setattr(f"centerclip.index.ann.{name}", value)
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", 5)
    monkeypatch.setattr(writer, "EXACT_LIMIT", 5)
    growing = new_index(
        tmp_path, *(random_video(f"/v/{at}.mp4", windows=8, seed=50 * at) for at in range(60))
    )
    built, parts = [], []
    with growing.writer() as w:
        for at in range(60, 72, 2):
            w.add([random_video(f"/v/{n}.mp4", windows=8, seed=50 * n) for n in (at, at + 1)])
            built.append(w.finish().built_ann)
            table = growing._store.table("windows")
            (ann,) = table.list_indices()
            parts.append(table.index_stats(ann.name).num_indices)
            assert ann.num_unindexed_rows <= 10
    assert built == [True, False, False, True, False, False]
    assert parts == [1, 2, 3, 1, 2, 3]
    last = random_video("/v/71.mp4", windows=8, seed=50 * 71).windows[3]
    assert growing.search(last.vector, top=1)[0].windows[0].path == Path("/v/71.mp4")


def test_embeddings_of_any_size_get_an_ann_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "EXACT_LIMIT", 5)
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", 5)
    monkeypatch.setattr(random_videos, "EMBED_SIZE", 12)
    video = random_video("/v/a.mp4", windows=40)
    odd = new_index(tmp_path, video, card=replace(CARD, embed_size=12))
    with odd.writer() as w:
        assert w.finish().built_ann
    (best,) = odd.search(video.windows[7].vector, top=1)[0].windows
    assert best.window == video.windows[7].window
