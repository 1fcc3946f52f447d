"""From a model's name to a folder on this machine: the bundled model, a path, the hub's cache, the hub."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
from huggingface_hub import errors
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # the HTTP client's own base error

from centerclip.errors import ModelError
from centerclip.model.registry import NANO_FOLDER

__all__ = ["find_model", "upload_folder"]

_ANSWER_SECONDS = 5.0
_SMALL_FILES = ["*.json", "merges.txt", "vocab.txt", "spiece.model", "tokenizer.model"]
_SAFETENSORS = ["model.safetensors", "model-*.safetensors"]
_PICKLED = ["pytorch_model.bin", "pytorch_model-*.bin"]  # transformers reads them with weights_only
_ELSEWHERE = "give the folder of a downloaded model, or --model nano for the small bundled one"


def find_model(name: str | Path, *, revision: str | None = None) -> Path:
    """Find a model's folder or file, fetching it from the hub where need be.

    What the cache holds in full is used without asking the hub, so that a model, once there, stays the
    same and works offline; name a `revision` to have another.

    Args:
        name: `nano`, a folder, a checkpoint file, or a name of the hub such as
            `openai/clip-vit-base-patch32`.
        revision: branch, tag or commit on the hub.

    Raises:
        ModelError: there is no such model, or the hub can't be reached; known within seconds.
    """
    if name == "nano":
        if not (NANO_FOLDER / "config.json").is_file():
            raise ModelError("this installation lacks the bundled model nano: install the released wheel")
        return NANO_FOLDER
    path = Path(name).expanduser()
    if path.exists():
        return path
    if isinstance(name, Path) or _looks_like_path(name):
        raise ModelError(f"there is no model at {name}: {_ELSEWHERE}")
    return _cached(name, revision) or _download(name, revision)


def upload_folder(folder: Path, name: str, *, private: bool | None, token: str | None, message: str) -> str:
    """Create a repository on the hub where need be, and upload a saved model.

    Returns:
        The address of the commit.

    Raises:
        ModelError: the hub refused, or can't be reached.
    """
    api = huggingface_hub.HfApi(token=token)
    try:
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=folder, commit_message=message))
    except (errors.HfHubHTTPError, errors.HFValidationError, errors.OfflineModeIsEnabled, HTTPError) as error:
        raise ModelError(f"{name} can't be uploaded: {_reason(error)}") from error


def _looks_like_path(name: str) -> bool:
    return (
        name.startswith((".", "/", "~"))
        or name.count("/") > 1
        or Path(name).suffix in (".pt", ".bin", ".safetensors")
    )


def _cached(name: str, revision: str | None) -> Path | None:
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                name, revision=revision, local_files_only=True, allow_patterns=_SMALL_FILES
            )
        )
    except errors.HFValidationError as error:
        raise ModelError(f"{name!r} is no model: {_ELSEWHERE}") from error
    except errors.LocalEntryNotFoundError:
        return None
    return folder if (folder / "config.json").is_file() and _has_weights(folder) else None


def _download(name: str, revision: str | None) -> Path:
    try:
        # One question with a time limit first: the downloads themselves would wait for an answer without end.
        info = huggingface_hub.HfApi().model_info(name, revision=revision, timeout=_ANSWER_SECONDS)
        files = {sibling.rfilename for sibling in info.siblings or ()}
        if "config.json" not in files:
            raise ModelError(
                f"{name} on the hub has no config.json, so it is no model of transformers: choose another"
            )
        safe = any(file.startswith("model") and file.endswith(".safetensors") for file in files)
        patterns = _SMALL_FILES + (_SAFETENSORS if safe else _PICKLED)
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=patterns))
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its terms on the hub and log in with `hf auth login`"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        wanted = name if revision is None else f"{name} at revision {revision}"
        raise ModelError(
            f"the hub has no model {wanted} (or it is private): check the name; {_ELSEWHERE}"
        ) from error
    except (
        errors.HfHubHTTPError,
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        HTTPError,
    ) as error:
        raise ModelError(
            f"{name} is not on this machine and the hub can't be reached ({_reason(error)}): {_ELSEWHERE}"
        ) from error


def _has_weights(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in (*_SAFETENSORS, *_PICKLED))


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
