"""Index jobs: one at a time, told of in files, so that every process of a server can tell of them all.

The process that runs a job writes how far it is; the others only read that, and ask it to stop by leaving a
file. A job whose process died is told as failed.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, Thread

from centerclip.api import Failure, Job, JobWanted
from centerclip.embedding import FileResult, Progress, VideoEncoder
from centerclip.errors import CenterCLIPError
from centerclip.index import Summary, VideoIndex
from centerclip.serve.library import Library
from centerclip.serve.problems import Problem

__all__ = ["Jobs"]

_KEPT = 20
"""Ended jobs that are remembered."""
_FAILURES = 100
_WRITE_SECONDS = 0.2


class _Record(Job):
    """A job as it stands in its file."""

    process: int


class Jobs:
    """Starts, tells of and cancels index jobs.

    Args:
        folder: of the jobs' files.
        encoder: does the work.
        index: is brought up to date.
        library: its folders are walked.
    """

    def __init__(self, folder: Path, encoder: VideoEncoder, index: VideoIndex, library: Library) -> None:
        self._folder = folder
        self._encoder = encoder
        self._index = index
        self._library = library
        self._lock = Lock()
        self._thread: Thread | None = None
        self._current = ""
        self._stop = Event()

    def start(self, wanted: JobWanted) -> str:
        """Begin a job; returns its name.

        Raises:
            Problem: there are no folders to index, or a job is under way already (409).
        """
        with self._lock:
            folders = self._library.roots()
            if not folders:
                raise Problem(409, "there are no folders to index: start the server with --folder PATH")
            under_way = next((job for job in self._all() if job.state == "running"), None)
            if under_way is not None:
                raise Problem(409, f"job {under_way.job} is indexing already: wait for it, or cancel it")
            record = _Record(
                job=secrets.token_hex(8),
                state="running",
                files=0,
                total=0,
                windows=0,
                footage_seconds=0.0,
                states={},
                failures=[],
                message="",
                started=time.time(),
                ended=None,
                process=os.getpid(),
            )
            self._write(record)
            self._forget_old()
            self._current = record.job
            run = _Run(self, record, folders, wanted)
            self._thread = Thread(target=run, name="index", daemon=True)
            self._thread.start()
            return record.job

    def get(self, job: str) -> Job:
        """How far a job is.

        Raises:
            Problem: there is none of that name (404).
        """
        record = self._read(self._file(job)) if job.isalnum() and job.isascii() else None
        if record is None:
            raise Problem(404, "there is no such job: POST /api/index starts one")
        return Job(**record.model_dump(exclude={"process"}))

    def cancel(self, job: str) -> Job:
        """Ask a job to end after the batch in hand, which loses nothing of what it has done."""
        found = self.get(job)
        if found.state == "running":
            self._file(job).with_suffix(".cancel").touch()
        return found

    def close(self) -> None:
        """End the job that runs here, after the batch in hand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _asked_to_stop(self, job: str) -> bool:
        return self._stop.is_set() or self._file(job).with_suffix(".cancel").exists()

    def _file(self, job: str) -> Path:
        return self._folder / f"{job}.json"

    def _all(self) -> Iterator[_Record]:
        for file in sorted(self._folder.glob("*.json")):
            record = self._read(file)
            if record is not None:
                yield record

    def _read(self, file: Path) -> _Record | None:
        try:
            record = _Record.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:  # of another version
            file.unlink(missing_ok=True)
            return None
        if record.state == "running" and not self._is_alive(record):
            ended = file.stat().st_mtime
            return record.model_copy(
                update={"state": "failed", "message": "the server was stopped; index again", "ended": ended}
            )
        return record

    def _is_alive(self, record: _Record) -> bool:
        if record.process == os.getpid():
            return record.job == self._current and self._thread is not None and self._thread.is_alive()
        try:
            os.kill(record.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _write(self, record: _Record) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._file(record.job).with_suffix(".part")
        part.write_text(record.model_dump_json(), encoding="utf-8")
        os.replace(part, self._file(record.job))

    def _forget_old(self) -> None:
        ended = sorted((job for job in self._all() if job.state != "running"), key=lambda job: job.started)
        for job in ended[:-_KEPT]:
            for suffix in (".json", ".cancel", ".part"):
                self._file(job.job).with_suffix(suffix).unlink(missing_ok=True)


class _Run:
    """One job at work, in a thread of its own."""

    def __init__(self, jobs: Jobs, record: _Record, folders: list[Path], wanted: JobWanted) -> None:
        self._jobs = jobs
        self._record = record
        self._folders = folders
        self._wanted = wanted
        self._written = 0.0
        self._stopping = self._finished = False

    def __call__(self) -> None:
        record = self._record
        try:
            results = self._jobs._encoder.index(
                self._folders,
                self._jobs._index,
                prune=self._wanted.prune,
                retry_failed=self._wanted.retry_failed,
                on_progress=self._on_progress,
                on_finish=self._on_finish,
                should_stop=lambda: self._stopping,
            )
            with closing(results):
                for result in results:
                    self._on_result(result)
            record.state = "canceled" if self._stopping and not self._finished else "done"
        except CenterCLIPError as error:
            record.state, record.message = "failed", self._jobs._library.hide_folders(str(error))
        except BaseException:
            record.state, record.message = "failed", "the server failed on this job; its log says how"
            raise
        finally:
            record.ended = time.time()
            self._jobs._write(record)

    def _on_progress(self, progress: Progress) -> None:
        record = self._record
        record.files, record.total = progress.files, progress.total
        record.windows, record.footage_seconds = progress.windows, progress.footage_seconds
        self._tell()

    def _on_result(self, result: FileResult) -> None:
        record = self._record
        record.states[result.state] = record.states.get(result.state, 0) + 1
        if result.state == "failed" and len(record.failures) < _FAILURES:
            reason = self._jobs._library.hide_folders(result.reason)
            record.failures.append(Failure(name=result.path.name, reason=reason))
        self._tell()

    def _on_finish(self, summary: Summary) -> None:
        self._finished = True

    def _tell(self) -> None:
        """Write how far the job is, a few times a second at most, and look whether it shall end."""
        now = time.monotonic()
        if now - self._written >= _WRITE_SECONDS:
            self._written = now
            self._jobs._write(self._record)
            self._stopping = self._jobs._asked_to_stop(self._record.job)
