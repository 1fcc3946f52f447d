"""Reads files that anybody may have written: whatever a library raises becomes one error that names the file.

Imports nothing heavy, because the text tower that runs without torch reads its files with it.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from centerclip.errors import ModelError

__all__ = ["check_growth", "is_panic", "read_json", "reading"]

_MAX_JSON_BYTES = 16 << 20
"""Configurations have a few kilobytes; tokenizers and weights aren't read here."""
_MAX_REASON = 200
_MAX_GROWTH = 1000
_PLAIN = {
    "EOFError": "it is empty or cut off",
    "MemoryError": "it doesn't fit into memory",
    "RecursionError": "it is nested too deeply",
}
"""What errors mean whose own text doesn't say it, or says too much."""


@contextmanager
def reading(what: object, remedy: str, kind: type[ModelError] = ModelError) -> Iterator[None]:
    """Raise one error for whatever goes wrong while a damaged or forged file is read.

    Libraries raise every kind of exception on such files, and the tokenizer's Rust code panics, which isn't
    even an `Exception`. Errors of kind `ModelError` pass.

    Args:
        what: the file, and what it is if its name doesn't say that.
        remedy: what its owner can do.
        kind: of the error.
    """
    try:
        yield
    except ModelError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise kind(f"{what} can't be read ({_reason(error)}): {remedy}") from error


def is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of Rust code, whose class can't be imported."""
    return type(error).__name__ == "PanicException"


def read_json(path: Path, *, missing: str, kind: type[ModelError] = ModelError) -> dict[str, Any]:
    """Read a JSON object of a model.

    Raises:
        ModelError (or `kind`): unreadable, missing, not strictly JSON, or not an object; `missing` is the
            remedy for a missing file.
    """
    if not path.exists():
        raise kind(f"{path.parent} has no {path.name}: {missing}")
    with reading(path, "download the model again", kind):
        if not path.is_file():
            raise ValueError("it isn't a file")
        with path.open("rb") as file:
            content = file.read(_MAX_JSON_BYTES + 1)
        if len(content) > _MAX_JSON_BYTES:
            raise ValueError(f"it has more than {_MAX_JSON_BYTES} bytes")
        parsed = json.loads(content.decode(), parse_constant=_refuse, parse_float=_finite)
    if not isinstance(parsed, dict):
        raise kind(f"{path} is damaged, since it isn't a JSON object: download the model again")
    return parsed


def check_growth(normalizer: Any) -> None:
    """Check that a tokenizer doesn't blow up a sentence before it cuts it off.

    A normalizer replaces letters by texts; forty steps that double a letter would take all memory.

    Args:
        normalizer: of `tokenizers`, or None.

    Raises:
        ValueError: a letter can become more than `_MAX_GROWTH` letters.
    """
    growth = 1
    pending = [] if normalizer is None else [json.loads(normalizer.__getstate__())]
    while pending:
        step = pending.pop()
        pending += step.get("normalizers", [])
        growth *= 1 + len(step.get("content", "")) if step["type"] == "Replace" else 1
        if growth > _MAX_GROWTH:
            raise ValueError(f"it replaces a letter by more than {_MAX_GROWTH}")


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} isn't a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _reason(error: BaseException) -> str:
    """Return the error's text in one line of limited length."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    if isinstance(error, KeyError):
        text = f"{text} is missing or unknown"
    elif isinstance(error, MemoryError | RecursionError) or not text:
        text = _PLAIN.get(type(error).__name__, type(error).__name__)
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."
