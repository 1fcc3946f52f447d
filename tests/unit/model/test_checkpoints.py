"""Checkpoints of other projects, built here from known weights in each project's layout."""

import json
import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from broken_models import open_clip_config
from openai_layout import TOWERS, known_model, openai_names, prefixed
from safetensors.torch import save_file
from tiny_models import clip_model, clip_tokenizer
from torch import Tensor, nn

from centerclip.errors import CheckpointError, ModelError
from centerclip.model import CenterCLIP
from centerclip.model.checkpoints import read_checkpoint
from centerclip.preprocessing import Preprocessing


class Tree(nn.Module):
    """A module with parameters and buffers of given names, to make a TorchScript archive."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        children: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            first, _, rest = name.partition(".")
            if rest:
                children.setdefault(first, {})[rest] = tensor
            elif tensor.is_floating_point():
                self.register_parameter(first, nn.Parameter(tensor))
            else:
                self.register_buffer(first, tensor)
        for name, below in children.items():
            self.add_module(name, Tree(below))

    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def save_archive(tensors: dict[str, Tensor], path: Path, *, traced: bool) -> None:
    with warnings.catch_warnings():  # TorchScript is deprecated, but OpenAI's files use it
        warnings.simplefilter("ignore")
        tree = Tree(tensors)
        module = torch.jit.trace(tree, torch.zeros(1)) if traced else torch.jit.script(tree)
        torch.jit.save(module, str(path))


NUMBERS = {
    "input_resolution": torch.tensor(16),
    "context_length": torch.tensor(12),
    "vocab_size": torch.tensor(514),
}


def assert_same(read: Any, known: Any) -> None:
    """The same weights, and the same computation."""
    expected = known.state_dict()
    assert read.state_dict().keys() == expected.keys()
    for name, tensor in read.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
    pixels, ids = torch.randn(2, 3, 16, 16), torch.tensor([[512, 5, 6, 513], [512, 7, 513, 513]])
    with torch.no_grad():
        for ours, theirs in (
            (read.get_image_features(pixels), known.get_image_features(pixels)),
            (read.get_text_features(ids), known.get_text_features(ids)),
        ):
            torch.testing.assert_close(ours.pooler_output, theirs.pooler_output)


@pytest.mark.parametrize("layout", ["traced", "scripted", "half", "state dict"])
def test_openais_checkpoints_are_read_without_running_them(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, path = known_model(), tmp_path / "ViT.pt"
    tensors = {**openai_names(known.half() if layout == "half" else known), **NUMBERS}
    if layout == "state dict":  # recognized by its numbers
        torch.save(tensors, path)
    else:
        mask = {
            "transformer.resblocks.0.attn_mask": torch.full((12, 12), -1)
        }  # an attribute in some archives
        save_archive({**tensors, **mask}, path, traced=layout != "scripted")
    monkeypatch.setattr(torch.jit, "load", None)
    assert_same(read_checkpoint(path), known.float())


@pytest.mark.parametrize("prefix", ["clip.", "module.clip."])
@pytest.mark.parametrize("layout", ["plain", "nested", "old format"])
def test_clip4clip_and_centerclip_checkpoints_are_read(prefix: str, layout: str, tmp_path: Path) -> None:
    known, path = known_model(), tmp_path / "pytorch_model.bin.4"
    content = prefixed(openai_names(known), prefix)
    if layout == "nested":
        content = {"epoch": 4, "state_dict": content, "optimizer": {"state": {}}}
    torch.save(content, path, _use_new_zipfile_serialization=layout != "old format")
    assert_same(read_checkpoint(path), known)


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("custom_text", [False, True])
def test_open_clip_is_read_with_gelu(suffix: str, custom_text: bool, tmp_path: Path) -> None:
    known = known_model("gelu")
    weights = openai_names(known)
    if custom_text:
        weights = {n if n.startswith(("visual.", "logit")) else f"text.{n}": t for n, t in weights.items()}
    path = tmp_path / f"open_clip_pytorch_model{suffix}"
    (torch.save if suffix == ".bin" else save_file)(weights, path)
    assert_same(read_checkpoint(path), known)
    assert read_checkpoint(path, activation="quick_gelu").config.vision_config.hidden_act == "quick_gelu"


def test_an_open_clip_folder_is_a_model(tmp_path: Path) -> None:
    known = clip_model(vision={**TOWERS, "num_attention_heads": 4}, text={**TOWERS, "num_attention_heads": 2})
    save_file(openai_names(known), tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(open_clip_config()))
    clip_tokenizer().save_pretrained(tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path)
    assert_same(model.backbone.model, known)
    assert model.preprocessing == Preprocessing(
        (16, 16), mean=(0.5, 0.5, 0.5), std=(0.1, 0.2, 0.3), interpolation="bilinear", resize="squash"
    )
    assert str(model.schedule) == "B2-4,16"
    assert model.encode_text(["a car"]).shape == (1, 24)
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        CenterCLIP.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (open_clip_config(text_cfg={"no_causal_mask": True}), r"text_cfg\.no_causal_mask"),
        (open_clip_config(custom_thing=1), "sets custom_thing"),
        (open_clip_config() | {"preprocess_cfg": {"resize_mode": "longest"}}, "'longest'.*never padded"),
        (open_clip_config() | {"preprocess_cfg": {"interpolation": "area"}}, "must be one of nearest"),
        ({"model_cfg": {}}, "can't be read"),
        ([], "isn't a JSON object"),
    ],
)
def test_unsupported_open_clip_settings_are_refused(config: Any, message: str, tmp_path: Path) -> None:
    torch.save(openai_names(known_model()), tmp_path / "open_clip_pytorch_model.bin")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "open_clip_pytorch_model.bin")


def test_a_checkpoint_file_uses_the_tokenizer_in_its_folder_or_the_one_given(tmp_path: Path) -> None:
    torch.save(prefixed(openai_names(known_model()), "clip."), tmp_path / "a.bin")
    with pytest.raises(ModelError, match=r"vocabulary of 514.*tokenizer=FOLDER"):
        CenterCLIP.from_pretrained(tmp_path / "a.bin")
    clip_tokenizer().save_pretrained(tmp_path / "tokenizer")
    given = CenterCLIP.from_pretrained(str(tmp_path / "a.bin"), tokenizer=str(tmp_path / "tokenizer"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "tokenizer" / name).rename(tmp_path / name)
    beside = CenterCLIP.from_pretrained(tmp_path / "a.bin")
    assert given.fingerprint() == beside.fingerprint()
    with torch.no_grad():
        assert torch.equal(given.encode_text(["a red car"]), beside.encode_text(["a red car"]))
    beside.save_pretrained(tmp_path / "saved")
    assert CenterCLIP.from_pretrained(tmp_path / "saved").fingerprint() == beside.fingerprint()


def test_without_clips_tokenizer_the_error_names_it(tmp_path: Path) -> None:
    model = clip_model(
        vision=TOWERS, text={**TOWERS, "vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407}
    )
    torch.save(openai_names(model), tmp_path / "a.bin")
    with pytest.raises(ModelError, match=r"needs CLIP's tokenizer.*tokenizer=FOLDER"):
        CenterCLIP.from_pretrained(tmp_path / "a.bin")


def changed(name: str, tensor: Tensor | None) -> dict[str, Tensor]:
    tensors = openai_names(known_model())
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    return tensors


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (changed("ln_final.bias", None), "ln_final.bias is missing"),
        (changed("visual.conv1.weight", None), "visual.conv1.weight is missing"),
        (changed("visual.transformer.resblocks.1.ln_1.bias", None), "resblocks.1.ln_1.bias is missing"),
        (changed("visual.extra", torch.zeros(1)), "visual.extra isn't part"),
        (changed("ln_final.bias", torch.zeros(3)), "ln_final.bias has the shape (3,), but must have (64,)"),
        (changed("visual.conv1.weight", torch.zeros(64, 3, 1, 4, 4)), "must have 4 dimensions"),
        (changed("visual.positional_embedding", torch.zeros(16, 64)), "16 rows, but must have 1 + a square"),
        (changed("visual.conv1.weight", torch.zeros(50, 3, 4, 4)), "50 wide"),
        (prefixed(changed("x", torch.zeros(1)), "clip."), "x isn't part"),
        (
            {**prefixed(openai_names(known_model()), "clip."), "transformerClip.x": torch.zeros(1)},
            "transformerClip.x, part of a head over the frames",
        ),
        (known_model().state_dict(), "weights file of transformers"),
    ],
)
def test_wrong_names_and_shapes_are_refused(tensors: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read_checkpoint(tmp_path / "a.pt")


class Evil:
    """Runs a command when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("layout", ["pickle", "torch", "torchscript"])
def test_a_file_that_would_run_code_is_refused_and_not_run(layout: str, tmp_path: Path) -> None:
    path, target = tmp_path / "a.pt", tmp_path / "was-run"
    content = {**openai_names(known_model()), "x": Evil(target)}
    if layout == "pickle":
        path.write_bytes(pickle.dumps(Evil(target), protocol=2))
    elif layout == "torch":
        torch.save(content, path)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/constants.pkl", pickle.dumps(()))
            archive.writestr("a/data.pkl", pickle.dumps(Evil(target), protocol=2))
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    assert not target.exists()
    if layout == "pickle":  # the file really is dangerous
        pickle.loads(path.read_bytes())
        assert target.exists()


def test_an_archive_cannot_read_beyond_its_storages(tmp_path: Path) -> None:
    save_archive(openai_names(known_model()), tmp_path / "whole.pt", traced=True)
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for info in whole.infolist():
            content = whole.read(info)
            cut.writestr(info.filename, content[:8] if info.filename.endswith("/data/0") else content)
    with pytest.raises(CheckpointError, match="is it complete"):
        read_checkpoint(tmp_path / "cut.pt")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_damaged_files_are_refused(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} .*: download it again") as caught:
        read_checkpoint(tmp_path / name)
    assert "EOFError" not in str(caught.value)  # the name of a class says nothing to a user


def test_files_without_weights_and_unknown_activations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="choose gelu or quick_gelu"):
        read_checkpoint(tmp_path / "a.pt", activation="relu")
    for content in ([1, 2], {"epoch": 1}, {}):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(CheckpointError, match="has no weights"):
            read_checkpoint(tmp_path / "a.pt")
