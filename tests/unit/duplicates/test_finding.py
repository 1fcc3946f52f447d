"""Duplicates in an index: every kind is found, and a library full of look-alikes has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from random_videos import CARD, EMBED_SIZE, new_index

from centerclip.duplicates import find_duplicates
from centerclip.duplicates.alignment import Run
from centerclip.duplicates.finding import _Found, _limit
from centerclip.duplicates.pairs import Pair, Span, grouped
from centerclip.index import VideoIndex, contents_near, snapshot, windows_of
from centerclip.records import EncodedVideo, EncodedWindow, Failed, VideoInfo, Window

_USUAL = 3 * np.random.default_rng(42).normal(size=EMBED_SIZE)
"""What all embeddings of a model have in common."""

_Path = Callable[[np.ndarray], np.ndarray]
"""Embeddings [n, E] at instants [n]."""


def film(seed: int, *, scene: np.ndarray | float = 0.0, change: float = 4.0) -> _Path:
    """Make footage that changes every few seconds."""
    turns = np.random.default_rng(seed).normal(size=(100, EMBED_SIZE))

    def at(instants: np.ndarray) -> np.ndarray:
        place = np.clip(instants / change, 0, 98)
        before, part = place.astype(int), (place % 1)[:, None]
        return turns[before] * (1 - part) + turns[before + 1] * part + scene

    return at


def video(
    name: str, footage: _Path, seconds: float, *, speed: float = 1.0, start: float = 0.0, noise: float = 0.1
) -> EncodedVideo:
    """Encode footage from `start`, at `speed`, as an index does: in windows of 12 s with 4 segments."""
    count = max(1, int(np.ceil(seconds / 12)))
    borders = np.linspace(0, seconds, count + 1)
    rng = np.random.default_rng(sum(name.encode()))
    windows = []
    for begin, end in pairwise(borders):
        bounds = np.linspace(begin, end, 5)
        segments = np.array(
            [footage(start + speed * np.linspace(*pair, 7)).mean(0) for pair in pairwise(bounds)]
        )
        segments += _USUAL + noise * rng.normal(size=segments.shape)
        segments /= np.linalg.norm(segments, axis=1, keepdims=True)
        vector = segments.mean(0) / np.linalg.norm(segments.mean(0))
        pictures = ((float(begin), b"jpeg"),)
        windows.append(
            EncodedWindow(
                Window(begin, end), vector.astype(np.float32), segments.astype(np.float32), bounds, pictures
            )
        )
    info = VideoInfo(Path(f"/v/{name}.mp4"), f"id-{name}", seconds, 640, 360, 25.0, "h264", 1000, 1.5)
    return EncodedVideo(info, tuple(windows))


def library() -> list[EncodedVideo]:
    """Films that have nothing in common but the model."""
    return [video(f"film-{at}", film(at), 30 + at) for at in range(40)]


def both(first: _Path, until: float, second: _Path) -> _Path:
    """Join two films."""
    return lambda instants: np.where((instants < until)[:, None], first(instants), second(instants - until))


def test_every_kind_is_found_with_its_spans(tmp_path: Path) -> None:
    copy = replace(video("film-0", film(0), 30), info=replace(video("film-0", film(0), 30).info))
    copy = replace(copy, info=replace(copy.info, path=Path("/w/copy.mp4")))
    index = new_index(
        tmp_path / "index",
        *library(),
        copy,
        Failed(Path("/v/broken.mp4"), "cut off"),
        video("again", film(1), 31, noise=0.3),
        video("excerpt", film(2), 17, start=8.3),
        video("fast", film(3), 16.5, speed=2.0),
        video("inside", both(film(90), 20, both(film(4), 34, film(91))), 80),
        video("mixed", both(film(92), 10, lambda at: film(5)(at + 10)), 35),
    )
    stages = []
    found = find_duplicates(index, on_progress=lambda *seen: stages.append(seen))
    by = {frozenset((pair.first.path.stem, pair.second.path.stem)): pair for pair in found.pairs}
    kinds = {tuple(sorted(names)): pair.kind for names, pair in by.items()}
    assert kinds == {
        ("copy", "film-0"): "copy",
        ("again", "film-1"): "encoded",
        ("excerpt", "film-2"): "contained",
        ("fast", "film-3"): "encoded",
        ("film-4", "inside"): "contained",
        ("film-5", "mixed"): "overlap",
    }
    assert sorted(pair.group for pair in found.pairs) == [1, 2, 3, 4, 5, 6]
    for names, first, second, speed in (
        (("excerpt", "film-2"), (8.3, 25.3), (0, 17), 1.0),
        (("fast", "film-3"), (0, 33), (0, 16.5), 0.5),
        (("film-4", "inside"), (20, 54), (0, 34), 1.0),
        (("film-5", "mixed"), (10, 35), (10, 35), 1.0),
    ):
        pair = by[frozenset(names)]
        assert pair.speed == speed
        spans = {span.path.stem: span for span in (pair.first, pair.second)}
        given = dict(zip(("excerpt", "film-2"), (second, first), strict=True)) if "excerpt" in names else None
        for span, wanted in zip((pair.first, pair.second), (first, second), strict=True):
            wanted = given[span.path.stem] if given else wanted
            np.testing.assert_allclose((span.start, span.end), wanted, atol=3.1, err_msg=str(spans))
        assert pair.first.duration_seconds >= pair.second.duration_seconds
    assert {stage for stage, _, _ in stages} == {"searching", "comparing"}
    assert found.by_chance == 0


def test_look_alikes_are_not_linked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    camera, slide, black = (5 * rng.normal(size=EMBED_SIZE) for _ in range(3))

    def still(instants: np.ndarray) -> np.ndarray:
        return np.repeat(slide[None], len(instants), 0)

    def fades(seed: int) -> _Path:
        return both(film(seed), 18, lambda instants: np.repeat(black[None], len(instants), 0))

    days = [video(f"day-{at}", film(300 + at, scene=camera), 40) for at in range(8)]
    slides = [video(f"slide-{at}", still, 30, noise=0.02) for at in range(5)]
    films = [video(f"fade-{at}", fades(400 + at), 30, noise=0.02) for at in range(10)]
    index = new_index(tmp_path / "index", *library(), *days, *slides, *films)
    assert find_duplicates(index).pairs == ()
    # The same day twice, however, is found among the others.
    with index.writer() as writer:
        writer.add([video("day-again", film(304, scene=camera), 25, start=11)])
    (pair,) = find_duplicates(index).pairs
    assert (pair.kind, pair.first.path.stem, pair.second.path.stem) == ("contained", "day-4", "day-again")


def test_a_film_that_uses_a_part_twice_has_two_pairs(tmp_path: Path) -> None:
    mixed = both(film(7), 15, both(film(95), 12, lambda at: film(7)(at + 20)))
    index = new_index(tmp_path / "index", *library(), video("mixed", mixed, 42))
    pairs = find_duplicates(index).pairs
    assert {pair.group for pair in pairs} == {1}
    long = {pair.first.path.stem for pair in pairs}
    starts = sorted(round(pair.first.start if long == {"film-7"} else pair.second.start) for pair in pairs)
    np.testing.assert_allclose(starts, [0, 20], atol=3.1)


def test_small_libraries_are_compared(tmp_path: Path) -> None:
    assert find_duplicates(VideoIndex(tmp_path / "new")).pairs == ()
    index = new_index(tmp_path / "index")
    assert find_duplicates(index).pairs == ()
    with index.writer() as writer:
        writer.add([video("one", film(1), 3)])
    assert find_duplicates(index).compared == 0
    with index.writer() as writer:
        writer.add([video("two", film(2), 40), video("two again", film(2), 40, noise=0.2)])
    assert [pair.kind for pair in find_duplicates(index).pairs] == ["encoded"]


def test_memory_is_bounded_by_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches give the same pairs, and no more windows are read at once than a batch holds."""
    index = new_index(tmp_path / "index", *library(), video("excerpt", film(2), 17, start=8.3))
    wanted = find_duplicates(index).pairs
    sizes = []

    def counted(*args: object) -> dict[str, list[object]]:
        read = windows_of(*args)  # type: ignore[arg-type]
        sizes.append(sum(map(len, read.values())))
        return read  # type: ignore[return-value]

    monkeypatch.setattr("centerclip.duplicates.finding.windows_of", counted)
    monkeypatch.setattr("centerclip.duplicates.finding._BATCH_WINDOWS", 12)
    assert find_duplicates(index).pairs == wanted
    assert max(sizes[1:]) <= 12  # the first is the sample


def test_contents_near_agrees_with_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = new_index(tmp_path / "index", *library())
    queries = np.random.default_rng(3).normal(size=(5, EMBED_SIZE))
    searched = [
        [window.video_id for window in matches.windows]
        for matches in index.search(queries, top=6, per_video=1)
    ]
    assert contents_near(index, queries, top=6) == searched
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", 5)  # by the store
    assert contents_near(VideoIndex(index.location), queries, top=6) == searched
    assert contents_near(VideoIndex(tmp_path / "new"), queries) == [[]] * 5
    assert windows_of(index, ["id-film-3", "id-none"]).keys() == {"id-film-3"}
    assert CARD.embed_size == EMBED_SIZE


def _found(evidence: float, backwards: float) -> _Found:
    run = Run((0, 9), (0, 9), 1.0, 1.0, evidence, 2.0)
    return _Found(("a", "b"), (run,), (1.0, 1.0), backwards)


def test_the_limit_is_above_what_chance_reaches() -> None:
    assert _limit([]) == (0.3, 0)
    strong = [_found(2.0, 0.7)] * 5  # their reverse is a little like them, which is no chance
    assert _limit(strong) == (0.3, 0)
    limit, chance = _limit([*strong, _found(0.5, 0.9), _found(0.6, 0.3)])
    assert 0.9 < limit < 0.91
    assert chance == 0
    many = [_found(2.0, 0.7)] * 200
    assert _limit([*many, _found(0.1, 0.9)]) == (0.3, 1)


def test_pairs_that_share_a_file_are_a_group() -> None:
    def pair(one: str, other: str, strength: float) -> Pair:
        return Pair(
            "overlap", Span(Path(one), 0, 1, 9), Span(Path(other), 0, 1, 9), speed=1, strength=strength
        )

    pairs = grouped([pair("a", "b", 0.5), pair("c", "d", 0.9), pair("b", "e", 0.7)])
    assert [(one.group, one.strength) for one in pairs] == [(1, 0.9), (2, 0.7), (2, 0.5)]
