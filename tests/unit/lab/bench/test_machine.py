"""CPU time that a host takes away, as Linux reports it."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from centerclip.lab.bench.machine import Stolen

#         user nice system idle waiting irq soft stolen guest guest_nice
BEFORE = "cpu  1000 10 100 5000 70 3 4 50 0 0"
AFTER = "cpu  1060 10 120 9000 90 3 4 70 0 0"


@pytest.mark.parametrize(("after", "share"), [(AFTER, 20 / (60 + 20 + 20)), (BEFORE, 0)])
def test_stolen_time_is_a_fraction_of_busy_time(
    after: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [f"{line}\ncpu0 1 2 3 4 5 6 7 8 9 10\n" for line in (BEFORE, after)]
    monkeypatch.setattr(Path, "read_text", Mock(side_effect=contents))
    assert Stolen().share == pytest.approx(share)


def test_other_systems_do_not_report_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", Mock(side_effect=FileNotFoundError))
    assert Stolen().share is None
