"""Finding models by name. The hub is replaced by its cache on disk and by fakes of its client."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants, errors
from tiny_models import clip_model, clip_tokenizer

from centerclip.errors import ModelError
from centerclip.model import CenterCLIP, hub, registry
from centerclip.model.hub import find_model, is_local

NAME = "owner/clip"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(cache: Path, files: Path) -> Path:
    """Put a model into the cache, in the layout of huggingface_hub."""
    repository, commit = cache / "models--owner--clip", "0" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for path in files.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    return snapshot


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer()).save_pretrained(folder)
    return folder


def test_a_cached_model_works_offline(cache: Path, saved: Path) -> None:
    assert not is_local(NAME)
    snapshot = fill(cache, saved)
    assert is_local(NAME)
    assert find_model(NAME) == snapshot
    model = CenterCLIP.from_pretrained(NAME)
    assert model.fingerprint() == CenterCLIP.from_pretrained(saved).fingerprint()
    assert model.backbone.name == NAME
    # Without weights, it is still good for its tokenizer.
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="can't be reached"):
        find_model(NAME)
    assert find_model(NAME, weights=False) == snapshot


@pytest.mark.usefixtures("cache")
def test_what_cannot_be_found_offline_is_refused_with_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE.*give the folder.*--model nano") as caught:
        CenterCLIP.from_pretrained(registry.CPU_MODEL)
    assert "\n" not in str(caught.value)
    for name in ("./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "weights.pt", Path("x/y")):
        with pytest.raises(ModelError, match="there is no model at"):
            find_model(name)
    with pytest.raises(ModelError, match="is not a model's name"):
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
def test_errors_of_the_hub_become_messages(
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
        (["config.json", "PE-Core-B16-224.pt"], "PE-Core-B16-224.pt"),
        (["open_clip_config.json", "open_clip_model.safetensors"], "open_clip_model.safetensors"),
        (["README.md"], None),
    ],
)
@pytest.mark.usefixtures("cache")
def test_only_the_necessary_files_are_downloaded(
    files: list[str], weights: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    if weights is None:
        with pytest.raises(ModelError, match="has no weights"):
            find_model(NAME)
    else:
        assert find_model(NAME) == tmp_path
        assert asked == [files[0], weights]


def test_pushing_uploads_what_saving_writes_or_names_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda _, *a, **k: calls.append((a, k)))

    has_card = False
    monkeypatch.setattr(huggingface_hub.HfApi, "file_exists", lambda _, *names: has_card)

    def upload(
        _: Any, *, repo_id: str, folder_path: Path, commit_message: str, ignore_patterns: list[str] | None
    ) -> str:
        calls.append((repo_id, commit_message, sorted(path.name for path in folder_path.iterdir())))
        card = huggingface_hub.ModelCard.load(folder_path / "README.md")
        calls.append((ignore_patterns, card.data.to_dict(), card.text))
        return "https://hub/commit"

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    model = CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer())
    assert model.push_to_hub(NAME, private=True, message="First") == "https://hub/commit"
    created, uploaded, (ignored, about, card) = calls
    assert created == ((NAME,), {"private": True, "exist_ok": True})
    assert uploaded[:2] == (NAME, "First")
    assert {"centerclip.json", "config.json", "model.safetensors", "tokenizer.json"} <= set(uploaded[2])
    assert ignored is None
    assert about == {"library_name": "centerclip", "tags": ["centerclip", "video-retrieval", "clip"]}
    for row in (
        "token schedule | `B2-3,8`",
        f"fingerprint | `{model.fingerprint()}`",
        "frames per video | 6",
    ):
        assert f"| {row} |" in card
    assert f'from_pretrained("{NAME}")' in card
    has_card = True
    model.push_to_hub(NAME)
    assert calls[-1][0] == ["README.md"]  # an edited card is kept
    monkeypatch.undo()
    with pytest.raises(ModelError, match="owner/clip can't be uploaded: HF_HUB_OFFLINE"):
        CenterCLIP(clip_model()).push_to_hub(NAME)


def test_a_missing_nano_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "NANO_FOLDER", tmp_path)
    assert not is_local("nano")
    with pytest.raises(ModelError, match="lacks the bundled model"):
        find_model("nano")
    (tmp_path / "config.json").write_text("{}")
    assert is_local("nano")
    assert find_model("nano") == tmp_path


@pytest.mark.parametrize("name", ["./" + "x" * 300, "~nobody-here/clip"])
def test_a_path_that_cannot_exist_is_no_model(name: str) -> None:
    with pytest.raises(ModelError, match="there is no model at"):
        find_model(name)
