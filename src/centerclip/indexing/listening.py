"""What is said in the files of an index: read where it is new or has changed, without encoding them again.

It comes after the encoding, for all files of a run that are in the index, also for those of an index that an
earlier version made. Batches are written as they are done, so the next run goes on after a kill.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

from centerclip.cores import available_cores
from centerclip.errors import VideoError
from centerclip.index import FileStamp, KnownTranscript, VideoIndex
from centerclip.index.schema import stored_path
from centerclip.index.sql import all_of, any_of, equals
from centerclip.indexing.sharing import Turns
from centerclip.records import Cue, Track, Transcript, VideoInfo
from centerclip.remote import Address, as_place
from centerclip.speech import Recognizer, read_subtitles
from centerclip.speech.subtitles import within
from centerclip.subtitles import Sidecar, find_sidecars

__all__ = ["Heard", "listen"]

_TOGETHER = 64
"""Files whose subtitles are read before the next batch may be written."""
_LOOKED_AT = 1000
"""Files that are compared with the index together."""
_BATCH_CUES = 20_000
_BATCH_SECONDS = 15.0
_TICK_SECONDS = 0.2
"""How soon a request to stop is noticed."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Heard:
    """A file whose words were read, and written to the index."""

    path: Path
    cues: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    info: VideoInfo
    sidecars: tuple[Sidecar, ...]
    stamp: str
    before: KnownTranscript | None

    @property
    def keeps_model(self) -> bool:
        """Whether a speech model has heard this very file."""
        before = self.before
        if before is None or not before.model:
            return False
        return bool(_file_part(before.stamp) == _file_part(self.stamp))


def listen(
    index: VideoIndex,
    writer: Turns,
    files: Iterable[FileStamp],
    recognizer: Recognizer | None = None,
    *,
    retry_failed: bool = False,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    locate: Callable[[Path], Path] = lambda path: path,
) -> Iterator[Heard]:
    """Bring what is said up to date.

    Args:
        index, writer: where to.
        files: of the run; those that aren't encoded are left out.
        recognizer: hears files without subtitles.
        retry_failed: read only files that had a problem before.
        on_step: called with the number of files that are done and of all to do.
        should_stop: called often; what is done is written then.
        locate: returns where a file can be read.

    Yields:
        The files that have cues or problems, once they are on the disk.
    """
    tasks = list(_tasks(index, files, recognizer, retry_failed))
    gathered: list[tuple[VideoInfo, Transcript]] = []
    begun = time.monotonic()

    def write() -> Iterator[Heard]:
        nonlocal begun
        for info, made in writer.add_transcripts(gathered):
            cues = sum(len(track.cues) for track in made.tracks)
            if cues or made.problems:
                yield Heard(info.path, cues, made.problems)
        gathered.clear()
        begun = time.monotonic()

    done = 0
    pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="centerclip-read")
    work = _Work(index, pool, recognizer, should_stop, locate)
    try:
        for at in range(0, len(tasks), _TOGETHER):
            some = tasks[at : at + _TOGETHER]
            for task, reading in [(task, pool.submit(_read, locate, task)) for task in some]:
                if should_stop():
                    raise _StoppedError
                on_step(done, len(tasks))
                gathered.append((task.info, work.transcript(task, *work.result(reading))))
                done += 1
                cues = sum(len(track.cues) for _, one in gathered for track in one.tracks)
                if cues >= _BATCH_CUES or time.monotonic() - begun >= _BATCH_SECONDS:
                    yield from write()
    except _StoppedError:
        pass
    finally:
        pool.shutdown(wait=not should_stop(), cancel_futures=True)
    yield from write()
    on_step(done, len(tasks))


def _tasks(
    index: VideoIndex, files: Iterable[FileStamp], recognizer: Recognizer | None, retry_failed: bool
) -> Iterator[_Task]:
    known = index.spoken.transcripts()
    found = find_sidecars([file.path for file in files])
    while some := list(islice(found, _LOOKED_AT)):
        paths = [stored_path(path) for path, _ in some]
        described = {
            stored_path(video.info.path): video.info
            for video in index.videos(all_of(any_of("path", paths), equals("state", "done")))
        }
        for path, (given, sidecars), before in zip(paths, some, known.of(paths), strict=True):
            if (info := described.get(path)) is None:
                continue
            stamp = json.dumps(
                [[info.size_bytes, info.modified_seconds], [sidecar.stamp for sidecar in sidecars]]
            )
            task = _Task(replace(info, path=given), sidecars, stamp, before)  # results name files as asked
            if retry_failed:
                if before is not None and before.problems:
                    yield task
            elif (
                before is None
                or not _is_same(before.stamp, stamp, given)
                or (recognizer and _is_unheard(before, recognizer))
            ):
                yield task


def _is_same(before: str, now: str, path: Path) -> bool:
    """Whether neither a file nor its subtitles have changed; an object's time changes without its content."""
    if isinstance(path, Address):
        return bool(json.loads(before)[1:] == json.loads(now)[1:])  # its rows are of the content that it has
    return before == now


def _is_unheard(before: KnownTranscript, recognizer: Recognizer) -> bool:
    """Whether a file has no subtitles, and this model hasn't heard it."""
    return before.model != recognizer.name and (before.model != "" or not before.cues)


def _file_part(stamp: str) -> object:
    return json.loads(stamp)[0]


def _read(locate: Callable[[Path], Path], task: _Task) -> tuple[list[Track], list[str]]:
    return read_subtitles(replace(task.info, path=locate(task.info.path)), task.sidecars)


class _StoppedError(Exception):
    """The run is asked to stop."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Waits for threads, but never longer than until the run is asked to stop."""

    index: VideoIndex
    pool: ThreadPoolExecutor
    recognizer: Recognizer | None
    should_stop: Callable[[], bool]
    locate: Callable[[Path], Path]

    def result(self, future: Future[_T]) -> _T:
        while not wait([future], _TICK_SECONDS).done:
            if self.should_stop():
                raise _StoppedError
        return future.result()

    def transcript(self, task: _Task, tracks: Sequence[Track], problems: list[str]) -> Transcript:
        """Complete what was read."""
        recognizer = self.recognizer
        if tracks:
            return Transcript(tuple(tracks), tuple(problems), task.stamp)
        if recognizer is None:
            if task.keeps_model and task.before is not None:
                heard = _stored_tracks(self.index, task.info)
                return Transcript(heard, tuple(problems), task.stamp, task.before.model)
            return Transcript((), tuple(problems), task.stamp)
        listen = partial(recognizer.listen, self.locate(task.info.path), should_stop=self.should_stop)
        try:
            track = self.result(self.pool.submit(listen))
        except VideoError as error:
            problems.append(f"its speech: {str(error).removeprefix(f'{task.info.path}: ')}")
            return Transcript((), tuple(problems), task.stamp, recognizer.name)
        if track is None:
            raise _StoppedError
        inside = within(track, task.info.duration_seconds)
        return Transcript((inside,) if inside.cues else (), tuple(problems), task.stamp, recognizer.name)


def _stored_tracks(index: VideoIndex, info: VideoInfo) -> tuple[Track, ...]:
    """Return the tracks of a file as the index has them."""
    cues = index.spoken.cues(info.video_id, path=as_place(stored_path(info.path)))
    cues.sort(key=lambda cue: (cue.source, cue.language, cue.start))
    return tuple(
        Track(source, language, tuple(Cue(cue.start, cue.end, cue.text) for cue in some))
        for (source, language), some in groupby(cues, key=lambda cue: (cue.source, cue.language))
    )
