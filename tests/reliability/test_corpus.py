"""One run over two hundred kinds of files: each is indexed, or fails with a reason for its owner."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from corpus import CORPUS, make_corpus
from thorough import THOROUGH

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.indexing import FileResult, sync
from centerclip.model import CenterCLIP


def index_all(index: VideoIndex, folder: Path, encoder: VideoEncoder) -> dict[Path, FileResult]:
    """Index a folder; each name is reported once."""
    results = list(sync(index, [folder], encoder))
    assert [path for path, count in Counter(each.path for each in results).items() if count > 1] == []
    return {each.path: each for each in results}


def test_every_kind_of_file_is_indexed_or_fails_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    def refuse(*address: Any) -> NoReturn:
        raise AssertionError(f"a connection to {address}")

    folder, index = tmp_path / "videos", VideoIndex(tmp_path / "index")
    folder.mkdir()
    encoder = VideoEncoder(CenterCLIP.from_pretrained("nano"), device="cpu", precision="float32", workers=2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # FFmpeg's own connections would come here
        server.settimeout(0)
        made = make_corpus(folder, port=server.getsockname()[1], slow=THOROUGH)
        monkeypatch.setattr(socket.socket, "connect", refuse)
        results = index_all(index, folder, encoder)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert results.keys() == made.keys()
    wrong = {}
    for path, kind in made.items():
        state, reason = results[path].state, results[path].reason
        expected = (
            ["indexed", "failed"] if kind.fails == "" else ["indexed" if kind.fails is None else "failed"]
        )
        readable = "\n" not in reason and "unexpected" not in reason and len(reason) < 300
        if state not in expected or not readable or not re.search(kind.fails or "", reason):
            wrong[path.name] = (state, reason)
        assert (reason != "") == (state == "failed")
    assert wrong == {}
    assert {each.state for each in index_all(index, folder, encoder).values()} <= {
        "unchanged",
        "skipped",
        "failed",  # what can't be looked at is reported by each run
    }
    assert len(index.videos()) + sum(
        each.state == "failed" for each in index_all(index, folder, encoder).values()
    ) == len(made)
    assert not (tmp_path / "was-run").exists()
    indexed = len(index.videos("state = 'done'"))
    record_property("kinds of files", f"{len(made)}: {indexed} indexed, {len(made) - indexed} with a reason")


def test_the_corpus_has_all_kinds() -> None:
    assert len(CORPUS) >= 110
    assert sum(not kind.slow for kind in CORPUS.values()) >= 110
