"""The tables of what is said, as a writer changes them: `cues`, and a row per file in `transcripts`.

The rule, as in `contents`: a path has as many rows in `cues` as `transcripts` says, all of the content that
`videos` says. A path that breaks it, because a run was killed, loses its transcript, which is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from centerclip.index.changing import conditions, copied_rows, replace_rows
from centerclip.index.contents import Contents, Ledger, by_content, differing_paths, side_by_side
from centerclip.index.schema import file_columns, milliseconds, schemas
from centerclip.index.sql import equals
from centerclip.index.stemming import UNSPACED, stemmer_of
from centerclip.index.store import Store
from centerclip.records import Transcript, VideoInfo

__all__ = ["CUE_INDEX", "CueTables", "cue_rows", "inspect_transcripts", "transcript_rows"]

CUE_INDEX = "said"
"""Name of the full-text index of `cues`."""
_UNINDEXED = 5000
"""Cues that a search may read without their index; reading them takes 5 ms."""


def inspect_transcripts(cues: Any, transcripts: Any, encoded: pa.Table) -> Contents:
    """Read both tables at the versions of these handles.

    Args:
        cues, transcripts: the handles.
        encoded: the path and the id of each encoded file.
    """
    files, stored = side_by_side(
        lambda: transcripts.search().select(["path", "video_id", "cues"]).to_arrow(),
        lambda: by_content(cues),
    )
    broken = differing_paths(files.filter(pc.greater(files["cues"], 0)), stored)
    keys = ["path", "video_id"]
    of_others = files.select(keys).join(encoded.cast(files.select(keys).schema), keys, join_type="left anti")
    return Contents(files, broken | set(of_others["path"].to_pylist()))


def cue_rows(transcripts: Iterable[tuple[VideoInfo, Transcript]]) -> pa.Table:
    """Return one row per cue; texts of one source that start at the same millisecond become one."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    infos: list[VideoInfo] = []
    for info, transcript in transcripts:
        for track in transcript.tracks:
            for cue in track.cues:
                start, end = milliseconds(cue.start_seconds), milliseconds(cue.end_seconds)
                key = str(info.path), track.source, start
                if before := found.get(key):
                    before["text"] += "\n" + cue.text
                    before["end_ms"] = max(before["end_ms"], end)
                    continue
                found[key] = {
                    "start_ms": start,
                    "end_ms": max(end, start + 1),
                    "text": cue.text,
                    "language": track.language,
                    "source": track.source,
                }
                infos.append(info)
    columns = file_columns(infos)
    columns |= {name: [row[name] for row in found.values()] for name in ("start_ms", "end_ms")}
    columns |= {name: [row[name] for row in found.values()] for name in ("text", "language", "source")}
    return pa.table(columns, schema=schemas(0)["cues"])


def transcript_rows(
    transcripts: Sequence[tuple[VideoInfo, Transcript]], counts: Mapping[str, int]
) -> pa.Table:
    """Return one row per file, with its number of cues by path."""
    paths = file_columns([info for info, _ in transcripts])["path"]
    rows = [
        {
            "path": path,
            "video_id": info.video_id,
            "stamp": transcript.stamp,
            "model": transcript.model,
            "cues": counts.get(path, 0),
            "problems": "\n".join(transcript.problems),
        }
        for path, (info, transcript) in zip(paths, transcripts, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schemas(0)["transcripts"])


class CueTables:
    """Changes both tables; the caller makes the changes durable and holds the lock."""

    def __init__(self, store: Store) -> None:
        self.cues = store.newest("cues")
        self.transcripts = store.newest("transcripts")
        self._merged = store.remote
        self.known = Ledger(self.transcripts, self.cues, keep=store.remote)
        """Number of cues of each path that has a transcript."""

    def broken(self, encoded: pa.Table) -> set[str]:
        """Return the paths that break the rule; reads everything."""
        return inspect_transcripts(self.cues, self.transcripts, encoded).broken

    def add(self, transcripts: Sequence[tuple[VideoInfo, Transcript]]) -> None:
        """Replace what is known about files."""
        rows = cue_rows(transcripts)
        counts = Counter(rows["path"].to_pylist())
        paths = file_columns([info for info, _ in transcripts])["path"]
        self._put(rows, transcript_rows(transcripts, counts), paths)
        for path in paths:
            self.known.record(path, counts.get(path, 0))
        self.index_text()

    def _put(self, cues: pa.Table, transcripts: pa.Table, paths: Sequence[str]) -> None:
        known = self.known.known(paths)
        self.known.begin(paths)
        for table, rows in ((self.cues, cues), (self.transcripts, transcripts)):
            if rows.num_rows or known:
                replace_rows(table, rows, paths, known, merged=self._merged)

    def forget(self, paths: Collection[str]) -> None:
        """Delete what is known about files."""
        if paths:
            self.drop(self.known.known(paths))

    def drop(self, paths: Collection[str]) -> None:
        """Delete all rows of paths, also of those that only one of the tables has."""
        wanted = sorted(paths)
        self.known.begin(wanted)
        for condition in conditions(wanted):
            self.cues.delete(condition)
            self.transcripts.delete(condition)
        for path in wanted:
            self.known.record(path, None)

    def move(self, before: str, after: str, modified_seconds: float) -> None:
        """Give a file's rows its new path."""
        self.forget([after])
        cues = self.known.count(before)
        if cues is not None:
            self.known.begin([before, after])
            condition, path = equals("path", before).sql, {"path": after}
            self.cues.update(where=condition, values={**path, "modified_seconds": modified_seconds})
            self.transcripts.update(where=condition, values=path)
            self.known.record(before, None)
            self.known.record(after, cues)

    def copy(self, pairs: Sequence[tuple[str, str, float]]) -> None:
        """Give other paths the rows that files have; see `copied_rows`."""
        self.forget([new for old, new, _ in pairs if old != new])
        counts = self.known.counts(old for old, _, _ in pairs)
        known = [pair for pair in pairs if pair[0] in counts]
        if known:
            cues, transcripts = (copied_rows(table, known) for table in (self.cues, self.transcripts))
            self._put(cues, transcripts, [new for _, new, _ in known])
        for old, new, _ in known:
            self.known.record(new, counts[old])

    def index_text(self, *, finished: bool = False) -> None:
        """Make the full-text index, which needs rows; again when most cues are in another language.

        Args:
            finished: whether a run ends, so that the language is certain and later cues are worth indexing.
        """
        index = next(iter(self.cues.list_indices()), None)
        if index is not None and not finished:
            return
        if not self.cues.count_rows():
            return
        config = self._text_config()
        details = index.index_details if index is not None else {}
        if (details.get("language"), details.get("base_tokenizer")) != (
            config.language,
            config.base_tokenizer,
        ):
            self.cues.create_index("text", config=config, name=CUE_INDEX, replace=True)
        elif index is not None and index.num_unindexed_rows > _UNINDEXED:
            self.cues.optimize(cleanup_older_than=timedelta(days=36_500))

    def _text_config(self) -> Any:
        """Return the index type: words stemmed in the language of most cues, without its most common words.

        Words of other languages are found in the form in which they were said.
        """
        from lancedb.index import FTS

        languages = self.cues.search().select(["language"]).to_arrow()["language"]
        known = Counter({row["values"]: row["counts"] for row in languages.value_counts().to_pylist()})
        known.pop("", None)
        language = min(known, key=lambda code: (-known[code], code), default="en")
        tokenizer = "icu" if language in UNSPACED else "simple"
        return FTS(language=stemmer_of(language), base_tokenizer=tokenizer)
