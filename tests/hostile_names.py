"""Folders without permission, also for root, whom no permission stops."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Refuse to list a folder, and to look at anything in it."""
    listed, looked = os.scandir, os.stat

    def refuse(path: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def scandir(path: Any) -> Any:
        if Path(path) == folder:
            refuse(path)
        return listed(path)

    def stat(path: Any, *args: Any, **options: Any) -> Any:
        if isinstance(path, str | os.PathLike) and Path(path).parent == folder:
            refuse(path)
        return looked(path, *args, **options)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "stat", stat)
