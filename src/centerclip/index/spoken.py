"""What is said in the files of an index, as readers see it: cues in time order, or found by their words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from centerclip.index.restriction import Restriction
from centerclip.index.schema import schemas
from centerclip.index.sql import any_of, equals
from centerclip.index.store import Store
from centerclip.remote import as_place

__all__ = ["KnownTranscript", "Spoken", "StoredCue", "Transcripts"]

_COLUMNS = ("path", "video_id", "duration_seconds", "start_ms", "end_ms", "text", "language", "source")


@dataclass(frozen=True, slots=True)
class StoredCue:
    """A cue as stored in the index.

    `start` and `end` are seconds in the file; `language` is a code or ""; `source` is a `Track`'s. `score` is
    the BM25 of the words that were searched for, otherwise 0.
    """

    path: Path
    video_id: str
    duration_seconds: float
    start: float
    end: float
    text: str
    language: str
    source: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class KnownTranscript:
    """What the index knows about the words of a path; see `Transcript`."""

    stamp: str
    model: str
    cues: int
    problems: tuple[str, ...]


class Transcripts(Mapping[str, KnownTranscript]):
    """What an index knows about the words of each stored path, kept as columns because there may be many."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows["path"].to_pylist())

    def __getitem__(self, path: str) -> KnownTranscript:
        (found,) = self.of([path])
        if found is None:
            raise KeyError(path)
        return found

    def with_problems(self) -> list[Path]:
        """Return the files of which not all words can be read."""
        troubled = self._rows.filter(pc.not_equal(self._rows["problems"], ""))
        return [as_place(path) for path in troubled["path"].to_pylist()]

    def of(self, paths: Sequence[str]) -> list[KnownTranscript | None]:
        """Return what is known about each stored path; None for those that weren't looked at."""
        places = pc.index_in(pa.array(paths, pa.string()), value_set=self._rows["path"])
        return [
            None
            if row["stamp"] is None
            else KnownTranscript(row["stamp"], row["model"], row["cues"], tuple(row["problems"].splitlines()))
            for row in self._rows.take(places).to_pylist()
        ]


class Spoken:
    """Reads the cues of an index; safe to use from many threads.

    Args:
        store: of the index.
        read: calls a function, once more if a writer deleted its files meanwhile.
    """

    def __init__(self, store: Store, read: Callable[[Callable[[], Any]], Any]) -> None:
        self._store = store
        self._read = read
        self._counted: tuple[object, int] | None = None

    @property
    def version(self) -> int:
        """A number that grows with each change of the cues; 0 without any."""
        return self._store.version("cues") if self._exists else 0

    def __len__(self) -> int:
        """Return the number of cues; 0 for an index of an earlier version, until it is written."""
        if not self._exists:
            return 0
        meta = self._store.meta()
        state = meta.id if meta else "", self._store.version("cues")
        if self._counted is None or self._counted[0] != state:
            self._counted = state, int(self._read(lambda: self._store.table("cues").count_rows()))
        return self._counted[1]

    def search(self, words: Sequence[tuple[str, float]], top: int, only: Restriction) -> list[StoredCue]:
        """Find the cues that contain words, by BM25.

        Args:
            words: texts and their weights. Cues with any word of those with a positive weight are found,
                without those that contain all words of a text with a negative one.
            top: maximum number of cues.
            only: condition on the cues' columns, which are those of windows, and the deadline.

        Returns:
            Cues in descending order of score; equal ones ordered by path and time.

        Raises:
            QueryError: the time is up.
        """
        if not len(self) or not any(weight > 0 for _, weight in words):
            return []

        def look() -> list[StoredCue]:
            table = self._store.table("cues")
            if not table.list_indices():  # it was damaged, and the next writer makes it again
                return []
            query = table.search(_full_text(words)).select([*_COLUMNS, "_score"]).limit(top)
            if only.where is not None:
                query = query.where(only.where.sql, prefilter=True)
            return [_to_cue(row) for row in only.read(query).to_pylist()]

        found: list[StoredCue] = self._read(look)
        return sorted(found, key=lambda cue: (-cue.score, str(cue.path), cue.start))

    def cues(self, video_id: str, *, path: Path | None = None) -> list[StoredCue]:
        """Return the cues of a content in time order.

        Args:
            video_id: of the content.
            path: the file whose cues are wanted if several have this content; None for the first one that
                has cues.
        """
        if not self._exists:
            return []
        condition = equals("video_id", video_id).sql
        rows = self._read(
            lambda: self._store.table("cues").search().where(condition).select(list(_COLUMNS)).to_arrow()
        )
        found = [_to_cue(row) for row in rows.to_pylist()]
        wanted = path or min((cue.path for cue in found), key=str, default=None)
        kept = (cue for cue in found if cue.path == wanted)
        return sorted(kept, key=lambda cue: (cue.start, cue.source))

    def known(self, video_ids: Iterable[str]) -> set[str]:
        """Return those of these contents that have cues."""
        wanted = sorted(set(video_ids))
        if not wanted or not len(self):
            return set()
        condition = f"{any_of('video_id', wanted).sql} AND cues > 0"
        rows = self._read(
            lambda: self._store.table("transcripts").search().where(condition).select(["video_id"]).to_arrow()
        )
        return set(rows["video_id"].to_pylist())

    def transcripts(self) -> Transcripts:
        """Return what is known about the words of each file that was looked at."""
        if not self._store.has("transcripts"):
            return Transcripts(schemas(0)["transcripts"].empty_table())
        columns = ["path", "stamp", "model", "cues", "problems"]
        return Transcripts(
            self._read(lambda: self._store.table("transcripts").search().select(columns).to_arrow())
        )

    @property
    def _exists(self) -> bool:
        return self._store.meta() is not None and self._store.has("cues")


def _full_text(words: Sequence[tuple[str, float]]) -> Any:
    from lancedb.query import BooleanQuery, MatchQuery, Occur

    if len(words) == 1:
        return MatchQuery(words[0][0], "text")
    parts = []
    for text, weight in words:
        if weight > 0:
            parts.append((Occur.SHOULD, MatchQuery(text, "text", boost=weight)))
        else:
            parts.append((Occur.MUST_NOT, MatchQuery(text, "text", operator="AND")))
    return BooleanQuery(parts)


def _to_cue(row: dict[str, Any]) -> StoredCue:
    return StoredCue(
        path=as_place(row["path"]),
        video_id=row["video_id"],
        duration_seconds=row["duration_seconds"],
        start=row["start_ms"] / 1000,
        end=row["end_ms"] / 1000,
        text=row["text"],
        language=row["language"],
        source=row["source"],
        score=float(row.get("_score") or 0.0),
    )
