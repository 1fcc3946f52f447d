"""The README's commands and snippets, with the bundled model and a few drawn videos."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image

from centerclip.lab.toy_world import render_toy_world

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0]
    for language, block in BLOCKS
    if language == "console"
    for line in block.splitlines()
    if line.startswith("$ centerclip")
]
SNIPPETS = [block for language, block in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with `Videos`, a picture, and a player that prints its arguments."""
    home = tmp_path_factory.mktemp("home")
    render_toy_world(home / "world", train=0, val=0, test=4, workers=1)
    shutil.copytree(home / "world" / "test", home / "Videos")
    shutil.copytree(home / "world" / "test", home / "videos")
    Image.new("RGB", (64, 48), "red").save(home / "picture.jpg")
    (home / "bin").mkdir()
    (home / "bin" / "mpv").write_text('#!/bin/sh\necho "playing $@"\n')
    (home / "bin" / "mpv").chmod(0o755)
    return home


@pytest.fixture(scope="module")
def shell(home: Path) -> dict[str, str]:
    """The environment of a shell in that home, with nano instead of a model from the hub."""
    path = os.pathsep.join([str(home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PATH": path,
            "CENTERCLIP_MODEL": "nano"}  # fmt: skip


def test_the_commands_work_in_their_order(home: Path, shell: dict[str, str]) -> None:
    assert len(COMMANDS) >= 4
    assert {"$ make demo", "$ make test"} <= {line.split("  ")[0] for line in README.splitlines()}
    printed = {}
    for command in COMMANDS:
        if command.split()[1] in ("demo", "serve"):  # they have their own tests
            continue
        shown = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(shown, cwd=home, env=shell, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        printed[command] = done.stdout
    plain = next(out for command, out in printed.items() if "frisbee" in command)
    assert str(home / "Videos") in plain
    assert any("playing" in out for command, out in printed.items() if "mpv" in command)


def test_the_reduction_of_an_own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def small(name: str) -> transformers.CLIPModel:
        assert name.startswith("openai/clip-vit-base-patch32")
        tower = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
        vision = {**tower, "num_hidden_layers": 12, "image_size": 224, "patch_size": 32}
        text = {**tower, "num_hidden_layers": 1, "vocab_size": 50, "bos_token_id": 48, "eos_token_id": 49}
        return transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text)).eval()

    monkeypatch.setattr(transformers.CLIPModel, "from_pretrained", small)
    names = {"frames": torch.randint(0, 256, (1, 12, 3, 224, 224), dtype=torch.uint8)}
    exec(SNIPPETS[0].replace("model.encode_video", "video = model.encode_video"), names)
    assert names["video"].shape == (1, 512)


def test_index_and_search_from_python(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    exec("import centerclip as cc\n" + SNIPPETS[1], {})
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith(" indexed") for line in lines) == 4
    assert 1 <= sum(line.startswith(str(home / "videos")) for line in lines) <= 3  # the hits
