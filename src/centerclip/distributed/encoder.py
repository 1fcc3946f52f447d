"""`RayEncoder`: the driver's side of encoding on a cluster.

Shards of files are tasks, of which a bounded number is under way. Ray tries none of them again: what a lost
task hasn't returned is submitted again here, where it is known what was returned, and where a file that ends
the worker that decodes it can be told from the others of its shard.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from centerclip.distributed.cluster import Cluster
from centerclip.distributed.recipe import Recipe, versions_of
from centerclip.distributed.shards import CRASHED, Shard, cut_shards
from centerclip.distributed.task import Refusal, encode_shard
from centerclip.embedding import VideoEncoder
from centerclip.errors import ClusterError
from centerclip.index import ModelCard
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.remote import as_place, is_address

__all__ = ["RayEncoder"]

_TICK_SECONDS = 0.5
_AHEAD = 2
"""Tasks under way for each that can run."""
_COUNT_SECONDS = 5.0
"""How often to count what the cluster can run, because nodes come and go."""
_SILENT_SECONDS = 90.0
"""A task that has begun answers every few seconds, unless its node hangs."""
_IDLE_SECONDS = 120.0
"""How long to wait for a node that can run a task at all."""
_FETCH_SECONDS = 60.0
"""How long it may take to get a step from its node."""
_BUFFERED = 4
"""Steps of a task that may wait to be read. Then it waits, too."""


class RayEncoder:
    """Encodes files on a cluster as an encoder would do here, with the same results.

    Args:
        encoder: whose weights and settings are used. It encodes nothing itself.
        cluster: open until the work is done.
        workers: decoding threads per task; by default one per core of the task.
    """

    def __init__(self, encoder: VideoEncoder, cluster: Cluster, *, workers: int | None = None) -> None:
        self.local = encoder
        self._cluster = cluster
        self._workers = workers
        self._sent: tuple[Recipe, Any] | None = None

    @property
    def slots(self) -> int:
        """How many tasks the cluster can run at once."""
        return self._cluster.slots(self._send()[0].needs)

    @property
    def decodes_here(self) -> bool:
        """A file that ends the program in which it is decoded ends a node's, and is tried again alone."""
        return False

    def card(self) -> ModelCard:
        """Return what an index stores about the model."""
        return self.local.card()

    def embed(
        self,
        items: Iterable[Item],
        *,
        ordered: bool = False,
        on_step: Callable[[Sequence[tuple[VideoInfo, Window]]], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        locate: Callable[[Path], Path] = as_place,
    ) -> Generator[EncodedVideo | Failed, None, None]:
        """Encode files as `VideoEncoder.embed` does, but in the order in which they are finished.

        Args:
            items: whole files.
            ordered: must be false.
            on_step, should_stop: as for `centerclip.embedding.embed`.
            locate: isn't used: nodes read files where they are.

        Raises:
            ClusterError: the cluster is gone, has no node for the work, or has one that can't do it.
        """
        if ordered:
            raise ValueError("a cluster finishes files in any order: give ordered=False")
        work = _Work(self._cluster, *self._send(), cut_shards(items))
        try:
            while work.goes_on():
                results, windows = work.advance()
                if on_step is not None:
                    on_step(windows)
                yield from results
                if should_stop is not None and should_stop():
                    return
        finally:
            work.stop()

    def _send(self) -> tuple[Recipe, Any]:
        """Put the recipe where all nodes find it."""
        if self._sent is None:
            import ray

            recipe = Recipe.of(self.local, self._workers)
            try:
                self._sent = recipe, ray.put(recipe)
            except ray.exceptions.RayError as error:
                raise self._cluster.lost(error) from error
        return self._sent


class _Work:
    """The tasks that are under way, and the shards that aren't."""

    def __init__(self, cluster: Cluster, recipe: Recipe, sent: Any, shards: Iterator[Shard]) -> None:
        import ray

        self._ray: Any = ray
        self._cluster = cluster
        self._sent = sent
        self._needs = recipe.needs
        self._backend = recipe.backend
        self._versions = versions_of(recipe.backend)
        self._shards = shards
        self._again: list[Shard] = []
        self._running: dict[Any, Shard] = {}
        self._slots = 0
        self._counted = -_COUNT_SECONDS
        self._worked = monotonic()
        """When there last was a node that can run a task."""
        options = {"num_returns": "streaming", "max_retries": 0, "name": "centerclip"}
        self._task = ray.remote(encode_shard).options(
            **options,
            num_cpus=self._needs["CPU"],
            num_gpus=self._needs.get("GPU", 0),
            _generator_backpressure_num_objects=_BUFFERED,
        )

    def goes_on(self) -> bool:
        """Submit what there is room for; return whether anything is under way or waits for a node."""
        self._cluster.check()  # each time, because without the head, Ray may end this process at any call
        now = monotonic()
        if now - self._counted >= _COUNT_SECONDS:
            self._counted, self._slots = now, self._cluster.slots(self._needs)
        if self._slots:
            self._worked = now
        elif now - self._worked > _IDLE_SECONDS:
            need = " and ".join(f"{amount:g} {name}" for name, amount in self._needs.items())
            raise ClusterError(
                f"no node of the Ray cluster {self._cluster.address} has {need} for a task. What was encoded "
                "is kept; add nodes with `ray start --address=HOST:PORT` and run the same command to continue"
            )
        while len(self._running) < max(1, _AHEAD * self._slots):
            shard = self._again.pop() if self._again else next(self._shards, None)
            if shard is None:
                break
            self._submit(shard)
        return bool(self._running)

    def advance(self) -> tuple[list[EncodedVideo | Failed], list[tuple[VideoInfo, Window]]]:
        """Wait for a moment; return the results that have come in, and the windows that were encoded."""
        results: list[EncodedVideo | Failed] = []
        windows: list[tuple[VideoInfo, Window]] = []
        ready, looked = self._ready(), monotonic()
        for task in ready:
            shard = self._running[task]
            try:
                step = self._fetch(next(task))
            except StopIteration:
                del self._running[task]
                if shard.left:  # a task ends only after its last file, unless something was lost on the way
                    results += self._retry(shard, crashed=False)
                continue
            except self._ray.exceptions.RayError as error:
                del self._running[task]
                self._cancel(task)  # it may be alive, if only its answer is lost
                results += self._lost(shard, error)
                continue
            if isinstance(step, Refusal):
                raise ClusterError(f"{step.reason}. What was encoded is kept")
            shard.heard, shard.ready = monotonic(), shard.ready or step.ready
            results += shard.take(step.results)
            windows += step.windows
        # Until `looked`, because fetching and writing take their time, too.
        silent = [
            task for task, shard in self._running.items() if shard.is_silent(_SILENT_SECONDS, at=looked)
        ]
        for task in silent:
            shard = self._running.pop(task)
            self._cancel(task)
            results += self._retry(shard, crashed=True)
        return results, windows

    def stop(self) -> None:
        """End all tasks, whatever they are doing."""
        if not self._cluster.is_lost:  # then Ray would end this process, before it could write and say why
            for task in self._running:
                self._cancel(task)
        self._running.clear()

    def _submit(self, shard: Shard) -> None:
        files = [(os.fspath(path), _size_of(path)) for path in shard.left]
        try:
            task = self._task.remote(files, [self._sent], self._versions, self._backend)
        except self._ray.exceptions.RayError as error:
            raise self._cluster.lost(error) from error
        shard.heard = None
        self._running[task] = shard

    def _ready(self) -> list[Any]:
        """Return the tasks with a step, an end or an error; waits for the first."""
        tasks = list(self._running)
        try:
            ready, rest = self._ray.wait(tasks, num_returns=1, timeout=_TICK_SECONDS)
            if ready and rest:
                more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
                ready += more
        except self._ray.exceptions.RayError as error:
            raise self._cluster.lost(error) from error
        return list(ready)

    def _fetch(self, reference: Any) -> Any:
        """Return a step, which may be on another node."""
        until = monotonic() + _FETCH_SECONDS
        while True:
            try:
                return self._ray.get(reference, timeout=_COUNT_SECONDS)
            except self._ray.exceptions.GetTimeoutError:
                if monotonic() > until:
                    raise
            self._cluster.check()  # without its head, it would never come

    def _cancel(self, task: Any) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.cancel(task, force=True)

    def _lost(self, shard: Shard, error: Any) -> list[Failed]:
        """Decide what becomes of a shard whose task didn't end well."""
        kinds = self._ray.exceptions
        if isinstance(error, kinds.RayTaskError):
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, ClusterError):
                raise ClusterError(f"{cause}. What was encoded is kept") from error
            if isinstance(cause, ImportError | RuntimeError) and "import" in str(cause):
                reason = str(cause).strip().splitlines()[-1]
                raise ClusterError(
                    f"a node can't load centerclip ({reason}). Install the driver's version on "
                    f"all nodes: pip install 'centerclip[distributed]=={self._versions['centerclip']}'"
                ) from error
            raise error
        if isinstance(error, kinds.LocalRayletDiedError | kinds.RaySystemError):
            raise self._cluster.lost(error) from error
        crashed = isinstance(error, kinds.WorkerCrashedError | kinds.OutOfMemoryError)
        return self._retry(shard, crashed=crashed, reason=str(error))

    def _retry(self, shard: Shard, *, crashed: bool, reason: str = "") -> list[Failed]:
        """Submit again, soon, what a lost task hasn't returned; return the files to give up instead."""
        try:
            again, hopeless = shard.again(crashed=crashed)
        except OverflowError:
            reason = " ".join(reason.split())[:200]
            raise ClusterError(
                f"workers of the Ray cluster {self._cluster.address} end before they encode anything "
                f"({reason}). What was encoded is kept; see Ray's logs on the nodes, by default in /tmp/ray"
            ) from None
        self._again += again
        return [Failed(path, CRASHED) for path in hopeless]


def _size_of(path: Path) -> int | None:
    if is_address(path):  # which is the same everywhere
        return None
    try:
        return os.stat(path).st_size
    except OSError:
        return None
