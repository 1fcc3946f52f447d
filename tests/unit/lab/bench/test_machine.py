"""CPU time that a host takes away, as Linux reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from centerclip.lab.bench.machine import Stolen

# user nice system idle waiting irq soft stolen guest guest_nice
BEFORE = "cpu  1000 10 100 5000 70 3 4 50 0 0"


@pytest.mark.parametrize(
    ("after", "share"),
    [
        ("cpu  1060 10 120 9000 90 3 4 70 0 0", 20 / (60 + 20 + 20)),
        (BEFORE, 0),  # nothing ran
        (None, None),  # the system doesn't report it
    ],
)
def test_stolen_time_is_a_fraction_of_busy_time(
    after: str | None, share: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = iter([BEFORE, after])

    def read(*_args: object, **_options: object) -> str:
        if (line := next(contents)) is None:
            raise FileNotFoundError
        return f"{line}\ncpu0 1 2 3 4 5 6 7 8 9 10\n"

    monkeypatch.setattr(Path, "read_text", read)
    assert Stolen().share == (None if share is None else pytest.approx(share))
