"""The estimate of how many windows a run will encode."""

from __future__ import annotations

import os
from pathlib import Path

from centerclip.index import VideoIndex
from centerclip.indexing import estimate_windows


def test_it_counts_by_size_and_at_least_one_per_file(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path / "index")
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "short.mp4").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x" * 1000)
    with (folder / "long.mp4").open("wb") as file:
        os.truncate(file.fileno(), 10 * 12 * 2_500_000)  # takes no space
    (folder / "nowhere.mp4").symlink_to(tmp_path / "missing")
    assert estimate_windows(index, [folder], 12.0) == 11
    assert estimate_windows(index, [folder], 6.0) == 21
    assert estimate_windows(index, [folder / "short.mp4"], 12.0) == 1
    assert estimate_windows(index, [folder], 12.0, retry_failed=True) == 0
