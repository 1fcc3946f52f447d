"""What the operations work with: made once for an application, and closed with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.records import Window
from centerclip.search import Searcher
from centerclip.serve.batching import BatchingEncoder
from centerclip.serve.clips import ClipCache
from centerclip.serve.examples import Examples
from centerclip.serve.jobs import Jobs
from centerclip.serve.library import Library
from centerclip.serve.metrics import Metrics
from centerclip.serve.recent import Recent
from centerclip.serve.results import Results
from centerclip.serve.settings import Settings
from centerclip.serve.workers import Workers

__all__ = ["Services", "Use"]

_PICTURES = 64
"""Views of the reduction that are kept: some 20 MB."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one application.

    `reading` threads look into the index, `modeling` is the one that runs the model for sentences,
    `looking` the one that does so for uploads and views of the reduction, `cutting` makes clips.
    `stopping` is set when the server has been asked to end, for answers that would go on.
    """

    settings: Settings
    index: VideoIndex
    encoder: VideoEncoder
    library: Library
    metrics: Metrics
    reading: Workers
    modeling: Workers
    looking: Workers
    cutting: Workers
    batching: BatchingEncoder
    searcher: Searcher
    results: Results
    examples: Examples
    pictures: Recent[tuple[str, Window, str], bytes]
    clips: ClipCache
    jobs: Jobs
    stopping: Event

    @classmethod
    def make(cls, index: VideoIndex, encoder: VideoEncoder, settings: Settings) -> Services:
        """Put the parts together.

        Raises:
            FingerprintError: the index was made by another model than the encoder's.
        """
        metrics = Metrics()
        waiting, seconds = settings.waiting, settings.search_seconds
        reading = Workers("read", threads=4, waiting=waiting, seconds=seconds)
        modeling = Workers("text", threads=1, waiting=waiting, seconds=seconds)
        looking = Workers("look", threads=1, waiting=waiting // 16, seconds=settings.clip_seconds)
        cutting = Workers("clip", threads=1, waiting=waiting // 8, seconds=settings.clip_seconds)
        library = Library(index, settings.folders)
        batching = BatchingEncoder(encoder, modeling, metrics.count_batch)
        cache = settings.cache_for(index.location)
        for name, workers in {"read": reading, "text": modeling, "look": looking, "clip": cutting}.items():
            metrics.watch_queue(name, partial(getattr, workers, "taken"))
        return cls(
            settings=settings,
            index=index,
            encoder=encoder,
            library=library,
            metrics=metrics,
            reading=reading,
            modeling=modeling,
            looking=looking,
            cutting=cutting,
            batching=batching,
            searcher=Searcher(index, batching),
            results=Results(library, metrics.count_cached),
            examples=Examples(index, encoder),
            pictures=Recent(_PICTURES),
            clips=ClipCache(cache / "clips", settings.clip_cache_bytes),
            jobs=Jobs(cache / "jobs", encoder, index, library),
            stopping=Event(),
        )

    def close(self) -> None:
        """End the job under way after the batch in hand, and take no more work."""
        self.stopping.set()
        self.jobs.close()
        for workers in (self.reading, self.modeling, self.looking, self.cutting):
            workers.close()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Use = Annotated[Services, Depends(_services)]
"""A parameter through which an operation gets the services."""
