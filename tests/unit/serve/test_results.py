"""Lists of hits are kept for further pages, within a bound, and as bytes rather than objects."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException

from centerclip.api import FoundMoment, Said
from centerclip.serve import results as module
from centerclip.serve.results import Results

HIT = FoundMoment(
    video_id="id",
    name="été 🎬.mp4",
    folder="",
    duration=26.1,
    width=640,
    height=360,
    frame_rate=30000 / 1001,
    modified=1764512345.678,
    recorded=1764512345.678,
    recorded_source="modified",
    recorded_zone=None,
    missing=False,
    playable=True,
    media_type="video/mp4",
    media="/media/id",
    subtitles="",
    rank=1,
    start=1 / 3,
    end=2 / 3,
    score=0.1 + 0.2,
    strength=1.0,
    reasons=["seen"],
    said=[Said(start=0.1, end=0.7, text="oui", language="fr", source="film.fr.srt")],
    copies=[],
    window_start=0.0,
    window_end=1.0,
    thumbnail="/thumbnails/id?t=0.5",
    excerpt="/excerpts/id?start=0.333&end=0.667",
    clip="/clips/id?start=0.333&end=0.667",
)


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(module, "_KEPT_HITS", 100)
    library: Any = SimpleNamespace(missing=lambda ids: set(), index=SimpleNamespace(id="i", version=1))
    made = Results(library)
    monkeypatch.setattr(made, "_hits", lambda hits, ordinary: hits)
    return made


def find(results: Results, name: str, count: int) -> Any:
    hits: Any = [HIT] * count
    return results.find(name, [name], lambda: hits, top=5, cursor="")


def test_the_oldest_lists_are_dropped_by_their_number_of_hits(results: Results) -> None:
    first = find(results, "first", 40)
    assert len(results.resume(first.next, 5).hits) == 5
    for number in range(3):
        find(results, f"later {number}", 30)
    with pytest.raises(HTTPException) as raised:
        results.resume(first.next, 5)
    assert raised.value.status_code == 410
    assert results._size == sum(each.size for each in results._lists.values()) <= 100


def test_lists_without_hits_are_bounded_too(results: Results) -> None:
    for number in range(500):
        find(results, str(number), 0)
    assert len(results._lists) == 100


def test_a_list_that_alone_is_too_large_is_kept_for_its_pages(results: Results) -> None:
    found = find(results, "all", 300)
    assert len(results.resume(found.next, 5).hits) == 5


def test_a_kept_list_has_the_same_hits_but_no_objects(results: Results) -> None:
    def alive() -> int:
        gc.collect()
        return sum(type(each) is FoundMoment for each in gc.get_objects())

    def look() -> Any:
        return [HIT.model_copy() for _ in range(30)]

    before = alive()
    first = results.find("q", [], look, top=5, cursor="")
    assert first.next is not None
    assert [*first.hits, *results.resume(first.next, 25).hits] == [HIT] * 30
    del first
    assert alive() == before
