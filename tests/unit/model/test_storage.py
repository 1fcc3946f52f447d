"""Saving and loading: nothing is lost, `transformers` opens the result, and fingerprints are stable."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import clip_model, clip_tokenizer, siglip_model, word_tokenizer
from transformers import AutoProcessor, AutoTokenizer, CLIPModel, CLIPProcessor, CLIPTokenizer, SiglipModel

from centerclip.clustering import parse_reducer
from centerclip.clustering.reducers.clustered import Spectral
from centerclip.errors import CheckpointError, ConfigError, ModelError, ScheduleError
from centerclip.model import CenterCLIP, Preprocessing, make_backbone

FRAMES = torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A CLIP saved with a schedule."""
    reducer = "kmedoids(metric=cosine)"
    model = CenterCLIP(clip_model(), "B2-3,8", reducer=reducer, frames=6, tokenizer=clip_tokenizer())
    model.save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


@pytest.mark.parametrize(
    ("make", "tokenizer"),
    [(clip_model, clip_tokenizer()), (siglip_model, word_tokenizer())],
    ids=["clip", "siglip"],
)
def test_a_saved_model_comes_back_whole(make: Any, tokenizer: Any, tmp_path: Path) -> None:
    preprocessing = Preprocessing(
        (16, 16), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), interpolation="bilinear", shortest_edge=20
    )
    backbone = make_backbone(make(), tokenizer, preprocessing=preprocessing)
    model = CenterCLIP(backbone, "B1-3,8;B3-2,6", reducer="sample", frames=6)
    model.save_pretrained(tmp_path / "new" / "folder")
    again = CenterCLIP.from_pretrained(tmp_path / "new" / "folder")
    assert (str(again.schedule), again.reducer, again.frames) == ("B1-3,8;B3-2,6", parse_reducer("sample"), 6)
    assert again.backbone.preprocessing == preprocessing
    assert again.fingerprint() == model.fingerprint()
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again.encode_video(FRAMES), model.encode_video(FRAMES))
        # Weights read from a file have another memory layout, which changes rounding on some processors.
        torch.testing.assert_close(again.encode_text(["a red car"]), model.encode_text(["a red car"]))


def test_transformers_opens_a_saved_model(saved: Path, tmp_path: Path) -> None:
    hf = CLIPModel.from_pretrained(saved)
    model = CenterCLIP.from_pretrained(saved, schedule="none")
    processor = CLIPProcessor.from_pretrained(saved)
    assert isinstance(AutoProcessor.from_pretrained(saved), CLIPProcessor)
    assert isinstance(AutoTokenizer.from_pretrained(saved), CLIPTokenizer)
    frame = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    batch = processor(text=["a car"], images=[frame], return_tensors="pt", padding=True)
    with torch.no_grad():
        image = hf.get_image_features(pixel_values=batch["pixel_values"]).pooler_output
        own = model.encode_video(model.preprocess(frame[None, None]))
        torch.testing.assert_close(own, torch.nn.functional.normalize(image, dim=-1), rtol=1e-4, atol=1e-4)
        text = hf.get_text_features(batch["input_ids"], batch["attention_mask"]).pooler_output
        torch.testing.assert_close(model.encode_text(["a car"]), torch.nn.functional.normalize(text, dim=-1))
    CenterCLIP(siglip_model(), tokenizer=word_tokenizer()).save_pretrained(tmp_path / "siglip")
    assert isinstance(SiglipModel.from_pretrained(tmp_path / "siglip"), SiglipModel)
    assert AutoTokenizer.from_pretrained(tmp_path / "siglip")("a car")["input_ids"] == [1, 4, 7, 2]


def test_arguments_override_what_was_saved(saved: Path) -> None:
    model = CenterCLIP.from_pretrained(saved, schedule="B1-4,8", reducer="pool", frames=8)
    assert (str(model.schedule), model.reducer, model.frames) == ("B1-4,8", parse_reducer("pool"), 8)
    assert CenterCLIP.from_pretrained(saved, dtype=torch.bfloat16).logit_scale.dtype == torch.bfloat16
    with pytest.raises(ScheduleError, match="B2-3,8"):
        CenterCLIP.from_pretrained(saved, frames=2)


def test_a_folder_of_transformers_gets_the_default_schedule(tmp_path: Path) -> None:
    clip_model().save_pretrained(tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path)
    assert (str(model.schedule), model.frames) == ("B2-4,16", 12)
    assert model.reducer == parse_reducer("kmedoids(weighted=true)")
    model.save_pretrained(tmp_path / "saved")
    assert CenterCLIP.from_pretrained(tmp_path / "saved").reducer == model.reducer
    with pytest.raises(ModelError, match="no tokenizer"):
        model.encode_text(["a car"])
    tokenizer = tmp_path / "tokenizer"
    clip_tokenizer().save_pretrained(tokenizer)
    assert CenterCLIP.from_pretrained(tmp_path, tokenizer=tokenizer).encode_text(["a car"]).shape == (1, 24)


def test_a_tokenizer_of_two_files_is_read(saved: Path) -> None:
    vocabulary = json.loads((saved / "tokenizer.json").read_text())["model"]["vocab"]
    expected = CenterCLIP.from_pretrained(saved).backbone.tokenize(["A car, red!"])["input_ids"]
    (saved / "tokenizer.json").unlink()
    (saved / "vocab.json").write_text(json.dumps(vocabulary))
    (saved / "merges.txt").write_text("#version: 0.2\n")
    found = CenterCLIP.from_pretrained(saved).backbone.tokenize(["A car, red!"])["input_ids"]
    assert torch.equal(found, expected)


OWN = """
from dataclasses import dataclass
import torch
from centerclip.clustering import Reducer
from centerclip.model import CLIPBackbone

@dataclass(frozen=True)
class First(Reducer):
    skip: int = 0

    def choose(self, tokens, k):
        return (torch.arange(k) + self.skip).expand(len(tokens.x), -1)

class Louder(CLIPBackbone):
    def __init__(self, model, tokenizer=None, *, preprocessing=None, by=1.0):
        super().__init__(model, tokenizer, preprocessing=preprocessing)
        self.by = by

    def block(self, index, tokens):
        return super().block(index, tokens.with_(patches=tokens.patches * self.by))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an importable module `own_parts`."""
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)
    return tmp_path


@torch.no_grad()
def test_custom_reducers_and_backbones_are_saved_by_name(saved: Path, own: Path) -> None:
    plain = CenterCLIP.from_pretrained(saved)
    model = CenterCLIP.from_pretrained(
        saved, backbone="own_parts:Louder(by=3)", reducer="own_parts:First(skip=2)"
    )
    assert model.reducer.label == "own_parts:First(skip=2)"
    quiet = plain.with_(reducer=model.reducer)
    assert not torch.allclose(model.encode_video(FRAMES), quiet.encode_video(FRAMES))
    model.save_pretrained(own / "folder")
    content = json.loads((own / "folder" / "centerclip.json").read_text())
    assert content["reducer"] == {"name": "own_parts:First", "skip": 2}
    assert content["backbone"] == {"name": "own_parts:Louder", "by": 3}
    again = CenterCLIP.from_pretrained(own / "folder")
    assert copy.deepcopy(again).backbone.options == again.backbone.options == {"by": 3}
    assert (again.backbone.by, again.reducer) == (3, model.reducer)
    assert again.fingerprint() == model.fingerprint()
    assert torch.equal(again.encode_video(FRAMES), model.encode_video(FRAMES))
    other = CenterCLIP.from_pretrained(own / "folder", backbone="own_parts:Louder(by=2)")
    assert len({each.fingerprint() for each in (plain, quiet, model, other)}) == 4


def test_missing_and_invalid_custom_parts_are_named(saved: Path, own: Path) -> None:
    model = CenterCLIP.from_pretrained(saved, backbone="own_parts:Louder", reducer="own_parts:First")
    model.save_pretrained(own / "folder")
    del sys.modules["own_parts"]
    (own / "own_parts.py").write_text(OWN.replace("Louder", "Quieter"))
    with pytest.raises(ModelError, match=r"folder names a backbone that can't be used: .*own_parts:Louder"):
        CenterCLIP.from_pretrained(own / "folder")
    del sys.modules["own_parts"]
    (own / "own_parts.py").write_text(OWN.replace("class First", "class Last"))
    with pytest.raises(
        ModelError, match=r"folder names a reducer .*own_parts:First can't be .*to PYTHONPATH"
    ):
        CenterCLIP.from_pretrained(own / "folder")
    assert CenterCLIP.from_pretrained(own / "folder", reducer="pool").reducer.name == "pool"
    with pytest.raises(ModelError, match="can't be loaded by Louder with {'loud': 3}"):
        CenterCLIP.from_pretrained(saved, backbone="own_parts:Louder(loud=3)")
    with pytest.raises(ConfigError, match="backbone own_parts:Last is not a subclass of Backbone"):
        CenterCLIP.from_pretrained(saved, backbone="own_parts:Last")
    with pytest.raises(ModelError, match="leave activation"):
        CenterCLIP.from_pretrained(saved, backbone="own_parts:Louder", activation="gelu")


def test_the_fingerprint_does_not_depend_on_dtype_or_loading(saved: Path) -> None:
    model = CenterCLIP.from_pretrained(saved)
    fingerprint = model.fingerprint()
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    assert CenterCLIP.from_pretrained(saved, dtype=torch.bfloat16).fingerprint() == fingerprint
    assert model.bfloat16().fingerprint() == fingerprint
    built = CenterCLIP(clip_model(), "B2-3,8", reducer="kmedoids(metric=cosine)", frames=6)
    assert built.fingerprint() == fingerprint
    plain = built.with_(schedule="none")  # which doesn't use its reducer
    assert plain.fingerprint() == plain.with_(reducer="pool").fingerprint()


def test_the_fingerprint_changes_with_everything_that_changes_embeddings(saved: Path) -> None:
    model = CenterCLIP.from_pretrained(saved)
    preprocessing: tuple[dict[str, Any], ...] = (
        *({"std": (1.0, 1.0, 1.0)}, {"resize": "squash"}, {"shortest_edge": 20}),
        *({"interpolation": "bilinear"}, {"antialias": False}),
    )
    others = [
        *(model.with_(schedule=schedule) for schedule in ("B2-3,9", "none")),
        model.with_(reducer="kmedoids"),
        model.with_(frames=9),
        *(
            CenterCLIP(make_backbone(model.backbone.model, preprocessing=Preprocessing((16, 16), **changes)))
            for changes in preprocessing
        ),
        CenterCLIP(clip_model(vision={"hidden_act": "gelu"})),
        CenterCLIP(clip_model(seed=1)),
    ]
    fingerprints = {each.fingerprint() for each in (model, *others)}
    assert len(fingerprints) == 1 + len(others)
    with torch.no_grad():
        model.backbone.model.visual_projection.weight[3, 4] += 0.1  # noticed although the result is cached
    assert model.fingerprint() not in fingerprints


def test_a_reducer_that_now_keeps_other_tokens_has_another_fingerprint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprint(reducer: str, schedule: str = "B2-3,4") -> str:
        return CenterCLIP.from_pretrained(saved).with_(schedule=schedule, reducer=reducer).fingerprint()

    changed, same = "spectral(graph=knn)", ("spectral", "spectral(graph=knn, neighbors=3)")
    now = [fingerprint(reducer) for reducer in same]
    plain, revised = fingerprint(changed, "none"), fingerprint(changed)
    monkeypatch.setattr(Spectral, "revision", 0)
    assert [fingerprint(reducer) for reducer in same] == now
    assert fingerprint(changed, "none") == plain
    assert fingerprint(changed) != revised


def test_folders_without_a_model_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        CenterCLIP.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    with pytest.raises(ModelError, match="SigLIP 2 NaFlex: .*choose a SigLIP 2 of fixed resolution"):
        CenterCLIP.from_pretrained(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ModelError, match=r"config\.json"):
            CenterCLIP.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="leave activation"):
        CenterCLIP.from_pretrained(saved, activation="gelu")


def test_damaged_settings_and_those_of_another_version_are_refused(saved: Path) -> None:
    path = saved / "centerclip.json"
    content = json.loads(path.read_text())
    assert content == {
        "format_version": 1,
        "schedule": "B2-3,8",
        "reducer": {"name": "kmedoids", "metric": "cosine", "max_iter": 100},
        "frames": 6,
    }
    for changes, message in (({"format_version": 3}, "format 3"), ({"more": 1}, "damaged")):
        path.write_text(json.dumps(content | changes))
        with pytest.raises(ModelError, match=message):
            CenterCLIP.from_pretrained(saved)


def test_missing_unexpected_and_damaged_weights_are_refused(saved: Path) -> None:
    path = saved / "model.safetensors"
    weights = load_file(path)
    removed = {name: tensor.clone() for name, tensor in weights.items() if name != "logit_scale"}
    changes = (
        (removed, "lack logit_scale"),
        ({**weights, "visual_extra": torch.zeros(2)}, "contain unknown visual_extra"),
        ({**weights, "visual_projection.weight": torch.zeros(3, 3)}, "can't be read"),
    )
    for changed, message in changes:
        save_file(changed, path, metadata={"format": "pt"})
        with pytest.raises(CheckpointError, match=message):
            CenterCLIP.from_pretrained(saved)
    for damage, message in (
        (lambda: path.write_bytes(b"nonsense"), "can't be read"),
        (path.unlink, "no weights"),
    ):
        damage()
        with pytest.raises(CheckpointError, match=message):
            CenterCLIP.from_pretrained(saved)


def test_damaged_tokenizers_and_preprocessing_are_refused(saved: Path) -> None:
    kept = (saved / "preprocessor_config.json").read_text()
    for content in ("{", "[]", '{"image_mean": [1, 2]}', '{"resample": 9}'):
        (saved / "preprocessor_config.json").write_text(content)
        with pytest.raises(ModelError, match="preprocessor_config"):
            CenterCLIP.from_pretrained(saved)
    (saved / "preprocessor_config.json").write_text(kept)
    (saved / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="tokenizer"):
        CenterCLIP.from_pretrained(saved)


def test_loading_and_saving_print_nothing(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    CenterCLIP.from_pretrained(saved).save_pretrained(saved.with_name("again"))
    with pytest.raises(ModelError, match="can't be saved to .*config.json"):
        CenterCLIP(clip_model()).save_pretrained(saved / "config.json")
    assert capfd.readouterr() == ("", "")
