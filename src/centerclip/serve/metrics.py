"""Metrics of the server, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]


class Metrics:
    """The metrics of one application, in their own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "centerclip_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "centerclip_request_seconds",
            "Time until the response started.",
            ("route",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self._registry,
        )
        self._batches = Histogram(
            "centerclip_text_batch_size",
            "Sentences encoded per pass of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self._registry,
        )
        self._cached = Counter(
            "centerclip_cached_results_total",
            "Searches answered from the cache.",
            registry=self._registry,
        )
        self._queue = Gauge(
            "centerclip_queue", "Requests waiting or in progress.", ("queue",), registry=self._registry
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_batch(self, size: int) -> None:
        self._batches.observe(size)

    def count_cached(self) -> None:
        self._cached.inc()

    def watch_queue(self, name: str, taken: Callable[[], float]) -> None:
        self._queue.labels(name).set_function(taken)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
