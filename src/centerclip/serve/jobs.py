"""Index jobs: one at a time, in a thread of this process.

The index's own lock keeps other processes out, and the kernel releases it when its holder dies, so a job
needs no record on disk.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from fastapi import HTTPException

from centerclip.api import Failure, Job, JobList, JobRequest
from centerclip.embedding import VideoEncoder
from centerclip.errors import CenterCLIPError, IndexLockedError, VideoError
from centerclip.index import FileStamp, Finished, VideoIndex
from centerclip.index.schema import stored_path
from centerclip.indexing import FileResult, SyncOptions, SyncProgress, sync
from centerclip.remote import as_place, may_exist
from centerclip.serve.library import Library

__all__ = ["Jobs"]

_KEPT = 20
"""Jobs that are remembered."""
_FAILURES = 100
_BEGIN_SECONDS = 1.0
"""How long `start` waits to learn whether another process is writing to the index."""


class Jobs:
    """Starts, describes and cancels index jobs. Safe to use from many threads.

    Args:
        index: is brought up to date.
        encoder: encodes its videos.
        library: knows the folders to index.
    """

    def __init__(self, index: VideoIndex, encoder: VideoEncoder, library: Library) -> None:
        self._index = index
        self._encoder = encoder
        self._library = library
        self._starting = Lock()
        self._runs: dict[str, _Run] = {}
        self._is_closed = False

    def start(self, request: JobRequest) -> str:
        """Start a job and return its id.

        Raises:
            HTTPException: there are no folders to index, or a job is running already (409).
            IndexLockedError: another process is writing to the index.
        """
        run = self._start(request)
        run.begun.wait(_BEGIN_SECONDS)
        if run.locked is not None:
            raise run.locked
        return run.job.job

    def follow(self, is_growing: Callable[[FileStamp], bool]) -> bool:
        """Run a job because folders have changed, and wait for it.

        Args:
            is_growing: says which files to leave for another job.

        Returns:
            Whether it ended well; false also if another job or process is indexing.
        """
        try:
            run = self._start(JobRequest(prune=False, retry_failed=False), is_growing)
        except HTTPException:
            return False
        run.join()
        return run.job.state != "failed"

    def _start(self, request: JobRequest, is_growing: Callable[[FileStamp], bool] | None = None) -> _Run:
        with self._starting:
            if self._is_closed:
                raise HTTPException(409, "the server is stopping")
            folders = self._library.roots()
            if not folders:
                raise HTTPException(409, "no folders to index: start the server with --folder PATH")
            for name, run in self._runs.items():
                if run.job.state == "running":
                    raise HTTPException(409, f"job {name} is running: wait for it, or cancel it")
            run = _Run(self._index, self._encoder, self._library, folders, request, is_growing)
            self._runs = dict([*self._runs.items(), (run.job.job, run)][-_KEPT:])
            run.start()
            return run

    def recent(self) -> JobList:
        """The jobs that are remembered, the newest first."""
        return JobList(jobs=[run.job for run in reversed(self._runs.values())])

    def get(self, job: str) -> Job:
        """The progress of a job.

        Raises:
            HTTPException: there is no such job (404).
        """
        return self._find(job).job

    def cancel(self, job: str) -> Job:
        """Ask a job to stop after the current batch; what it has indexed stays.

        Raises:
            HTTPException: there is no such job (404).
        """
        run = self._find(job)
        run.stop.set()
        return run.job

    def close(self) -> None:
        """Stop the running job after the current batch, wait for it, and start no more."""
        with self._starting:
            self._is_closed = True
        for run in self._runs.values():
            run.stop.set()
            run.join()

    def _find(self, job: str) -> _Run:
        if job not in self._runs:
            raise HTTPException(404, f"job {job[:40]!r} not found: POST /api/index starts one")
        return self._runs[job]


class _Run(Thread):
    """One job at work. `job` is a snapshot, which each change replaces."""

    def __init__(
        self,
        index: VideoIndex,
        encoder: VideoEncoder,
        library: Library,
        folders: list[Path],
        request: JobRequest,
        is_growing: Callable[[FileStamp], bool] | None,
    ) -> None:
        super().__init__(name="index", daemon=True)
        self._index = index
        self._encoder = encoder
        self._library = library
        self._folders = folders
        self._request = request
        self._is_growing = is_growing
        self._finished = False
        self.job = Job(
            job=secrets.token_hex(8),
            state="running",
            watch=is_growing is not None,
            files=0,
            total=0,
            windows=0,
            footage_seconds=0.0,
            states={},
            failures=[],
            missing=[],
            message="",
            started=time.time(),
            ended=None,
        )
        self.stop = Event()
        self.begun = Event()
        """Set once the job has the index's lock, or has ended."""
        self.locked: IndexLockedError | None = None

    def run(self) -> None:
        end = {"state": "failed", "message": "internal error: see the server's log"}
        try:
            options = SyncOptions(
                prune=self._request.prune,
                retry_failed=self._request.retry_failed,
                on_progress=self._on_progress,
                on_finish=self._on_finish,
                should_stop=self.stop.is_set,
                is_growing=self._is_growing or (lambda _: False),
            )
            with closing(sync(self._index, self._present(), self._encoder, options)) as results:
                for result in results:
                    self._on_result(result)
            end = {"state": "done" if self._finished or not self.stop.is_set() else "canceled"}
        except CenterCLIPError as error:
            end["message"] = self._library.hide_folders(str(error))
            self.locked = error if isinstance(error, IndexLockedError) else None
        finally:
            self._update(ended=time.time(), **end)
            self.begun.set()

    def _present(self) -> list[Path]:
        """The folders that exist. Files of missing ones stay in the index: a disk may be unplugged."""
        present = list(filter(may_exist, self._folders))
        missing = [self._library.root_name(folder) for folder in self._folders if folder not in present]
        self._update(missing=missing)
        if not present:
            raise VideoError(
                f"{', '.join(missing)} not found: connect the disk, or start the server with --folder PATH"
            )
        return present

    def _on_progress(self, progress: SyncProgress) -> None:
        self.begun.set()
        self._update(
            files=progress.files,
            total=progress.total,
            windows=progress.windows,
            footage_seconds=progress.footage_seconds,
        )

    def _on_result(self, result: FileResult) -> None:
        states, failures = self.job.states, self.job.failures
        if result.reason and result.state in {"failed", "heard"} and len(failures) < _FAILURES:
            reason = self._library.hide_folders(result.reason)
            name = as_place(stored_path(result.path)).name  # JSON holds no bytes that aren't UTF-8
            failures = [*failures, Failure(name=name, reason=reason)]
        count = states.get(result.state, 0) + 1
        self._update(states={**states, result.state: count}, failures=failures)

    def _on_finish(self, finished: Finished) -> None:
        self._finished = True

    def _update(self, **changes: Any) -> None:
        self.job = self.job.model_copy(update=changes)
