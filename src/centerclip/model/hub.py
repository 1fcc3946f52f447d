"""Finds models: the bundled one, local paths, the hub's cache, and the hub itself."""

import os
from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
from huggingface_hub import errors, try_to_load_from_cache
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # the HTTP client's own base error

from centerclip.errors import ModelError
from centerclip.model.registry import NANO_FOLDER, OPEN_CLIP_CONFIG, TEMPORAL_FILE

__all__ = [
    "CARD_FILE",
    "OPEN_CLIP_WEIGHTS",
    "PE_CORE_WEIGHTS",
    "TOKENIZER_FILES",
    "find_model",
    "is_local",
    "upload_folder",
]

_TIMEOUT_SECONDS = 5.0
CARD_FILE = "README.md"
TOKENIZER_FILES = (
    *("tokenizer.json", "vocab.json", "vocab.txt"),
    *("spiece.model", "tokenizer.model", "sentencepiece.bpe.model"),
)
_SMALL_FILES = ["*.json", "merges.txt", *TOKENIZER_FILES, TEMPORAL_FILE]
# In order of preference. Pickled files are read by torch's restricted unpickler.
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
PE_CORE_WEIGHTS = "PE-Core-*.pt"
"""The only file of the official PE-Core models, named like its repository."""
_ELSEWHERE = "give the folder of a downloaded model, or --model nano for the small bundled one"


def find_model(name: str | Path, *, revision: str | None = None, weights: bool = True) -> Path:
    """Find a model's folder or file, and download it if necessary.

    A fully cached model is used without contacting the hub, so it never changes and works offline. Give a
    `revision` to get another version.

    Args:
        name: `nano`, a folder, a checkpoint file, or a hub name such as `openai/clip-vit-base-patch32`.
        revision: branch, tag or commit on the hub.
        weights: whether the weights are needed, or only configuration and tokenizer.

    Raises:
        ModelError: the model doesn't exist, or the hub can't be reached. Fails within seconds.
    """
    if name == "nano":
        if not (NANO_FOLDER / "config.json").is_file():
            raise ModelError("this installation lacks the bundled model nano: install a released wheel")
        return NANO_FOLDER
    path = Path(os.path.expanduser(name))
    if os.path.exists(path):  # Path.exists raises errors, for instance for a name that is too long
        return path
    if isinstance(name, Path) or _looks_like_path(name):
        raise ModelError(f"there is no model at {name}: {_ELSEWHERE}")
    return _cached(name, revision, weights) or _download(name, revision, weights)


def is_local(name: str) -> bool:
    """Whether `find_model` finds the bundled model or a hub model without the network."""
    if name == "nano":
        return (NANO_FOLDER / "config.json").is_file()
    # Checked first, because importing snapshot_download takes 0.2 s.
    signs = ("config.json", OPEN_CLIP_CONFIG, f"{name.rpartition('/')[2]}.pt")
    return any(try_to_load_from_cache(name, file) for file in signs) and _cached(name, None, True) is not None


def upload_folder(folder: Path, name: str, *, private: bool | None, token: str | None, message: str) -> str:
    """Upload a saved model to the hub, creating the repository if necessary.

    A card that is there already may have been edited, so it is kept.

    Returns:
        URL of the commit.

    Raises:
        ModelError: the hub refuses or can't be reached.
    """
    api = huggingface_hub.HfApi(token=token)
    try:
        api.create_repo(name, private=private, exist_ok=True)
        kept = [CARD_FILE] if api.file_exists(name, CARD_FILE) else None
        return str(
            api.upload_folder(repo_id=name, folder_path=folder, commit_message=message, ignore_patterns=kept)
        )
    except (errors.HfHubHTTPError, errors.HFValidationError, errors.OfflineModeIsEnabled, HTTPError) as error:
        raise ModelError(f"{name} can't be uploaded: {_reason(error)}") from error


def _looks_like_path(name: str) -> bool:
    return (
        name.startswith((".", "/", "~"))
        or name.count("/") > 1
        or Path(name).suffix in (".pt", ".bin", ".safetensors")
    )


def _cached(name: str, revision: str | None, weights: bool) -> Path | None:
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                name, revision=revision, local_files_only=True, allow_patterns=_SMALL_FILES
            )
        )
    except errors.HFValidationError as error:
        raise ModelError(f"{name!r} is not a model's name: {_ELSEWHERE}") from error
    except errors.LocalEntryNotFoundError:
        return None
    files = {path.name for path in folder.iterdir()}
    if weights:
        return folder if _weight_files(files) else None
    return folder if not files.isdisjoint(TOKENIZER_FILES) else None


def _download(name: str, revision: str | None, weights: bool) -> Path:
    try:
        # Asked first because it has a timeout; the download itself would wait forever for a response.
        info = huggingface_hub.HfApi().model_info(name, revision=revision, timeout=_TIMEOUT_SECONDS)
        found = _weight_files({sibling.rfilename for sibling in info.siblings or ()})
        if weights and not found:
            raise ModelError(
                f"{name} on the hub has no weights for transformers or open_clip, and no PE-Core: choose "
                "another model"
            )
        patterns = _SMALL_FILES + (found if weights else [])
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=patterns))
    except errors.GatedRepoError as error:
        raise ModelError(f"{name} is gated: accept its terms on the hub, then `hf auth login`") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        wanted = name if revision is None else f"{name} at revision {revision}"
        raise ModelError(f"the hub has no model {wanted}, or it is private: {_ELSEWHERE}") from error
    except (HTTPError, OSError, errors.HFValidationError) as error:
        raise ModelError(
            f"{name} is not on this machine and the hub can't be reached ({_reason(error)}): {_ELSEWHERE}"
        ) from error


def _weight_files(files: set[str]) -> list[str]:
    """Choose weight files, as patterns: transformers before open_clip, safetensors before pickles."""
    layouts = (
        ("config.json", ["model.safetensors", "model-*.safetensors"]),
        ("config.json", ["pytorch_model.bin", "pytorch_model-*.bin"]),
        *((OPEN_CLIP_CONFIG, [file]) for file in OPEN_CLIP_WEIGHTS),
    )
    for config, patterns in layouts:
        if config in files and any(fnmatch(file, pattern) for file in files for pattern in patterns):
            return patterns
    return [PE_CORE_WEIGHTS] if any(fnmatch(file, PE_CORE_WEIGHTS) for file in files) else []


def _reason(error: Exception) -> str:
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
