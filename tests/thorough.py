"""How much a test tries: a sample by default, everything with THOROUGH=1 (`make reliability`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

THOROUGH = os.environ.get("THOROUGH", "") not in ("", "0")

_T = TypeVar("_T")


def sample(everything: Sequence[_T], size: int) -> list[_T]:
    """Return all of a sequence if thorough, otherwise the same `size` elements spread over it."""
    if THOROUGH or len(everything) <= size:
        return list(everything)
    rng = np.random.default_rng(int(os.environ.get("TEST_SEED") or 0))
    bounds = np.linspace(0, len(everything), size + 1).astype(int)
    return [everything[int(rng.integers(start, end))] for start, end in pairwise(bounds)]
