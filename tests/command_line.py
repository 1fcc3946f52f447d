"""Commands run as their user runs them, in this process or in a terminal of their own."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The fields of each line of piped output."""
        return [line.split("\t") for line in self.out.splitlines()]


Run = Callable[..., Done]
"""Takes the words of a command line."""


def in_terminal(script: str, *args: str | Path, width: int = 80) -> str:
    """What a Python script writes to a terminal of `width` columns; it has to end well."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, width))
    misleading = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS")
    env = {name: value for name, value in os.environ.items() if name not in misleading}
    command = [sys.executable, "-c", script, *map(str, args)]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env={**env, "TERM": "xterm-256color"}
    ) as process:
        os.close(terminal)
        written = b""
        while piece := _read(controller):
            written += piece
    os.close(controller)
    assert process.returncode == 0, written.decode()
    return written.decode()


def without_escapes(text: str) -> str:
    """Text without colors, links and movements of the cursor."""
    return re.sub(r"\x1b\]8;.*?\x1b\\|\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""
