"""Files are written as a whole or not at all."""

import os
from pathlib import Path

import pytest

from centerclip.atomic import write_atomically


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    for data, content in (("ü", "ü".encode()), (b"\0x", b"\0x"), (memoryview(b"y"), b"y")):
        write_atomically(file, data)
        assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "note"
    file.write_text("old")

    def full(handle: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
