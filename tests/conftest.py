"""What holds for every test: no network, one thread, the same draws; and this folder's modules are found."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from videos import make

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The AV1 encoder writes its settings to standard error otherwise.
os.environ.setdefault("SVT_LOG", "1")

# Other numbers are drawn only when asked for, so that a test fails by what changed in the code.
SEED = os.environ.get("TEST_SEED")

LONGEST = {
    name: place
    for place, name in enumerate(
        (
            "test_power_cut.py",
            "test_kill.py",
            "test_watch_command.py",
            "test_training_runs.py",
            "test_readme.py",
            "test_mirror.py",
            "test_api.py",
            "test_bench_command.py",
            "test_lease.py",
            "test_object_storage.py",
            "test_bucket.py",
            "test_kill_points.py",
            "test_condition_properties.py",
            "test_video_properties.py",
            "test_api_connections.py",
            "test_page.py",
            "test_page_results.py",
        )
    )
}
"""Files that take more than twenty seconds. They begin first, so that all processes end at the same time."""

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("patient", deadline=None, derandomize=SEED is None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; with `--no-loadscope-reorder`, xdist keeps this order."""
    items.sort(key=lambda item: LONGEST.get(item.path.name, len(LONGEST)))


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Let torch draw the same numbers for a test each time, whatever ran before it."""
    import torch  # which reads at once how many threads it may take

    torch.manual_seed(int(SEED or 0))


@pytest.fixture(autouse=True)
def _readers_are_closed() -> Iterator[None]:
    """Fail a test that leaves a reader open, whose process would otherwise be blamed on a later test."""
    yield
    if (reader := sys.modules.get("centerclip.video.reader")) and (left := reader._SHARED._used):
        reader.stop_readers()
        for worker in left:
            worker.kill()
        pytest.fail("close every VideoReader")


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the path of a synthetic file by its name in `videos`, made once a session."""
    return partial(make, folder=tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="session")
def _storage() -> Iterator[Any]:
    """A server of buckets, which starts when the first test needs it."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3", reason="moto is not installed")
    from buckets import Storage, make_store, serve

    application = make_store()
    with serve(application) as address:
        keys = {"aws_access_key_id": "anything", "aws_secret_access_key": "anything"}
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=address, **keys)
        yield Storage(address, application, client)
        client.close()


@pytest.fixture
def storage(_storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server of buckets (`buckets.Storage`), named by the environment, without the user's own settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    for name, value in (
        ("AWS_ENDPOINT_URL", _storage.address),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "anything"),
        ("AWS_SECRET_ACCESS_KEY", "anything"),
    ):
        monkeypatch.setenv(name, value)
    return _storage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests of reliability have counted."""
    counted = [
        f"{name}: {value}"
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
    ]
    if counted:
        terminalreporter.section("counted")
        terminalreporter.write("\n".join(counted) + "\n")
