"""The API against its own description: requests drawn from OpenAPI, answers that must fit it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from serving import Served, serve_library

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what schemathesis imports
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

EXAMPLES = 3


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("served")) as served:
        yield served


def operations(described: Any) -> list[Any]:
    return [result.ok() for result in described.get_all_operations()]


def test_answers_fit_the_description(served: Served) -> None:
    described = schemathesis.openapi.from_url(f"{served.http.base_url}/openapi.json")
    drawn = {operation.label: check(operation) for operation in operations(described)}
    assert len(drawn) >= 15
    assert all(drawn.values()), drawn


def check(operation: Any) -> int:
    """Send requests, sound and unsound, to one operation; returns how many."""
    sent = 0
    # OpenAPI can't say that a search takes words or a video, or that a moment ends after its start.
    (unsaid,) = schemathesis.checks.CHECKS.get_by_names(["positive_data_acceptance"])

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        nonlocal sent
        sent += 1
        case.call_and_validate(excluded_checks=[unsaid])

    send()
    return sent
