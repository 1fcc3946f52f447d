"""The API against its own description: requests drawn from OpenAPI, answers that must fit it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from serving import Served, serve_library
from thorough import THOROUGH

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what schemathesis imports
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

EXAMPLES = 300 if THOROUGH else 3


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("served")) as served:
        yield served


def test_sequences_of_requests_fit_the_description(
    served: Served, record_property: Callable[[str, object], None]
) -> None:
    """One answer's values are the next request's parameters."""
    described = schemathesis.openapi.from_url(f"{served.http.base_url}/openapi.json")
    (unsaid,) = schemathesis.checks.CHECKS.get_by_names(["positive_data_acceptance"])
    sent = 0

    class Sequences(described.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            nonlocal sent
            sent += 1
            case.validate_response(response, excluded_checks=[unsaid])

    Sequences.run(
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=8,
            deadline=None,
            derandomize=not THOROUGH,
            suppress_health_check=list(HealthCheck),
        )
    )
    assert sent
    record_property("requests in sequences", sent)


def operations(described: Any) -> list[Any]:
    return [result.ok() for result in described.get_all_operations()]


def test_answers_fit_the_description(served: Served, record_property: Callable[[str, object], None]) -> None:
    described = schemathesis.openapi.from_url(f"{served.http.base_url}/openapi.json")
    drawn = {operation.label: check(operation) for operation in operations(described)}
    assert len(drawn) >= 15
    assert all(drawn.values()), drawn
    record_property("requests drawn from the description", sum(drawn.values()))


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
