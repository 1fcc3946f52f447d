"""Another engine with the four methods gives the same answers as the one that comes with the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_videos import WordEncoder, new_index, random_units, random_video

from centerclip.index import Matches, VideoIndex, Windows, contents_near, windows_of
from centerclip.index.restriction import Restriction
from centerclip.index.schema import StoredWindow, to_windows
from centerclip.index.sql import Condition
from centerclip.search import Searcher


class PlainEngine(Windows):
    """Knows only how to filter rows; compares everything in Python."""

    def __init__(self, table: Any, embed_size: int, before: Windows | None) -> None:
        self._table = table
        self.version = int(table.version)

    @property
    def count(self) -> int:
        return int(self._table.count_rows())

    def rows(self, where: Condition | None) -> list[StoredWindow]:
        query = self._table.search()
        found = to_windows((query.where(where.sql) if where else query).to_arrow())
        return sorted(found, key=lambda window: (str(window.path), window.window.start_seconds))

    def nearest(
        self, vectors: np.ndarray, top: int, *, only: Restriction, per_video: int | None
    ) -> list[Matches]:
        everything, allowed = self.rows(None), self.rows(only.where)
        answers = []
        for vector in vectors:
            background = float(np.median([window.vector @ vector for window in everything]))
            ranked = sorted(allowed, key=lambda window: -float(window.vector @ vector))
            kept: list[StoredWindow] = []
            for window in ranked:
                if per_video is None or sum(w.video_id == window.video_id for w in kept) < per_video:
                    kept.append(window)
            answers.append(Matches(tuple(kept[:top]), background, len(everything)))
        return answers


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[VideoIndex, VideoIndex]:
    place = tmp_path_factory.mktemp("engines") / "index"
    own = new_index(place, *(random_video(f"/v/{at}.mp4", windows=5) for at in range(12)))
    return own, VideoIndex(place, engine=PlainEngine)


@pytest.mark.parametrize("where", [None, "path like '%1%'"])
def test_searches_agree(both: tuple[VideoIndex, VideoIndex], where: str | None) -> None:
    encoder = WordEncoder()
    options: Any = {"top": 6, "per_video": 2, "where": where, "tail": True}
    one, other = (Searcher(index, encoder).search("a boat", **options) for index in both)
    assert [(hit.path, hit.start, hit.end) for hit in one] == [
        (hit.path, hit.start, hit.end) for hit in other
    ]
    assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-5)


def test_all_else_agrees(both: tuple[VideoIndex, VideoIndex]) -> None:
    own, plain = both
    assert len(own) == len(plain) == 60
    assert own.version == plain.version
    assert contents_near(own, random_units(3, 4), top=5) == contents_near(plain, random_units(3, 4), top=5)
    spans = [(Path("/v/3.mp4"), 20.0, 30.0), (Path("/v/4.mp4"), 900.0, 901.0), (Path("/no.mp4"), 0.0, 1.0)]
    starts = [[found and found.window.start_seconds for found in index.windows_at(spans)] for index in both]
    assert starts == [[24.0, None, None]] * 2
    ids = [window.video_id for window in own.windows("id-/v/7.mp4")]
    assert ids == [window.video_id for window in plain.windows("id-/v/7.mp4")] == ["id-/v/7.mp4"] * 5
    assert windows_of(own, ids[:1]).keys() == windows_of(plain, ids[:1]).keys()
