"""From names to folders. The hub's part is played by its cache on disk and by stand-ins for its client."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants, errors
from tiny_models import clip_model, clip_tokenizer

from centerclip.errors import ModelError
from centerclip.model import CenterCLIP, hub, registry
from centerclip.model.hub import find_model, is_local

NAME = "owner/clip"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with nothing in it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(cache: Path, files: Path | None = None) -> Path:
    """Put a model into the cache, laid out as huggingface_hub does it."""
    repository, commit = cache / "models--owner--clip", "0" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for path in sorted(files.iterdir()) if files else ():
        (snapshot / path.name).write_bytes(path.read_bytes())
    return snapshot


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer()).save_pretrained(
        tmp_path / "saved"
    )
    return tmp_path / "saved"


def test_a_cached_model_works_offline_and_is_the_same_model(cache: Path, saved: Path) -> None:
    assert not is_local(NAME)
    snapshot = fill(cache, saved)
    assert is_local(NAME)
    assert find_model(NAME) == snapshot
    model = CenterCLIP.from_pretrained(NAME)
    assert model.fingerprint() == CenterCLIP.from_pretrained(saved).fingerprint()
    assert model.backbone.name == NAME


def test_a_cached_model_without_weights_is_not_enough_but_for_its_tokenizer(cache: Path, saved: Path) -> None:
    snapshot = fill(cache, saved)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="can't be reached"):
        find_model(NAME)
    assert find_model(NAME, weights=False) == snapshot


@pytest.mark.usefixtures("cache")
def test_offline_the_error_tells_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE.*give the folder.*--model nano") as caught:
        CenterCLIP.from_pretrained(registry.DEFAULT_MODEL)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "weights.pt", Path("x/y")]
)
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(name: Any) -> None:
    with pytest.raises(ModelError, match="there is no model at"):
        find_model(name)


@pytest.mark.usefixtures("cache")
def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ModelError, match="is no model"):
        find_model("what is this?")


def answer(status: int, kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    return kind("no", response=SimpleNamespace(status_code=status, headers={}, request=None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (answer(404, errors.RepositoryNotFoundError), "no model owner/clip, or it is private"),
        (answer(404, errors.RevisionNotFoundError), "no model owner/clip"),
        (answer(403, errors.GatedRepoError), "gated: accept its terms"),
        (answer(503, errors.HfHubHTTPError), "can't be reached"),
        (hub.HTTPError("timed out"), r"can't be reached \(timed out\)"),
        (OSError("disk full"), "disk full"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_the_hub_answers_becomes_a_sentence(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **options: Any) -> None:
        assert options["timeout"] < 10
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(ModelError, match=message):
        find_model(NAME)


@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], "model.safetensors"),
        (["config.json", "pytorch_model.bin", "tf_model.h5"], "pytorch_model.bin"),
        (["config.json", "model-00001-of-00002.safetensors"], "model-00001-of-00002.safetensors"),
        (
            ["open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
            "open_clip_model.safetensors",
        ),
    ],
)
@pytest.mark.usefixtures("cache")
def test_only_the_files_needed_are_fetched(
    files: list[str], weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: listed)
    asked: list[str] = []

    def download(name: str, *, allow_patterns: list[str], local_files_only: bool = False, **_: Any) -> str:
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not cached")
        asked.extend(huggingface_hub.utils.filter_repo_objects(files, allow_patterns=allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_model(NAME) == tmp_path
    assert asked == [files[0], weights]


@pytest.mark.usefixtures("cache")
def test_a_repository_without_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = SimpleNamespace(siblings=[SimpleNamespace(rfilename="README.md")])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: listed)
    with pytest.raises(ModelError, match="holds no weights"):
        find_model(NAME)


def test_pushing_uploads_what_saving_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda _, *a, **k: calls.append((a, k)))

    def upload(_: Any, *, repo_id: str, folder_path: Path, commit_message: str) -> str:
        calls.append((repo_id, commit_message, sorted(path.name for path in folder_path.iterdir())))
        return "https://hub/commit"

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    model = CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer())
    assert model.push_to_hub(NAME, private=True, message="First") == "https://hub/commit"
    created, uploaded = calls
    assert created == ((NAME,), {"private": True, "exist_ok": True})
    assert uploaded[:2] == (NAME, "First")
    assert {"centerclip.json", "config.json", "model.safetensors", "tokenizer.json"} <= set(uploaded[2])


def test_pushing_offline_is_an_error_that_names_the_model() -> None:
    with pytest.raises(ModelError, match="owner/clip can't be uploaded: HF_HUB_OFFLINE"):
        CenterCLIP(clip_model()).push_to_hub(NAME)


# The registry


def test_the_registry_lists_the_default_first_and_nano_last() -> None:
    names = [model.name for model in registry.models()]
    assert names[0] == registry.DEFAULT_MODEL
    assert names[-1] == "nano"
    assert len(set(names)) == len(names) >= 8
    patches = {model.name: model.patches for model in registry.models()}
    assert patches[registry.DEFAULT_MODEL] == patches["nano"] == 49
    assert patches["openai/clip-vit-large-patch14"] == 256


def test_the_bundled_model_is_what_the_registry_says() -> None:
    model, known = CenterCLIP.from_pretrained("nano"), registry.models()[-1]
    backbone = model.backbone
    assert (backbone.blocks, backbone.patch_size, backbone.patches) == (
        known.blocks,
        known.patch_size,
        known.patches,
    )
    assert (model.image_size, model.embed_size) == ((known.image_size,) * 2, known.embed_size)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6) == known.parameters
    assert model.schedule
    embeddings = model.encode_text(["a red car drives", "A RED car drives", "", "x " * 300])
    assert embeddings.isfinite().all()
    assert torch.equal(embeddings[0], embeddings[1])


def test_nano_is_found_in_the_package_or_its_absence_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "NANO_FOLDER", tmp_path)
    assert not is_local("nano")
    with pytest.raises(ModelError, match="lacks the bundled model"):
        find_model("nano")
    (tmp_path / "config.json").write_text("{}")
    assert is_local("nano")
    assert find_model("nano") == tmp_path
