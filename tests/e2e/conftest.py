"""A tiny random model, a folder of videos, an index of it, and a way to run commands.

Most commands run in the test process, which has loaded torch already. Tests of terminals, pipes and signals
start their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browsing import DESKTOP, Open, Visit, open_browser
from command_line import Done, Run
from page_server import draw_library, serving
from playwright.sync_api import Browser
from serving import fill
from tiny_models import clip_model, clip_tokenizer
from videos import make_audio, make_video

from centerclip.cli import main
from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty folder, with piped output and without the user's data and settings."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("CENTERCLIP_INDEX", "CENTERCLIP_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TRANSFORMERS_VERBOSITY", "TRANSFORMERS_NO_ADVISORY_WARNINGS", "HF_HUB_VERBOSITY"):
        monkeypatch.setenv(name, "")  # so that the command's changes are undone after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")

    def run(*args: str | Path) -> Done:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with its own schedule."""
    folder = tmp_path_factory.mktemp("model")
    CenterCLIP(clip_model(), "B2-4,16", tokenizer=clip_tokenizer()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos in folders, one with three windows and one with an unusual name."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "Ferien 2024" / "京都").mkdir(parents=True)
    make_video(folder / "blue.mp4", frames=20, draw=flat(0, 0, 255))
    make_video(folder / "Ferien 2024" / "long one.mp4", frames=150, rate=5, draw=flat(200, 0, 0))
    make_video(folder / "Ferien 2024" / "京都" / "金閣寺 – „gold“.mp4", frames=20, draw=flat(250, 200, 0))
    return folder


def flat(*color: int) -> Callable[[int], np.ndarray]:
    """Draw pictures of one color with a moving stripe."""

    def draw(number: int) -> np.ndarray:
        drawn = np.empty((48, 64, 3), np.uint8)
        drawn[:] = color
        drawn[:, (2 * number) % 60 : (2 * number) % 60 + 4] = 255
        return drawn

    return draw


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Path:
    """Four files that only look like videos, and one video."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "text.mp4").write_text("my notes\n", encoding="utf-8")
    (folder / "empty.mov").touch()
    (folder / "cut.mp4").write_bytes((footage / "blue.mp4").read_bytes()[:2000])
    make_audio(folder / "song.mp4")
    shutil.copy(footage / "blue.mp4", folder / "good.mp4")
    return folder


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, model: Path, footage: Path) -> Path:
    """An index of the footage, created by the command."""
    place = tmp_path_factory.mktemp("index") / "index"
    assert main(["index", str(footage), "--index", str(place), "--model", str(model)]) == 0
    return place


@pytest.fixture(scope="session")
def encoder() -> VideoEncoder:
    """The bundled model."""
    return VideoEncoder(CenterCLIP.from_pretrained("nano"), name="nano", device="cpu", workers=1)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn library of `page_server`."""
    return draw_library(tmp_path_factory.mktemp("library") / "videos")


@pytest.fixture(scope="module")
def address(encoder: VideoEncoder, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the drawn library."""
    folder = tmp_path_factory.mktemp("page")
    index = VideoIndex(folder / "index")
    fill(encoder, index, library)
    with serving(index, encoder, cache_folder=folder / "cache", folders=(library,)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open an address in a new tab, which must close without errors and without requests to other hosts."""
    visits: list[Visit] = []

    def visit(address: str, **options: object) -> Visit:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(20_000)
        opened = Visit(context.new_page(), urlsplit(address).netloc)
        opened.watch()
        visits.append(opened)
        opened.page.goto(address)
        return opened

    yield visit
    for opened in visits:
        opened.page.context.close()
        opened.check()
