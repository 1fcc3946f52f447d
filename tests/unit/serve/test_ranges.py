"""Ranges of a video at an address that browsers ask for."""

from __future__ import annotations

import pytest
from fastapi import HTTPException

from centerclip.serve.streaming import _asked


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=1-2,4-5", None),
        ("bytes=-", None),
        ("seconds=1-2", None),
        (f"bytes=0-{'9' * 5000}", None),  # no number to Python
    ],
)
def test_ranges(header: str, expected: tuple[int, int] | None) -> None:
    assert _asked(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-4", "bytes=-0"])
def test_ranges_that_the_file_has_not(header: str) -> None:
    with pytest.raises(HTTPException, match="416"):
        _asked(header, 10)
