"""What holds for every test: no network, one thread, and the modules of this folder can be imported."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from videos import make

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The AV1 encoder writes its settings to standard error otherwise.
os.environ.setdefault("SVT_LOG", "1")

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the path of a synthetic file by its name in `videos`, made once a session."""
    return partial(make, folder=tmp_path_factory.mktemp("videos"))
