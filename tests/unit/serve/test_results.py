"""Lists of hits are kept for further pages, within a bound."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException

from centerclip.api import FoundMoment
from centerclip.serve import results as module
from centerclip.serve.results import Results

HIT = FoundMoment.model_construct(rank=1, name="a.mp4", video_id="id")


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(module, "_KEPT_HITS", 100)
    library: Any = SimpleNamespace(missing=lambda ids: set(), index=SimpleNamespace(id="i", version=1))
    made = Results(library)
    monkeypatch.setattr(made, "_hits", lambda hits, ordinary: hits)
    monkeypatch.setattr(module, "SearchResult", module.SearchResult.model_construct)
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
    assert results._size == sum(1 + len(each.hits) for each in results._lists.values()) <= 100


def test_lists_without_hits_are_bounded_too(results: Results) -> None:
    for number in range(500):
        find(results, str(number), 0)
    assert len(results._lists) == 100


def test_a_list_that_alone_is_too_large_is_kept_for_its_pages(results: Results) -> None:
    found = find(results, "all", 300)
    assert len(results.resume(found.next, 5).hits) == 5
