"""A second run over an indexed folder, for tests that kill it: `python index_run.py FOLDER CALL [repair]`.

With `repair`, it repairs the index instead. With CALL > 0 the process kills itself right after the store's
CALL-th commit.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

from lancedb.db import LanceDBConnection
from lancedb.table import LanceTable
from random_videos import new_index, random_video

from centerclip.index import FileStamp, Finished, VideoIndex, Writer, repair
from centerclip.index import writer as writer_module
from centerclip.index.schema import KEYS
from centerclip.records import Cue, EncodedVideo, Failed, Track, Transcript, VideoInfo

COMMITS = [
    (LanceTable, name)
    for name in ("add", "_do_merge", "delete", "update", "optimize", "restore", "add_columns")
] + [
    (LanceTable, "create_index"),
    (LanceTable, "drop_index"),
    (LanceDBConnection, "create_table"),
]
"""Everything that changes files."""

BEFORE = [random_video(f"/v/{at}.mp4", windows=1 + at % 3) for at in range(8)]
"""The files of the first run. Then 0 and 1 change, 2 breaks, 3 is deleted, 4 renamed, and 8 to 13 are new."""
CHANGED = [random_video(f"/v/{at}.mp4", windows=3 - at, seed=1000 + at, modified=9.0) for at in (0, 1)]
MOVED = FileStamp(Path("/v/renamed.mp4"), BEFORE[4].info.size_bytes, BEFORE[4].info.modified_seconds)
NEW = [random_video(f"/v/{at}.mp4", windows=2 + at % 3, seed=2000 + at) for at in range(8, 14)]


def transcript_of(info: VideoInfo) -> Transcript:
    """Return what is said in a file: one cue per window, none in 9 and 10."""
    number = info.path.stem
    cues = [Cue(at + 0.5, at + 1.5, f"word{at} of {info.video_id}") for at in range(info.size_bytes % 3 + 1)]
    tracks = () if number in {"9", "10"} else (Track(f"{number}.en.srt", "en", tuple(cues)),)
    return Transcript(tracks, (), f"{info.video_id} {info.size_bytes} {info.modified_seconds}")


def add_transcripts(index: VideoIndex, writer: Writer) -> None:
    """Do what `indexing.listening` does, in batches of three."""
    known = index.spoken.transcripts()
    infos = [video.info for video in index.videos() if video.state == "done"]
    read = {info: transcript_of(info) for info in infos}
    todo = [
        (info, made)
        for info, made in read.items()
        if str(info.path) not in known or known[str(info.path)].stamp != made.stamp
    ]
    for at in range(0, len(todo), 3):
        writer.add_transcripts(todo[at : at + 3])


def first_run(location: str) -> None:
    index = new_index(location, *BEFORE, Failed(Path("/v/broken.mp4"), "no frames"))
    with index.writer() as writer:
        add_transcripts(index, writer)
        writer.finish()


def second_run(location: str) -> Finished:
    """Do what `centerclip index --prune` does with these files, in batches of two."""
    index = new_index(location)
    results: dict[FileStamp, EncodedVideo | Failed] = {
        stamp_of(video): video for video in [*BEFORE[5:], *CHANGED, *NEW]
    }
    results[FileStamp(BEFORE[2].info.path, 0, 0.0)] = Failed(BEFORE[2].info.path, "damaged")
    # If a kill lost the rename along with its rows, the file is new under its new name.
    renamed = random_video(BEFORE[4].info.path, windows=2).windows
    info = random_video(MOVED.path).info
    values = {name: getattr(BEFORE[4].info, name) for name in info.__slots__}
    results[MOVED] = EncodedVideo(type(info)(**{**values, "path": MOVED.path}), renamed)
    limits = patch.multiple(writer_module, _FRAGMENTS=3, _BATCHES=2, EXACT_LIMIT=10)
    with limits, index.writer() as writer:
        changes = index.changes(results, roots=[Path("/v")])
        for move in changes.moved:
            writer.move(move.old, move.new)
        todo = [results[file] for file in (*changes.new, *changes.changed)]
        for at in range(0, len(todo), 2):
            writer.add(todo[at : at + 2])
        writer.remove([*changes.gone, Path("/v/broken.mp4")])
        add_transcripts(index, writer)
        return writer.finish()


def stamp_of(video: EncodedVideo) -> FileStamp:
    return FileStamp(video.info.path, video.info.size_bytes, video.info.modified_seconds)


def content(location: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of files, without the time of recording."""
    store = VideoIndex(location, create=False)._store
    tables = {name: store.table(name).to_arrow() for name in KEYS if name != "meta"}
    tables["videos"] = tables["videos"].drop_columns(["indexed_seconds"])
    return {
        name: table.sort_by([(key, "ascending") for key in KEYS[name]]).to_pylist()
        for name, table in tables.items()
    }


@contextmanager
def count_commits(after: Callable[[int], None]) -> Iterator[None]:
    """Call `after` with the number of each commit when it is finished."""
    count, lock = 0, Lock()

    def counted(commit: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            result = commit(*args, **kwargs)
            with lock:  # some commits run side by side
                count += 1
                after(count)
            return result

        return call

    with ExitStack() as stack:
        for owner, name in COMMITS:
            stack.enter_context(patch.object(owner, name, counted(getattr(owner, name))))
        yield


def main() -> None:
    location, call = sys.argv[1], int(sys.argv[2])
    with count_commits(lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == call else None):
        print("begins", flush=True)
        (repair if "repair" in sys.argv[3:] else second_run)(location)


if __name__ == "__main__":
    main()
