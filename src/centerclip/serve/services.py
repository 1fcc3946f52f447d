"""The parts that the operations work with: made once for an application, and closed with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from centerclip.embedding import VideoEncoder
from centerclip.index import Mirror, VideoIndex
from centerclip.search import Searcher
from centerclip.serve.batching import TextBatches
from centerclip.serve.examples import Examples
from centerclip.serve.excerpts import ExcerptCache
from centerclip.serve.jobs import Jobs
from centerclip.serve.library import Library
from centerclip.serve.metrics import Metrics
from centerclip.serve.reduction import draw_reduction
from centerclip.serve.replica import Follower
from centerclip.serve.results import Results
from centerclip.serve.settings import ServerSettings
from centerclip.serve.watching import LibraryWatch
from centerclip.serve.workers import Workers
from centerclip.video import stop_readers

__all__ = ["Services", "Use", "UseAlways"]

_PICTURES = 64
"""Pictures of the reduction that are kept: about 20 MB."""


class Services:
    """The parts of one application.

    Args:
        index, encoder, settings: as for `create_app`.
        mirror: the copy of an index in object storage that is served; None if it is read in place.

    Raises:
        FingerprintError: the index was made by another model than the encoder's.
    """

    def __init__(
        self, index: VideoIndex, encoder: VideoEncoder, settings: ServerSettings, mirror: Mirror | None = None
    ) -> None:
        waiting, seconds = settings.waiting, settings.excerpt_seconds
        self.settings = settings
        self.index = index
        self.location = mirror.location if mirror else index.location
        """Where writers write the index."""
        self.encoder = encoder
        self.reading = Workers("read", threads=4, waiting=waiting, seconds=settings.search_seconds)
        """Look into the index."""
        self.modeling = Workers("text", threads=1, waiting=waiting, seconds=settings.search_seconds)
        """Runs the model for sentences."""
        self.looking = Workers("look", threads=1, waiting=waiting // 16, seconds=seconds)
        """Runs the model for uploads and pictures of the reduction."""
        self.cutting = Workers("excerpt", threads=1, waiting=waiting // 8, seconds=seconds)
        """Makes excerpts."""
        self._workers = (self.reading, self.modeling, self.looking, self.cutting)
        self.metrics = Metrics()
        for workers in self._workers:
            self.metrics.watch_queue(workers.name, partial(getattr, workers, "taken"))
        self.library = Library(index, settings.folders)
        self.searcher = Searcher(index, encoder, seconds=settings.search_seconds)
        self.texts = TextBatches(self.searcher.vectors, self.modeling, self.metrics.count_batch)
        self.results = Results(self.library, self.metrics.count_cached)
        self.examples = Examples(index, encoder)
        self.draw_reduction = lru_cache(_PICTURES)(partial(draw_reduction, encoder.model))
        cache = settings.cache_for(self.location) / "excerpts"
        self.excerpts = ExcerptCache(cache, settings.excerpt_cache_bytes)
        self.jobs = Jobs(index, encoder, self.library)
        self.watch: LibraryWatch | None = None
        if settings.watch:
            self.watch = LibraryWatch(self.jobs, self.library, poll_seconds=settings.poll_seconds)
        self.follower = Follower(mirror, settings.poll_seconds) if mirror else None
        self.is_draining: Callable[[], bool] = lambda: False
        """Whether the server is about to stop, see `ServerSettings.drain_seconds`."""
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether the server was asked to stop, so that long answers end; set by whoever runs it."""

    def start(self) -> None:
        """Begin what happens without requests."""
        for thread in (self.watch, self.follower):
            if thread is not None:
                thread.start()

    def check_ready(self) -> None:
        """Raise an error if requests should go to another server.

        Raises:
            HTTPException: the index isn't copied yet, or the server is about to stop (503).
            IndexStoreError: the index can't be read.
        """
        if self.is_draining() or self.is_stopping():
            raise HTTPException(503, "the server is about to stop")
        self.check_copied()
        _ = self.index.version

    def check_copied(self) -> None:
        """Raise an error while a replica has no complete copy of its index.

        Raises:
            HTTPException: it hasn't (503).
        """
        if self.follower is not None and not self.follower.has_copy:
            raise HTTPException(503, self.follower.state)

    def close(self) -> None:
        """Stop the running job after the current batch, end all decoding, and accept no more work."""
        if self.follower is not None:
            self.follower.close()
        if self.watch is not None:
            self.watch.ask_to_stop()
        self.jobs.close()
        if self.watch is not None and self.watch.is_alive():
            self.watch.join()
        for workers in self._workers:
            workers.close()
        stop_readers()


def _any_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _services(request: Request) -> Services:
    services = _any_services(request)
    services.check_copied()
    return services


Use = Annotated[Services, Depends(_services)]
"""The parameter that passes the services to an operation, once there is an index to work with."""
UseAlways = Annotated[Services, Depends(_any_services)]
"""The same, at any time."""
