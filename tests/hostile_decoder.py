"""Runs in a worker process in place of a decoder, for tests: what a file does is in its name."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from centerclip.video import Decoders, sharing, worker
from centerclip.video.decode import DirectReader

START = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from hostile_decoder import main"


@contextmanager
def hostile_workers() -> Iterator[None]:
    """Let all worker processes be of this kind."""
    Decoders.end_idle()
    try:
        with patch.object(sharing, "START", START):
            yield
    finally:
        Decoders.end_idle()


class HostileReader(DirectReader):
    """Misbehaves at the second frame, or on opening if the file's name begins with "open-"."""

    def __init__(self, path: Path, *more: Any) -> None:
        super().__init__(path, *more)
        if path.name.startswith("open-"):
            misbehave(path.name.removeprefix("open-"), path)

    def frames_at(self, *given: Any) -> Iterator[tuple[float, np.ndarray]]:
        for number, shown in enumerate(super().frames_at(*given)):
            if number == 1:
                misbehave(self.path.name, self.path)
            yield shown


def misbehave(name: str, path: Path) -> None:
    kind = name.split(".")[0]
    if kind == "crashes":
        ctypes.string_at(0)
    elif kind == "crashes-once" and not path.with_suffix(".crashed").exists():
        path.with_suffix(".crashed").touch()
        ctypes.string_at(0)
    elif kind == "kills":
        os.kill(os.getppid(), signal.SIGKILL)
    elif kind == "hangs":
        time.sleep(3600)
    elif kind == "hangs-with-the-lock":
        ctypes.PyDLL(None).sleep(3600)
    elif kind == "computes":
        while True:
            pass
    elif kind == "grows-and-lingers":  # as a process with much memory does
        worker.os._exit = lambda code: time.sleep(3600)  # type: ignore[assignment]
        raise MemoryError
    elif kind == "grows":
        kept = []
        while True:
            kept.append(np.empty(1 << 28, np.uint8))


def main(descriptor: int) -> None:
    worker.open_reader = HostileReader  # type: ignore[assignment]
    worker.main(descriptor)
