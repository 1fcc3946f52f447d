"""What the studies of toy size share."""

from __future__ import annotations

from pathlib import Path

import pytest

from centerclip.lab.bench.subjects import random_subject


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model to start from, which also receives the toy world and the cache."""
    folder = tmp_path_factory.mktemp("shared")
    random_subject("tiny").model.with_(schedule="none", frames=4).save_pretrained(folder / "start")
    return folder
