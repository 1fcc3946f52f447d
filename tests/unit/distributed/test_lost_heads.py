"""A head of a Ray cluster that is gone, or doesn't answer, is noticed before Ray ends the process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from centerclip.distributed import cluster as module
from centerclip.distributed.cluster import Cluster
from centerclip.errors import ClusterError


class FakeRay:
    """What `Cluster` needs of Ray; `answers` lets it answer."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.answers = Event()
        self.answers.set()
        self.ended = False

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address=self.address)

    def nodes(self) -> list[dict[str, Any]]:
        self.answers.wait(60)
        return [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": False, "Resources": {"CPU": 8.0}}]

    def shutdown(self) -> None:
        self.ended = True


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    monkeypatch.setattr(module, "_HEAD_SECONDS", 0.2)
    fake = FakeRay()
    yield fake
    fake.answers.set()
    fake.server.close()


@pytest.fixture
def cluster(ray: FakeRay) -> Cluster:
    made = object.__new__(Cluster)
    made.address, made._ray, made._own, made.is_lost = "auto", ray, True, False
    return made


def test_only_living_nodes_count(cluster: Cluster, ray: FakeRay) -> None:
    assert (cluster.nodes, cluster.slots({"CPU": 1})) == (1, 2)
    cluster.close()
    assert ray.ended
    assert not cluster.is_lost


def test_a_head_that_takes_connections_but_does_not_answer_is_lost(cluster: Cluster, ray: FakeRay) -> None:
    ray.answers.clear()
    with pytest.raises(ClusterError, match="is lost .it doesn't answer.. What was encoded is kept"):
        cluster.slots({"CPU": 1})
    assert cluster.is_lost
    cluster.close()
    assert not ray.ended  # it would wait for the head


def test_saying_goodbye_does_not_wait_for_a_head_that_is_gone(cluster: Cluster, ray: FakeRay) -> None:
    ray.server.close()
    with pytest.raises(ClusterError, match="is lost"):
        cluster.close()
    assert cluster.is_lost
    assert not ray.ended
    cluster.close()


def test_what_goes_wrong_with_an_answer_is_told(
    cluster: Cluster, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise ConnectionError("no\nsuch thing")

    monkeypatch.setattr(ray, "nodes", fail)
    with pytest.raises(ClusterError, match="is lost .no such thing."):
        cluster.slots({"CPU": 1})
