"""Whatever a model's files contain, loading ends in one line that names the file, in little memory."""

from __future__ import annotations

import json
import resource
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from breaking import Evil
from broken_models import KINDS, break_model, good_model

from centerclip.cli import main
from centerclip.errors import ModelError
from centerclip.model import CenterCLIP
from centerclip.model.text import TextTower

_ROOM_BYTES = 2 << 30
"""What loading a model of 300 kB may take, including the libraries that it imports."""


@pytest.fixture
def little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let allocations fail instead of filling the machine, and work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for layout in ("clip", "siglip", "open_clip", "file"):
        good_model(layout)
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + _ROOM_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_model_is_one_error_that_names_it(kind: str, tmp_path: Path) -> None:
    path = break_model(kind, tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        CenterCLIP.from_pretrained(path)
    message = str(caught.value)
    assert str(tmp_path / "model") in message
    assert "\n" not in message
    assert len(message) < 600
    assert ": " in message.removeprefix(str(path))  # the remedy
    assert "weights_only" not in message  # advice to load the file without protection
    assert "fit into memory" not in message
    assert not (tmp_path / "was-run").exists()
    with suppress(ModelError):  # or the damage is elsewhere
        tower = TextTower(tmp_path / "model")
        assert np.isfinite(tower.encode_text(["a red car"])).all()


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    "kind",
    [
        "clip: config.json vision_config num_hidden_layers 1000000",
        "clip: config.json a pipe",
        "clip: model.safetensors header of 9223372036854775808 bytes",
        "clip: pytorch_model.bin runs code",
        "clip: tokenizer.json panics when read",
        "siglip: tokenizer.json panics at work",
        "open_clip: open_clip_config.json heads 65",
        "file: a.pt bomb",
    ],
)
def test_the_command_line_says_it_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = break_model(kind, tmp_path / "model")
    (tmp_path / "a.mp4").write_bytes(b"not decoded")
    assert main(["index", str(tmp_path / "a.mp4"), "--model", str(path), "--index", str(tmp_path / "i")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert str(tmp_path / "model") in err


def test_the_kinds_run_code_where_nothing_protects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(Evil(), "evil.pt")
        torch.load("evil.pt", weights_only=False)
    assert (tmp_path / "was-run").exists()


def test_a_tokenizer_brings_no_code(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    break_model("siglip: tokenizer.json cut", folder)
    (folder / "tokenizer.json").write_text((good_model("siglip") / "tokenizer.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["auto_map"] = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise AssertionError('was run')")
    CenterCLIP.from_pretrained(folder).encode_text(["a red car"])


def test_a_tokenizer_that_panics_later_fails_the_sentence_alone(tmp_path: Path) -> None:
    class Panics:
        def __call__(self, *args: object, **options: object) -> None:
            raise PanicException("index out of bounds")

    model = CenterCLIP.from_pretrained(good_model("clip"))
    model.backbone.tokenizer = Panics()
    with pytest.raises(ModelError, match="index out of bounds.*use the tokenizer saved with the model"):
        model.encode_text(["a red car"])


class PanicException(BaseException):
    """Named as the class that Rust code raises."""
